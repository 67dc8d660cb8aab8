"""An invocation's answer on its way to Lambda: one chunked POST, each chunk written as it is produced.

Source: AWS Lambda Developer Guide, "Building a custom runtime", response streaming; the prelude's content type
and the 8 NUL bytes after it as in the Rust runtime (aws/aws-lambda-rust-runtime, `requests.rs`).
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable

from lambda_asgi.function_error import FunctionError
from lambda_asgi.http1 import ProtocolError, Response, read_response

HEADERS = (
    ("Content-Type", "application/vnd.awslambda.http-integration-response"),
    ("Lambda-Runtime-Function-Response-Mode", "streaming"),
    ("Transfer-Encoding", "chunked"),
    ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"),
)
PRELUDE_END = b"\0" * 8


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class ResponseUpload:
    """One answer; nothing is sent before `start`."""

    def __init__(self, head: bytes, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._head = head
        self._connect = connect
        self._writer: asyncio.StreamWriter | None = None
        self._on_lost: Callable[[], None] | None = None
        self._response: asyncio.Task[Response] | None = None

    async def start(self, prelude: bytes, on_lost: Callable[[], None]) -> None:
        """Send the request's head and the prelude; raise OSError when there is no connection to send them on."""
        reader, self._writer = await self._connect()
        self._on_lost = on_lost
        self._response = asyncio.create_task(read_response(reader))
        self._response.add_done_callback(self._watch)
        await self._write(self._head, *_chunk(prelude + PRELUDE_END))

    async def write(self, data: bytes) -> None:
        await self._write(*_chunk(data))

    async def finish(self) -> None:
        self._on_lost = None
        await self._write(b"0\r\n\r\n")

    async def fail(self, error: FunctionError) -> None:
        """End the answer with trailers that say why it is not whole; raise OSError when nobody takes them."""
        self._on_lost = None
        body = base64.b64encode(error.to_json()).decode("ascii")
        await self._write(
            b"0\r\n",
            f"Lambda-Runtime-Function-Error-Type: {error.error_type}\r\n".encode("ascii"),
            f"Lambda-Runtime-Function-Error-Body: {body}\r\n\r\n".encode("ascii"),
        )

    async def acknowledgement(self) -> Response:
        """Return what Lambda said of the whole answer; raise ProtocolError or OSError when it said nothing."""
        if self._response is None:
            raise ProtocolError("an answer that was never started has no acknowledgement")
        return await self._response

    def close(self) -> None:
        """Stop waiting for an acknowledgement."""
        if self._response is not None:
            self._response.cancel()

    async def _write(self, *parts: bytes) -> None:
        if self._writer is None or self._response is None:
            raise ConnectionError("no connection to the Runtime API")
        if self._response.done():
            raise ConnectionError(f"the Runtime API ended the answer early: {_early_end(self._response)}")
        self._writer.writelines(parts)
        await self._writer.drain()

    def _watch(self, response: asyncio.Task[Response]) -> None:
        if response.cancelled():
            return
        # Looked at here too, so that asyncio does not call it never retrieved when no acknowledgement is awaited.
        response.exception()
        if self._on_lost is not None:
            self._on_lost()


def _early_end(response: asyncio.Task[Response]) -> str:
    if response.cancelled() or response.exception() is not None:
        return "the connection is closed"
    return f"{response.result().status} {response.result().body[:200]!r}"


def _chunk(data: bytes) -> tuple[bytes, bytes, bytes]:
    return f"{len(data):x}\r\n".encode("ascii"), data, b"\r\n"
