"""The client: `send` a request, read the response in the pieces that it comes in, give the connection back.

No redirect is followed, no cookie kept, no environment variable or ~/.netrc read. What a request's failure means is
in its class: `errors.NotSent` promises that no byte of it has left this machine.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from channeling.http1.connection import Connection
from channeling.http1.content_encoding import KNOWN_ENCODINGS, BodyDecoder
from channeling.http1.dial import dial
from channeling.http1.errors import (
    BodyTooLong,
    ConnectFailed,
    ConnectionBroken,
    ConnectTimedOut,
    PeerRefused,
    UnknownEncoding,
)
from channeling.http1.pool import ConnectionPool
from channeling.http1.request_head import Origin, request_head, split_url

# Each is a provider's address at one path, or AWS's. What is beyond these is split each time, in 2 µs.
_MOST_PLACES = 1_000


class HttpClient:
    """One pool of connections, used from one event loop.

    `refuse_peer(netloc, address)` looks at whom a new connection has reached, before anything is sent over it.
    Times in seconds; `write_timeout_s` is how long a server may take nothing of a request.
    """

    def __init__(
        self,
        *,
        max_connections: int = 1000,
        max_idle_connections: int = 100,
        idle_s: float = 30.0,
        connect_timeout_s: float = 5.0,
        write_timeout_s: float = 60.0,
        pool_timeout_s: float = 5.0,
        refuse_peer: Callable[[str, str], bool] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._pool = ConnectionPool(
            max_connections=max_connections, max_idle_connections=max_idle_connections, idle_s=idle_s
        )
        self._connect_timeout_s = connect_timeout_s
        self._write_timeout_s = write_timeout_s
        self._pool_timeout_s = pool_timeout_s
        self._refuse_peer = refuse_peer
        self._ssl_context = ssl_context
        self._places: dict[str, tuple[Origin, str]] = {}

    async def send(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        *,
        read_timeout_s: float | None = None,
    ) -> "HttpResponse":
        """Return the response once its head is here; raise HttpError. Whoever gets one must close it.

        Host and Content-Length are added. `read_timeout_s` is how long the server may be silent, before its answer
        and in it; None: for ever. Cancelling closes the connection.
        """
        origin, target = self._place(url)
        head = request_head(method, target, origin.netloc, headers, len(body))
        connection = self._pool.take(origin) or await self._open(origin)
        try:
            await connection.send(
                head, body, write_timeout_s=self._write_timeout_s, read_timeout_s=read_timeout_s
            )
        except BaseException:
            connection.abort()
            self._pool.give_back(connection)
            raise
        return HttpResponse(connection, self._pool, read_timeout_s)

    def origin_of(self, url: str) -> Origin:
        """Return the server that a URL is of; raise UrlUnusable."""
        return self._place(url)[0]

    async def connect(self, url: str) -> None:
        """Open one connection ahead and leave it in the pool; raise HttpError."""
        origin = self.origin_of(url)
        connection = await self._open(origin)
        self._pool.give_back(connection)

    async def aclose(self) -> None:
        """Close every connection; requests under way fail, and so do later ones."""
        self._pool.close()

    def drop_connections(self) -> None:
        """Close every connection, to go on with new ones: after the process was frozen, say."""
        self._pool.drop()

    def _place(self, url: str) -> tuple[Origin, str]:
        """Split a URL; those without a query, which are few and come again, are remembered."""
        place = self._places.get(url)
        if place is None:
            place = split_url(url)
            if "?" not in url and len(self._places) < _MOST_PLACES:
                self._places[url] = place
        return place

    async def _open(self, origin: Origin) -> Connection:
        resting = await self._pool.claim(origin, self._pool_timeout_s)
        if resting is not None:
            return resting
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                connection = await self._connected(origin)
        except BaseException as error:
            self._pool.give_up()
            if isinstance(error, TimeoutError):
                raise ConnectTimedOut("no connection came about in time") from error
            if isinstance(error, OSError | UnicodeError):  # ssl.SSLError is an OSError
                raise ConnectFailed("no connection came about") from error
            raise
        self._pool.add(connection)
        return connection

    async def _connected(self, origin: Origin) -> Connection:
        context = self._context() if origin.uses_tls else None
        connected = await dial(origin.host, origin.port)
        try:
            # Who is looked at is not greeted by TLS first.
            if self._refuse_peer is not None and self._refuse_peer(
                origin.netloc, str(connected.getpeername()[0])
            ):
                raise PeerRefused("the server's address is one that is not called")
        except BaseException:
            connected.close()
            raise
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(origin),
            sock=connected,
            ssl=context,
            server_hostname=None if context is None else origin.host,
        )
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            # Some 20 ms, so not before it is needed.
            self._ssl_context = _verifying_context()
        return self._ssl_context


class HttpResponse:
    """A response whose body is read once, by `chunks` or by `read`. Repeated headers are joined with a comma."""

    def __init__(self, connection: Connection, pool: ConnectionPool, read_timeout_s: float | None) -> None:
        self._connection = connection
        self._pool = pool
        self._read_timeout_s = read_timeout_s
        self._is_closed = False
        self._unread = b""
        self.status: int = connection.status
        self.headers: Mapping[str, str] = connection.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body, its content-encoding undone; what came since the last chunk is one. Raises HttpError."""
        if not self.is_encoded:
            while chunk := await self.next_bytes():
                yield chunk
            return
        encoding = self._encoding
        if encoding not in KNOWN_ENCODINGS:
            raise UnknownEncoding(encoding)
        decoder, is_empty = BodyDecoder(encoding), True
        while chunk := await self.next_bytes():
            is_empty = False
            for piece in decoder.feed(chunk):
                yield piece
        if not is_empty:
            decoder.end()

    @property
    def is_encoded(self) -> bool:
        """Whether the body has a content-encoding, which `chunks` undoes."""
        return self._encoding not in ("", "identity")

    @property
    def _encoding(self) -> str:
        return self.headers.get("content-encoding", "").strip().lower()

    async def next_bytes(self) -> bytes:
        """Return what has come of the body since the last time, as it came; b"" at its end. Raises HttpError, and
        Interrupted where `interrupt` ends the wait: then it may be asked again, and has lost nothing."""
        if self._is_closed:
            raise ConnectionBroken("the response was closed")
        return await self._connection.next_bytes(self._read_timeout_s)

    def interrupt(self) -> None:
        """End the wait that `next_bytes` is in, if any."""
        if not self._is_closed:
            self._connection.interrupt()

    def take_unread(self) -> bytes:
        """Return what had come and was not read, without waiting; also after `aclose`."""
        unread = self._unread if self._is_closed else self._connection.take_unread()
        self._unread = b""
        return unread

    async def read(self, *, max_bytes: int) -> bytes:
        """Return the whole body and give the connection back; raise HttpError."""
        pieces, length = [], 0
        try:
            if not self.is_encoded:
                # As `chunks`, without a generator's part in it: most answers are one piece.
                while piece := await self.next_bytes():
                    pieces.append(piece)
                    length = _checked_length(length + len(piece), max_bytes)
            else:
                async for piece in self.chunks():
                    pieces.append(piece)
                    length = _checked_length(length + len(piece), max_bytes)
        finally:
            await self.aclose()
        return b"".join(pieces)

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else close it. May be called twice."""
        if not self._is_closed:
            self._unread = self._connection.take_unread()
            self._is_closed = True
            self._pool.give_back(self._connection)


def _checked_length(length: int, max_bytes: int) -> int:
    if length > max_bytes:
        raise BodyTooLong(f"the body is longer than {max_bytes} bytes")
    return length


def _verifying_context() -> ssl.SSLContext:
    """Certificates and names are checked, against certifi's roots where it is installed, else the system's."""
    context = ssl.create_default_context(cafile=_roots_file())
    context.set_alpn_protocols(["http/1.1"])
    return context


def _roots_file() -> str | None:
    """Return certifi's file, as `certifi.where` does by way of importlib.resources, which takes 38 ms to import."""
    found = find_spec("certifi")
    if found is None or found.origin is None:
        return None
    file = Path(found.origin).with_name("cacert.pem")
    return str(file) if file.is_file() else None
