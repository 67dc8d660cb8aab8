"""One connection: a request out, its response in, as an asyncio protocol around httptools' parser.

The parser (llhttp) is strict about framing: two lengths, a length beside chunks, a malformed size are errors. It is
not told where a body ends that only the end of the connection ends, which is seen to here.
"""

import asyncio
import select
import time
from collections.abc import Callable
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from channeling.http1.errors import (
    ConnectFailed,
    ConnectionBroken,
    HttpError,
    Interrupted,
    ReadTimedOut,
    ResponseMalformed,
    SendTimedOut,
)
from channeling.http1.request_head import Origin

# More than this unread, and the server is made to wait.
_HIGH_WATER_BYTES = 256 * 1024
# The most that a head, the trailers or a chunk's extension may take: what brings a response no further.
_LONGEST_HEAD_BYTES = 64 * 1024
_MOST_HEADERS = 256
# Up to this head and body go out as one write, so mostly as one packet; a longer body goes in pieces of it.
_PIECE_BYTES = 64 * 1024
_TOO_MANY_HEADERS = "the response has too many headers, or too long ones"
_FIRST_FINAL_STATUS = (
    200  # those below are informational (RFC 9110, section 15.2): the answer is still to come
)
_FIRST_STATUS = 100
_FIRST_REFUSAL = 400
_VERSIONS = frozenset({"1.1", "1.0"})
_BODILESS = frozenset({204, 304})


class Connection(asyncio.Protocol):
    """A connection to one origin, for one request at a time; `idle_since_s` is of `time.monotonic`."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.idle_since_s = 0.0
        self.on_lost: Callable[[Connection], None] | None = None
        self.status = 0
        self.headers: dict[str, str] = {}
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._has_input: Callable[[], bool] = _no_input
        self._is_lost = False
        self._is_busy = False
        self._can_be_reused = False
        self._exchange = 0
        self._waiter: asyncio.Future[None] | None = None
        self._begin()
        self._is_complete = True  # it may rest before its first request

    def _begin(self) -> None:
        self._pieces: list[bytes] = []
        # What the parser finds of the body goes straight there: a burst of events is two hundred pieces.
        self.on_body = self._pieces.append
        self._parser = HttpResponseParser(self)
        self.status, self.headers = 0, {}
        self._fields: list[tuple[bytes, bytes]] = []
        self._has_head = self._ends_with_connection = self._keeps_alive = self._is_complete = False
        self._unread_bytes = self._idling_bytes = 0
        self._error: HttpError | None = None
        self._advances = self._is_large = False
        self._reads_paused = self._writes_paused = False

    # What the pool asks.

    def is_usable(self) -> bool:
        """Whether another request can be sent: nothing came since the last response, not even its end."""
        transport = self._transport
        if transport is None or self._is_lost or transport.is_closing() or not self._can_be_reused:
            return False
        # The end may be in the kernel and not yet with the loop; a request written now would be lost.
        return not self._has_input()

    @property
    def is_done(self) -> bool:
        """Whether the response was read to its end and leaves the connection fit for another."""
        transport = self._transport
        return (
            self._is_complete
            and self._can_be_reused
            and self._error is None
            and transport is not None
            and not transport.is_closing()
            and transport.get_write_buffer_size() == 0
            and not self._may_be_unsent
        )

    @property
    def _may_be_unsent(self) -> bool:
        """Whether some of the body may wait where TLS' transport does not count it: its server refused it early."""
        return self._is_large and self.origin.uses_tls and self.status >= _FIRST_REFUSAL

    def rest(self) -> None:
        """Wait for another request."""
        self._is_busy, self.idle_since_s = False, time.monotonic()
        self._exchange += 1
        self._waiter = None
        self._pieces.clear()
        self._resume_reading()

    def abort(self) -> None:
        """Close at once, whatever is under way: what waits for it is told, and takes it for no end of a body."""
        self._can_be_reused = False
        if self._is_busy and not self._is_complete and self._error is None:
            self._error = ConnectionBroken("the connection was closed")
            self._wake()
        if self._transport is not None:
            self._transport.abort()

    # What a request does.

    async def send(
        self, head: bytes, body: bytes, *, write_timeout_s: float, read_timeout_s: float | None
    ) -> None:
        """Send a request and wait for the head of its response; raise HttpError."""
        transport = self._transport
        if transport is None or self._is_lost or transport.is_closing():
            raise ConnectFailed("the server closed the connection before anything was sent")
        self._begin()
        self._is_busy, self._can_be_reused = True, False
        self._is_large = len(body) > _PIECE_BYTES
        if self._is_large:
            await self._send_in_pieces(transport, head, body, write_timeout_s)
        else:
            transport.write(head + body)
            if self._writes_paused:
                await self._wait_until_taken(write_timeout_s)
        while not self._has_head:
            await self._wait(read_timeout_s, ReadTimedOut, "the server did not answer in time")

    async def _send_in_pieces(
        self, transport: asyncio.Transport, head: bytes, body: bytes, timeout_s: float
    ) -> None:
        """Over TLS, nobody is told to wait by what is written at once, however much it is."""
        transport.write(head)
        pieces = memoryview(body)
        for start in range(0, len(body), _PIECE_BYTES):
            if self._has_head:
                transport.write(pieces[start:])
                return
            transport.write(pieces[start : start + _PIECE_BYTES])
            await self._wait_until_taken(timeout_s)

    async def _wait_until_taken(self, timeout_s: float) -> None:
        # A server may answer, and refuse, before it has read all of the body.
        while self._writes_paused and not self._has_head:
            await self._wait(timeout_s, SendTimedOut, "the server did not take the request in time")

    async def next_bytes(self, timeout_s: float | None = None) -> bytes:
        """Return all of the body that has come and was not read, b"" at its end; raise HttpError."""
        while not self._pieces:
            if self._is_complete:
                return b""
            await self._wait(timeout_s, ReadTimedOut, "the server did not go on in time")
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._unread_bytes = 0
        self._resume_reading()
        return data

    def interrupt(self) -> None:
        """Have whoever waits for the response wait no longer, but raise Interrupted."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Interrupted())

    def take_unread(self) -> bytes:
        """Return what has come of the body and was not read, without waiting."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data

    async def _wait(self, timeout_s: float | None, late: type[HttpError], why: str) -> None:
        """Wait until something has come, or raise what went wrong."""
        if self._error is not None:
            raise self._error
        if self._waiter is not None:
            raise RuntimeError("two tasks read one response")
        waiter, exchange = self._loop.create_future(), self._exchange
        self._waiter = waiter
        timer = None if timeout_s is None else self._loop.call_later(timeout_s, _expire, waiter, late, why)
        try:
            await waiter
        finally:
            if self._waiter is waiter:
                self._waiter = None
            if timer is not None:
                timer.cancel()
        if self._exchange != exchange:
            # Woken by the end of its response, which somebody else has closed since: what comes is another's.
            raise ConnectionBroken("the response was closed")

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: HttpError) -> None:
        if self._error is None and not self._is_complete:
            self._error = error
        self.abort()
        self._wake()

    def _resume_reading(self) -> None:
        if self._reads_paused and self._transport is not None and not self._transport.is_closing():
            self._reads_paused = False
            self._transport.resume_reading()

    # asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(_PIECE_BYTES)
        # Made once: it is 1 % of a request. The transport keeps its socket open while `is_closing` says no.
        self._has_input = _input_check(transport.get_extra_info("socket").fileno())
        self._can_be_reused = True

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost, self._can_be_reused = True, False
        if self._is_busy and not self._is_complete and self._error is None:
            # asyncio tells an end that TLS did not announce as it tells any: whether such a body is whole is for
            # its reader to see.
            if self._ends_with_connection and exc is None:
                self._is_complete = True
            else:
                self._error = ConnectionBroken("the connection ended before the answer did")
        self._wake()
        if self.on_lost is not None:
            self.on_lost(self)

    def pause_writing(self) -> None:
        self._writes_paused = True

    def resume_writing(self) -> None:
        self._writes_paused = False
        self._wake()

    def data_received(self, data: bytes) -> None:
        if not self._is_busy:
            self.abort()  # an answer to nothing
            return
        if self._error is not None:
            return
        if self._is_complete:
            self._can_be_reused = False
            return
        self._advances, pieces = False, len(self._pieces)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._fail(ResponseMalformed("the server changed the protocol without being asked to"))
        except HttpParserError:
            if self._is_complete:
                self._can_be_reused = False  # what follows the response is none of it
            else:
                self._fail(
                    self._error or ResponseMalformed("the server sent something that is no HTTP response")
                )
        if len(self._pieces) > pieces:
            self._advances = True
            self._unread_bytes += len(data)
        # What came without bringing the response further: a head, trailers, a chunk's extension without an end.
        self._idling_bytes = 0 if self._advances else self._idling_bytes + len(data)
        if self._idling_bytes > _LONGEST_HEAD_BYTES and not self._is_complete:
            self._fail(ResponseMalformed("the head of the response is too long"))
        if self._unread_bytes > _HIGH_WATER_BYTES and not self._reads_paused and not self._is_lost:
            self._reads_paused = True
            cast(asyncio.Transport, self._transport).pause_reading()
        self._wake()

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        if self._is_complete:
            raise ResponseMalformed("another response follows, to nothing")

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers count too, though nothing here asks for one.
        self._fields.append((name, value))
        if len(self._fields) > _MOST_HEADERS:
            self._error = ResponseMalformed(_TOO_MANY_HEADERS)
            raise self._error

    def _read_fields(self) -> None:
        headers, length = self.headers, 0
        for name, value in self._fields:
            length += len(name) + len(value)
            # The parser leaves the white space behind a value, which is no part of it (RFC 9110, section 5.5).
            key, text = name.decode("latin-1").lower(), value.decode("latin-1").rstrip(" \t")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        if length > _LONGEST_HEAD_BYTES:
            self._error = ResponseMalformed(_TOO_MANY_HEADERS)
            raise self._error

    def on_headers_complete(self) -> None:
        if self._is_complete:
            return
        self._read_fields()
        self.status, version = self._parser.get_status_code(), self._parser.get_http_version()
        if version not in _VERSIONS:
            self._error = ResponseMalformed("the server speaks another version of HTTP")
            raise self._error
        if self.status < _FIRST_FINAL_STATUS:
            if (
                self.status < _FIRST_STATUS
                or "content-length" in self.headers
                or "transfer-encoding" in self.headers
            ):
                self._error = ResponseMalformed("the server sent a body where none can be")
                raise self._error
            # It brings the response no further: one without end is a head without end.
            self.headers = {}
            return
        self._advances = True
        codings = self.headers.get("transfer-encoding", "").lower().replace(" ", "")
        if codings not in ("", "chunked", "identity"):
            self._error = ResponseMalformed("the response has a transfer-encoding that is not known")
            raise self._error
        self._has_head = True
        has_length = "content-length" in self.headers or codings == "chunked"
        self._ends_with_connection = not has_length and self.status not in _BODILESS
        if self.status in _BODILESS and (codings or self.headers.get("content-length", "0") != "0"):
            # A 304 may tell the length that its body would have, and the parser waits for that body.
            self._is_complete = True
            raise ResponseMalformed("nothing may follow a response without a body")
        options = self.headers.get("connection", "").lower()
        self._keeps_alive = not self._ends_with_connection and (
            "close" not in options if version == "1.1" else "keep-alive" in options
        )

    def on_message_complete(self) -> None:
        if not self._has_head or self._is_complete:
            self._fields.clear()
            return
        self._is_complete = True
        self._can_be_reused = self._keeps_alive

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'busy' if self._is_busy else 'idle'}>"


def _expire(waiter: "asyncio.Future[None]", late: type[HttpError], why: str) -> None:
    if not waiter.done():
        waiter.set_exception(late(why))


def _no_input() -> bool:
    return False


def _input_check(descriptor: int) -> Callable[[], bool]:
    """Return what says whether a descriptor can be read from."""
    if not hasattr(select, "poll"):  # Windows, whose select takes a descriptor of any size
        return lambda: bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return lambda: bool(poll.poll(0))
