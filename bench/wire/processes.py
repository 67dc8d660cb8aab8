"""Programs that a study starts on loopback, and ends, each by its process, also when the study fails."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson

ROOT = Path(__file__).parents[2]
_END_TIMEOUT_S = 15.0


class NotAvailable(Exception):
    """A gateway or what it needs is not here; the message is the line that says why it is skipped."""


class DidNotStart(Exception):
    """A program did not come up; the message holds the end of what it wrote."""


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str | Path], folder: Path, log: str, *, environ: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program in a folder, its errors in the file `log` there, and end it; its standard input is a pipe."""
    with (folder / log).open("ab") as errors:
        process = subprocess.Popen(  # noqa: S603 - programs of this study, by path
            command,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            yield process
        finally:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            process.terminate()
            try:
                process.wait(_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def first_line(process: "subprocess.Popen[bytes]", log: Path) -> dict[str, str]:
    """Return the JSON object that a program prints once it listens; raise DidNotStart."""
    if process.stdout is None or not (line := process.stdout.readline()):
        raise DidNotStart(log.read_text(errors="replace")[-2_000:])
    content: dict[str, str] = orjson.loads(line)
    return content


def wait_until(
    ready: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path, *, timeout_s: float = 30.0
) -> None:
    """Block until a program is ready; raise DidNotStart when it ended or took too long."""
    deadline_s = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise DidNotStart(log.read_text(errors="replace")[-2_000:])
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Return whether something accepts connections there."""
    with socket.socket() as client:
        client.settimeout(1.0)
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running_provider(answers: Mapping[str, object], seed: int, folder: Path) -> Iterator[str]:
    """Run the provider's stand-in; yield its base URL."""
    command = [sys.executable, "-m", "bench.wire.provider", "--answers", orjson.dumps(answers).decode()]
    environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    with running([*command, "--seed", str(seed)], folder, "provider.err", environ=environ) as process:
        yield first_line(process, folder / "provider.err")["base_url"]
