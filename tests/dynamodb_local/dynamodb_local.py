"""AWS's DynamoDB Local as a child process on a free loopback port."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from channeling_cli.embedded_dynamodb import HOST, local_client
from tests.fetched_tools import java

_START_TIMEOUT_S = 30.0
_PORT_TRIES = 3


@dataclass(frozen=True)
class DynamoDBLocal:
    """A running DynamoDB Local; what the embedded DynamoDB offers to tests, it offers too."""

    endpoint_url: str

    def client(self) -> Any:
        """Return a botocore client of this store."""
        return local_client(self.endpoint_url)


@contextmanager
def running_dynamodb_local(jar_folder: Path, data_folder: Path | None = None) -> Iterator[DynamoDBLocal]:
    """Run it with its items in memory, or in files under `data_folder`."""
    for tries_left in range(_PORT_TRIES - 1, -1, -1):
        port = _free_port()
        keep = ["-inMemory"] if data_folder is None else ["-dbPath", str(data_folder)]
        command = [
            java(),
            "-Djava.library.path=./DynamoDBLocal_lib",
            "-jar",
            "DynamoDBLocal.jar",
            *("-port", str(port), "-sharedDb", "-disableTelemetry"),
            *keep,
        ]
        with subprocess.Popen(
            command, cwd=jar_folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                if _listens(process, port):
                    yield DynamoDBLocal(f"http://{HOST}:{port}")
                    return
            finally:
                process.terminate()
        # It ended by itself: another process took the port between our look and its bind.
        assert tries_left, "DynamoDB Local does not start"


def _free_port() -> int:
    # It takes no port 0.
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _listens(process: "subprocess.Popen[bytes]", port: int) -> bool:
    """Return whether it accepts connections; there is nothing to wait on but its port, so that is tried."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
            continue
        return True
    return False
