"""A streamed answer on its way to Lambda: one chunked POST, each chunk written as it is produced.

Source: AWS Lambda Developer Guide, "Building a custom runtime", response streaming; the prelude's content type
and the 8 NUL bytes after it as in the Rust runtime (aws/aws-lambda-rust-runtime, `requests.rs`).
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable

from lambda_asgi.function_error import FunctionError
from lambda_asgi.http1 import ProtocolError, Response, read_response
from lambda_asgi.payload import Front
from lambda_asgi.response_head import ResponseHead, prelude_of

HEADERS = (
    ("Content-Type", "application/vnd.awslambda.http-integration-response"),
    ("Lambda-Runtime-Function-Response-Mode", "streaming"),
    ("Transfer-Encoding", "chunked"),
    ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"),
)


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class StreamedResponse:
    """One answer; nothing is sent before `start`."""

    def __init__(self, request: bytes, connect: Callable[[], Awaitable[Connection]], front: Front) -> None:
        """`request` is the head of the POST to the Runtime API."""
        self._request = request
        self._front = front
        self._connect = connect
        self._writer: asyncio.StreamWriter | None = None
        self._on_lost: Callable[[], None] | None = None
        self._response: asyncio.Task[Response] | None = None

    def check(self, head: ResponseHead) -> None:
        """Raise ValueError for a head that could not be sent."""
        prelude_of(head, self._front)

    async def start(self, head: ResponseHead, on_lost: Callable[[], None]) -> None:
        """Send status and headers; raise OSError when there is no connection to send them on."""
        prelude = prelude_of(head, self._front)
        reader, self._writer = await self._connect()
        self._on_lost = on_lost
        self._response = asyncio.create_task(read_response(reader))
        self._response.add_done_callback(self._watch)
        await self._write(self._request, *_chunk(prelude))

    async def write(self, data: bytes) -> None:
        await self._write(*_chunk(data))
        # `drain` goes on at once while the buffer has room: an app that never waits would starve others.
        await asyncio.sleep(0)

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

    async def finished(self, failure: FunctionError | None) -> Response:
        """End the answer, with trailers where it failed; return what Lambda said of it, or raise as the others."""
        if failure is not None:
            await self.fail(failure)
        return await self.acknowledgement()

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
