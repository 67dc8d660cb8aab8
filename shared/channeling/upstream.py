"""The door to model providers: one HTTP request out, a streamed response back.

`UpstreamClient` is the protocol that the pipeline is written against; `HttpUpstream` is it over `channeling.http1`.
Every failure of the transport is UpstreamFailed; UpstreamUnreachable when no upstream can have seen the request.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from channeling.base_url import is_forbidden_peer
from channeling.errors import UpstreamFailed
from channeling.http1.client import HttpClient, HttpResponse
from channeling.http1.errors import (
    BodyUndecodable,
    ConnectFailed,
    HttpError,
    NotSent,
    PeerRefused,
    ReadTimedOut,
    RequestForbidden,
    ResponseMalformed,
    SendTimedOut,
    TooManyConnections,
    UnknownEncoding,
    UrlUnusable,
)
from channeling.http1.request_head import Origin

OVERLOADED_STATUS = 529
MAX_RETRIES = 2
MAX_RETRY_DELAY_S = 2.0
_FIRST_RETRY_DELAY_S = 0.25
# Three providers, and the servers that projects name.
_MOST_CONNECTED_AHEAD = 1_000


class UpstreamUnreachable(UpstreamFailed):
    """The request never left this machine, so that nothing can have been billed."""


class UpstreamRequest(Struct, frozen=True):
    """One request to a provider; header values are Latin-1 text."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes


class UpstreamResponse(Protocol):
    """A provider's answer, whose body has not been read yet; whoever gets one must close it."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers by lower-case name, repeated ones joined with a comma."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, its content-encoding undone; raise UpstreamFailed. May be read once."""

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else close it. May be called twice."""


class UpstreamClient(Protocol):
    """Sends requests to providers."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Return the response once its headers are here; raise UpstreamFailed. Cancelling closes the connection."""

    async def aclose(self) -> None:
        """Close every connection."""


async def read_body(response: UpstreamResponse, *, max_bytes: int = 64 * 1024 * 1024) -> bytes:
    """Return the whole body of a response; raise UpstreamFailed when it breaks off or is over `max_bytes`."""
    body = bytearray()
    async for chunk in response.chunks():
        body += chunk
        if len(body) > max_bytes:
            raise UpstreamFailed(f"the upstream provider's answer is over {max_bytes} bytes")
    return bytes(body)


class HttpUpstream:
    """`UpstreamClient` over one shared `HttpClient`.

    No read timeout: answers may be silent for minutes, and the caller's deadline guards them. Redirects are not
    followed (a credential is on board), no cookie is kept (one client serves every user of every project), and
    the environment is not read: it could bring a proxy, or through ~/.netrc an Authorization header of somebody
    else's.

    With `trusted_hosts` (as in a URL, port included), connections to any other host are refused where they lead to
    this machine or its metadata service, whatever its name said a moment before; None trusts every host.
    """

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        max_connections: int = 1000,
        connect_timeout_s: float = 5.0,
        trusted_hosts: Collection[str] | None = None,
    ) -> None:
        self._sleep = sleep
        self._called: set[Origin] = set()
        self._connecting: dict[Origin, asyncio.Task[None]] = {}
        self._client = HttpClient(
            max_connections=max_connections,
            connect_timeout_s=connect_timeout_s,
            refuse_peer=None if trusted_hosts is None else _forbidden_but(frozenset(trusted_hosts)),
        )

    async def send(self, request: UpstreamRequest) -> "UpstreamHttpResponse":
        """Send, trying again at most twice when nothing was connected or the provider says 529."""
        if self._connecting:
            await self._connected_ahead(request.url)
        for retries_left in range(MAX_RETRIES, -1, -1):
            delay_s = _FIRST_RETRY_DELAY_S * 2 ** (MAX_RETRIES - retries_left)
            try:
                response = await self._client.send(request.method, request.url, request.headers, request.body)
            except HttpError as error:
                if not retries_left or not isinstance(error, ConnectFailed):
                    raise failure_of(error) from error
            else:
                if response.status != OVERLOADED_STATUS or not retries_left:
                    return UpstreamHttpResponse(response)
                delay_s = retry_delay_s(response.headers, default_s=delay_s)
                await response.aclose()
            await self._sleep(delay_s)
        raise AssertionError("unreachable: the last try returns or raises")

    def connect_ahead(self, url: str) -> None:
        """Begin to connect to a server that this process has not called yet, for a request that is to be sent soon.

        What fails here fails there again, and says why.
        """
        try:
            origin = self._client.origin_of(url)
        except UrlUnusable:
            return
        if origin not in self._called and len(self._called) < _MOST_CONNECTED_AHEAD:
            self._called.add(origin)
            self._connecting[origin] = asyncio.get_running_loop().create_task(self._connect(origin, url))

    async def _connect(self, origin: Origin, url: str) -> None:
        try:
            await self._client.connect(url)
        except HttpError:
            pass  # `send` will say so
        finally:
            self._connecting.pop(origin, None)

    async def _connected_ahead(self, url: str) -> None:
        try:
            connecting = self._connecting.get(self._client.origin_of(url))
        except UrlUnusable:
            return
        if connecting is not None:
            await asyncio.wait({connecting})

    def drop_connections(self) -> None:
        """Close every connection, to go on with new ones: after the process was frozen, say."""
        self._called.clear()
        self._client.drop_connections()

    async def aclose(self) -> None:
        """Close every connection."""
        if connecting := set(self._connecting.values()):
            for one in connecting:
                one.cancel()
            await asyncio.wait(connecting)
        await self._client.aclose()


class UpstreamHttpResponse:
    """`UpstreamResponse` over a response of `HttpClient`."""

    def __init__(self, response: HttpResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = response.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, gzip and deflate undone (some upstreams compress though asked not to)."""
        try:
            async for chunk in self._response.chunks():
                yield chunk
        except HttpError as error:
            raise failure_of(error) from error

    @property
    def reads_directly(self) -> bool:
        """Whether `next_bytes` may be used in the place of `chunks`: there is no content-encoding to undo."""
        return not self._response.is_encoded

    async def next_bytes(self) -> bytes:
        """Return what has come of the body since the last time, b"" at its end; raise UpstreamFailed, and
        Interrupted where `interrupt` ends the wait: then it may be asked again, and has lost nothing."""
        try:
            return await self._response.next_bytes()
        except HttpError as error:
            raise failure_of(error) from error

    def interrupt(self) -> None:
        """End the wait that `next_bytes` is in, if any."""
        self._response.interrupt()

    def take_unread(self) -> bytes:
        """Return what had come and was not read, without waiting; also after `aclose`."""
        return self._response.take_unread()

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        await self._response.aclose()


def _forbidden_but(trusted_hosts: frozenset[str]) -> Callable[[str, str], bool]:
    def is_refused(netloc: str, address: str) -> bool:
        return netloc not in trusted_hosts and is_forbidden_peer(address)

    return is_refused


def retry_delay_s(headers: Mapping[str, str], *, default_s: float) -> float:
    """Return the seconds before a retry: `retry-after` when it is a number, at most MAX_RETRY_DELAY_S."""
    try:
        asked_s = float(headers.get("retry-after", default_s))
    except ValueError:
        return default_s
    return min(asked_s, MAX_RETRY_DELAY_S) if asked_s >= 0 else default_s


def failure_of(error: HttpError) -> UpstreamFailed:
    """Return what a failed request is to a caller of the gateway, in plain words without addresses."""
    match error:
        case ConnectFailed():
            return UpstreamUnreachable("the upstream provider could not be reached")
        case TooManyConnections():
            return UpstreamUnreachable("too many requests to the upstream provider are under way")
        case UrlUnusable():
            return UpstreamUnreachable("the upstream provider's address is not a usable URL")
        case RequestForbidden():
            return UpstreamUnreachable("the request holds a header that HTTP does not allow")
        case PeerRefused():
            return UpstreamUnreachable(
                "the upstream provider's address is one that the gateway does not call"
            )
        case NotSent():
            return UpstreamUnreachable("the request was not sent: the gateway is being stopped")
        case SendTimedOut() | ReadTimedOut():
            return UpstreamFailed("the upstream provider did not take the request in time")
        case UnknownEncoding():
            return UpstreamFailed(
                f"the upstream provider answered in the unknown encoding {error.encoding!r}"
            )
        case BodyUndecodable():
            return UpstreamFailed("the upstream provider's answer could not be decompressed")
        case ResponseMalformed():
            return UpstreamFailed("the upstream provider's answer is not HTTP")
    return UpstreamFailed("the upstream provider broke the connection off")
