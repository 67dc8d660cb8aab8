"""DynamoDB on one machine: moto's server in a child process on a loopback port, its items in memory.

`python -m channeling_cli.embedded_dynamodb --port 0` is the child: it prints `{"port": N}` on one line once
it listens, and ends when its standard input closes, so it never outlives the process that started it.
"""

import functools
import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOST = "127.0.0.1"
# botocore signs every call and moto looks at the region in the signature; neither checks the secret.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "embedded",
    "AWS_SECRET_ACCESS_KEY": "embedded",
    "AWS_DEFAULT_REGION": "us-east-1",
}
_START_TIMEOUT_S = 30.0


class EmbeddedDynamoDBFailed(Exception):
    """The child process did not come up; the message holds what it wrote."""


@dataclass(frozen=True, slots=True)
class EmbeddedDynamoDB:
    """A running child; close it to end the child and lose its items."""

    endpoint_url: str
    process: "subprocess.Popen[bytes]"

    def client(self) -> Any:
        """Return a botocore client of this store, whatever AWS configuration the environment holds."""
        return local_client(self.endpoint_url)

    def close(self) -> None:
        """End the child and wait for it."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def local_client(endpoint_url: str, *, service: str = "dynamodb", max_pool_connections: int = 64) -> Any:
    """Return a botocore client of a store on this machine, signed with stand-in credentials."""
    from botocore.config import Config

    return _session_of_nobody().create_client(
        service,
        region_name=ENVIRONMENT["AWS_DEFAULT_REGION"],
        endpoint_url=endpoint_url,
        aws_access_key_id=ENVIRONMENT["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        config=Config(
            max_pool_connections=max_pool_connections, connect_timeout=5, read_timeout=30, proxies={}
        ),
    )


@functools.cache
def _session_of_nobody() -> Any:
    """Return the one botocore session of this process that reads nothing of the user's AWS configuration.

    Kept because parsing botocore's data for the first client costs 100 ms, and for a second one next to nothing.
    """
    import botocore.session

    # Without these a profile that is named in the environment and missing on this machine stops every call.
    nothing_of_the_user = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return botocore.session.Session(session_vars=nothing_of_the_user)


def start_embedded_dynamodb() -> EmbeddedDynamoDB:
    """Start the child and wait until it listens; raise EmbeddedDynamoDBFailed when it does not."""
    process = subprocess.Popen(
        [sys.executable, "-m", "channeling_cli.embedded_dynamodb", "--port", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A terminal's Ctrl-C reaches the whole process group; requests under way still settle in this store.
        start_new_session=True,
    )
    deadline = threading.Timer(_START_TIMEOUT_S, process.kill)
    deadline.start()
    try:
        line = _first_line(process.stdout)
    finally:
        deadline.cancel()
        deadline.join()
    try:
        port = int(json.loads(line)["port"])
    except (ValueError, KeyError, TypeError) as error:
        process.kill()
        EmbeddedDynamoDB("", process).close()
        raise EmbeddedDynamoDBFailed(
            "the embedded DynamoDB did not start; its own message is above. Is Channeling installed whole "
            "(`make install`)? Or set AWS_ENDPOINT_URL_DYNAMODB to a DynamoDB that runs elsewhere."
        ) from error
    return EmbeddedDynamoDB(f"http://{HOST}:{port}", process)


def _first_line(stream: IO[bytes] | None) -> bytes:
    return stream.readline() if stream is not None else b""


class OneAtATime:
    """A WSGI application that lets one request through at a time.

    moto checks the condition of a write and writes without a lock in between (moto 5.2.5,
    `moto/dynamodb/models/__init__.py`, `update_item`), so threads could both pass one condition.
    """

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application
        self._lock = threading.Lock()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        # The body is read before the lock is taken: a slow sender holds up nobody but itself.
        length = int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
        with self._lock:
            return list(self._application(environ, start_response))


def _serve(port: int) -> None:
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    class KeepAlive(MotoRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body leave in two writes; under Nagle's algorithm the second waits for a late ACK (40 ms).
        disable_nagle_algorithm = True

        def log_request(self, *_: Any) -> None:
            pass

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = OneAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server(HOST, port, application, threaded=True, request_handler=KeepAlive)
    threading.Thread(target=_exit_with_parent, name="parent", daemon=True).start()
    sys.stdout.write(json.dumps({"port": server.socket.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    server.serve_forever()


def _exit_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)


def main() -> None:
    """Run the child process."""
    import argparse  # not at the top: only the child has arguments

    parser = argparse.ArgumentParser(prog="python -m channeling_cli.embedded_dynamodb", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 takes a free one")
    port: int = parser.parse_args().port
    try:
        _serve(port)
    except OSError as error:
        sys.exit(f"cannot listen on {HOST}:{port}: {error.strerror or error}")


if __name__ == "__main__":
    main()
