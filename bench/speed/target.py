"""What can be measured: how it is started, and what must be known of it while it runs."""

import http.client
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.speed.cores import TARGET_CORE, pinned
from bench.speed.requests import Caller
from bench.wire.processes import DidNotStart, running

_POLL_S = 0.01
_START_TIMEOUT_S = 60.0
_ERROR_BYTES = 300


@dataclass(frozen=True, slots=True)
class Place:
    """Where a target is started: its folder, and the port of the providers' stand-in."""

    folder: Path
    upstream_port: int


@dataclass(frozen=True, slots=True)
class Running:
    """A target that has given its first answer. `process_id` is None where there is no process of its own."""

    port: int
    callers: Sequence[Caller]
    process_id: int | None = None
    start_up_s: float | None = None


Start = Callable[[Place], AbstractContextManager[Running]]


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers /v1/messages. `model` is what it is asked for.

    A `crowd` of 1,000 streams is only sent to some: it takes a quarter of a minute, and overruns what is slow.
    """

    name: str
    model: str
    start: Start
    streams: bool = True
    is_peer: bool = False
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run as a target, and the first request that it must answer with 200."""

    command: Sequence[str | Path]
    port: int
    first_body: bytes
    callers: Sequence[Caller] = (Caller({}),)
    environ: Mapping[str, str] = field(default_factory=dict)
    path: str = "/v1/messages"


@contextmanager
def running_program(program: Program, folder: Path) -> Iterator[Running]:
    """Run a program on the targets' core until it is no longer needed; raise DidNotStart."""
    log = folder / "target.log"
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), **program.environ}
    started_s = time.monotonic()
    # What it prints goes to its log too: nobody reads a pipe here.
    command = ["/bin/sh", "-c", 'exec "$0" "$@" >&2', *program.command]
    with running(pinned(TARGET_CORE, command), folder, log.name, environ=environ) as process:
        said = ""
        while (answer := _first_answer(program)) != "":
            said = answer
            if process.poll() is not None or time.monotonic() - started_s > _START_TIMEOUT_S:
                raise DidNotStart(f"{said} {log.read_text(errors='replace')[-2_000:]}")
            time.sleep(_POLL_S)
        yield Running(program.port, program.callers, process.pid, time.monotonic() - started_s)


def _first_answer(program: Program) -> str:
    """Ask once; return why there was no answer of 200, or nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", program.port, timeout=30)
    headers = {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        **program.callers[0].headers,
    }
    try:
        connection.request("POST", program.path, program.first_body, headers)
        answer = connection.getresponse()
        body = answer.read(_ERROR_BYTES)
        return "" if answer.status == 200 else f"{answer.status} {body.decode(errors='replace')}"
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error!r}"
    finally:
        connection.close()
