"""The two programs in C of `make bench`, compiled when their sources changed, and what they are told to do."""

import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.answers import answers, write_answers
from bench.speed.cores import UPSTREAM_CORE, pinned
from bench.wire.processes import ROOT, NotAvailable, first_line, free_port, running

SOURCES = ROOT / "bench/native"
PROGRAMS = ROOT / ".tools/bench"
# Nothing ends by this but a target that hangs.
_LONGEST_S = 300.0
_ENVIRON = {"PATH": "/usr/bin:/bin"}


@dataclass(frozen=True, slots=True)
class Load:
    """What the load generator does. Either for `seconds`, or `each` requests a connection."""

    connections: int
    ending: str
    seconds: float = 0.0
    warm_up_s: float = 0.0
    each: int = 0
    ramp_ms: float = 0.0


def compile_programs() -> None:
    """Compile what is older than its sources; raise NotAvailable without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NotAvailable("a C compiler is needed (Debian: apt-get install gcc libc6-dev)")
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    newest_s = max(path.stat().st_mtime for path in SOURCES.iterdir())
    for name in ("upstream", "load"):
        program = PROGRAMS / name
        if program.is_file() and program.stat().st_mtime > newest_s:
            continue
        # Beside it and then in its place: another run may be compiling the same.
        fresh = PROGRAMS / f"{name}-{free_port()}"
        command = [compiler, "-O2", "-o", str(fresh), str(SOURCES / f"{name}.c")]
        subprocess.run(command, check=True)  # noqa: S603 - our own sources
        fresh.replace(program)


@contextmanager
def running_upstream(folder: Path) -> Iterator[int]:
    """Run the providers' stand-in; yield its port."""
    port = free_port()
    file = folder / "answers"
    write_answers(file, answers(f"http://127.0.0.1:{port}"))
    command = pinned(UPSTREAM_CORE, [PROGRAMS / "upstream", file, str(port)])
    with running(command, folder, "upstream.err", environ=_ENVIRON) as process:
        first_line(process, folder / "upstream.err")
        yield port


def set_stream(upstream_port: int, *, events: int, interval_us: int) -> None:
    """Set how many deltas each later stream has, and what time lies between them (0: none)."""
    url = f"http://127.0.0.1:{upstream_port}/control?events={events}&interval_us={interval_us}"
    with urllib.request.urlopen(urllib.request.Request(url, b""), timeout=10):
        pass


def press(port: int, load: Load, requests: Sequence[Path]) -> dict[str, Any]:
    """Run the load generator against a port; return what it measured (native/load.c)."""
    how_long = ["--each", str(load.each)] if load.each else ["--seconds", str(load.seconds)]
    command: list[str | Path] = [
        PROGRAMS / "load",
        *("--port", str(port), "--connections", str(load.connections), "--ending", load.ending),
        *("--warm-up", str(load.warm_up_s), "--ramp-ms", str(load.ramp_ms)),
        *how_long,
        *requests,
    ]
    ran = subprocess.run(  # noqa: S603 - our own program
        pinned(UPSTREAM_CORE, command), capture_output=True, check=True, timeout=_LONGEST_S
    )
    measured: dict[str, Any] = orjson.loads(ran.stdout)
    return measured
