"""AWS's Lambda Runtime Interface Emulator as a process that runs a laid-out function.

The SAM CLI's package ships it (`samcli/local/rapid`). It is started with the command that Lambda starts when
AWS_LAMBDA_EXEC_WRAPPER=/opt/bootstrap is set: the wrapper, with the managed runtime's own command as arguments.
It takes streamed answers but hands them on whole (aws/aws-lambda-runtime-interface-emulator, issue 175).
"""

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from emulator.answer import Answer, parse_answer
from emulator.artifact import Artifact, host_architecture
from emulator.sam_cli import HOME

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
    command = [
        str(_executable()),
        *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
        *("--runtime-api-address", f"127.0.0.1:{runtime_api_port}"),
        *("--log-level", "error"),
        *(str(artifact.opt / "bootstrap"), str(_base_python()), "/var/runtime/bootstrap.py"),
    ]
    lambda_environ = {
        "PATH": os.defpath,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "LAMBDA_TASK_ROOT": str(artifact.task),
        "_HANDLER": "app.app",
        "AWS_LAMBDA_FUNCTION_NAME": "messages",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_s),
        # Not Lambda's: packages of this machine's user are not the function's.
        "PYTHONNOUSERSITE": "1",
    }
    try:
        process = subprocess.Popen(
            command,
            cwd=artifact.task,
            env={**lambda_environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    except OSError as error:
        raise EmulatorFailed(f"AWS's emulator does not run on this machine: {error}") from error
    try:
        _wait_until_listening(process, port)
        yield Emulator(port, process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _executable() -> Path:
    """Return the emulator in SAM's package, made executable, which it need not be there."""
    [packages] = (HOME / "lib").glob("python3.*/site-packages")
    executable = packages / f"samcli/local/rapid/aws-lambda-rie-{host_architecture()}"
    executable.chmod(0o755)
    return executable


def _base_python() -> Path:
    """Return the interpreter behind SAM's environment: the function must not see SAM's packages."""
    return (HOME / "bin/python").resolve()


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
