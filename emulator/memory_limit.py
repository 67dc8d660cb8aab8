"""A memory limit for one process and its children: a control group's, which ends them as Lambda's does."""

import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_REMOVAL_TIMEOUT_S = 5.0
_numbers = itertools.count()


@contextmanager
def memory_limited_group(limit_bytes: int) -> Iterator[Path | None]:
    """Make a control group of that much memory and yield its folder; None where this machine lets us make none.

    Source: Linux, Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
    """
    group = _make_group(limit_bytes)
    try:
        yield group
    finally:
        if group is not None:
            _remove(group)


def _make_group(limit_bytes: int) -> Path | None:
    name = f"channeling-{os.getpid()}-{next(_numbers)}"
    for parent, limit in ((_own_group_of_v1(), "memory.limit_in_bytes"), (_GROUPS, "memory.max")):
        if parent is None or not os.access(parent, os.W_OK):
            continue
        group = parent / name
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            # Opened, not made: the kernel has it where the memory controller is on.
            with (group / limit).open("r+") as file:
                file.write(str(limit_bytes))
            return group
        except OSError:
            group.rmdir()
    return None


def _own_group_of_v1() -> Path | None:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            within = _GROUPS / "memory" / path.strip("/")
            return within if within.is_dir() else _GROUPS / "memory"
    return None


def _remove(group: Path) -> None:
    """Remove a group; the kernel keeps it for some milliseconds after its last process ended."""
    give_up = time.monotonic() + _REMOVAL_TIMEOUT_S
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.02)
