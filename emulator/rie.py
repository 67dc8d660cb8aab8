"""AWS's Lambda Runtime Interface Emulator as a process that runs a laid-out function.

The SAM CLI's package ships it (`samcli/local/rapid`). It is started with the command that Lambda starts when
AWS_LAMBDA_EXEC_WRAPPER=/opt/bootstrap is set: the wrapper, with the managed runtime's own command as arguments.
It takes streamed answers but hands them on whole (aws/aws-lambda-runtime-interface-emulator, issue 175).
"""

import http.client
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from emulator.answer import Answer, parse_answer
from emulator.artifact import Artifact
from emulator.sandbox import Sandbox, sandbox

START_TIMEOUT_S = 10.0
_INVOCATIONS = "/2015-03-31/functions/function/invocations"


class EmulatorFailed(Exception):
    """The emulator did not start, or ended in the middle of an invocation."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator; it starts the function at the first invocation."""

    port: int
    process: "subprocess.Popen[bytes]"

    def invoke(self, event: bytes, *, timeout_s: float = 60.0) -> Answer:
        """Invoke the function with an event; raise FunctionFailed or EmulatorFailed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request("POST", _INVOCATIONS, body=event)
            payload = connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            raise EmulatorFailed(f"the emulator did not answer the invocation: {error}") from error
        finally:
            connection.close()
        return parse_answer(payload)


@contextmanager
def running_emulator(
    artifact: Artifact, environ: Mapping[str, str], *, log: IO[bytes], timeout_s: int = 60
) -> Iterator[Emulator]:
    """Run a function under the emulator with nothing but `environ` and what Lambda itself sets.

    `log` gets what the emulator and the function print; `timeout_s` is the function's timeout. Raises
    EmulatorFailed, also where the emulator does not run at all (it is a Linux program).
    """
    port, runtime_api_port = _free_ports(2)
    with sandbox(artifact) as place:
        command = [
            place.rapid,
            *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
            *("--runtime-api-address", f"127.0.0.1:{runtime_api_port}"),
            *("--log-level", "error"),
            *place.start_command(),
        ]
        with _running(place, command, place.environ(environ, timeout_s=timeout_s), log) as process:
            _wait_until_listening(process, port)
            yield Emulator(port, process)


@contextmanager
def _running(
    place: Sandbox, command: Sequence[str], environ: Mapping[str, str], log: IO[bytes]
) -> "Iterator[subprocess.Popen[bytes]]":
    try:
        process = subprocess.Popen(
            place.command(*command),
            cwd=place.artifact.task,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    except OSError as error:
        raise EmulatorFailed(f"AWS's emulator does not run on this machine: {error}") from error
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def _wait_until_listening(process: "subprocess.Popen[bytes]", port: int) -> None:
    give_up = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise EmulatorFailed(f"the emulator ended at once, with exit code {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)  # It says nowhere that it listens.
    raise EmulatorFailed(f"the emulator did not listen within {START_TIMEOUT_S:.0f} s")
