"""Which core runs what, and what a process and its children have used of it: Linux's `taskset` and /proc."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TARGET_CORE, UPSTREAM_CORE = 0, 1
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_KB_PER_MB = 1024


@dataclass(frozen=True, slots=True)
class Used:
    """CPU seconds since their start, and resident megabytes, of a process and its children."""

    cpu_s: float
    rss_mb: float


def pinned(core: int, command: Sequence[str | Path]) -> list[str | Path]:
    """Return a command that runs on one core, where there are two."""
    taskset = shutil.which("taskset")
    if taskset is None or (os.cpu_count() or 1) <= core:
        return [*command]
    return [taskset, "-c", str(core), *command]


def keep_to(core: int) -> None:
    """Keep this process, and what it starts without saying a core, to one core where there are two."""
    if (os.cpu_count() or 1) > core:
        os.sched_setaffinity(0, {core})


def used_by(process_id: int) -> Used:
    """Return what a process and its children have used."""
    cpu_s = rss_mb = 0.0
    for one in _tree(process_id):
        try:
            # After the command's name, which may hold spaces: utime and stime are fields 14 and 15 (man 5 proc).
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{one}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        cpu_s += (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
        for line in status.splitlines():
            if line.startswith("VmRSS:"):
                rss_mb += int(line.split()[1]) / _KB_PER_MB
    return Used(cpu_s, rss_mb)


def _tree(process_id: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{process_id}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [process_id, *(one for child in children for one in _tree(child))]
