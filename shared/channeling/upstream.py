"""The door to model providers: one HTTP request out, a streamed response back.

`UpstreamClient` is the protocol that the pipeline is written against; `HttpxUpstream` is it over httpx.
Every failure of the transport is UpstreamFailed; UpstreamUnreachable when no upstream can have seen the request.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Protocol
from urllib.parse import urlsplit

from channeling.base_url import is_forbidden_peer
from channeling.errors import UpstreamFailed

# Where rich and click are installed, httpx imports them for its own command line: 45 ms of every start, for
# something not used here. An entry of None stops that import, and httpx goes on without (`httpx/__init__.py`).
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None is how Python spells it

import httpx  # noqa: E402  # after the line above

OVERLOADED_STATUS = 529
MAX_RETRIES = 2
MAX_RETRY_DELAY_S = 2.0
_FIRST_RETRY_DELAY_S = 0.25
_DECODED_ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})


class UpstreamUnreachable(UpstreamFailed):
    """The request never left this machine, so that nothing can have been billed."""


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
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


class HttpxUpstream:
    """`UpstreamClient` over one shared httpx client.

    No read timeout: answers may be silent for minutes, and the caller's deadline guards them. Redirects are not
    followed (a credential is on board). The environment is not read (`trust_env`): it could bring a proxy, or
    through ~/.netrc an Authorization header of somebody else's; a proxy is the `proxy` argument.

    With `trusted_hosts` (as in a URL, port included), connections to any other host are refused where they lead to
    this machine or its metadata service, whatever its name said a moment before; None trusts every host.
    """

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        proxy: str | None = None,
        max_connections: int = 1000,
        connect_timeout_s: float = 5.0,
        trusted_hosts: Collection[str] | None = None,
    ) -> None:
        self._sleep = sleep
        self._trusted_hosts = None if trusted_hosts is None else frozenset(trusted_hosts)
        self._client = httpx.AsyncClient(
            trust_env=False,
            # One client serves every user of every project: a cookie that one answer sets is nobody else's.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            follow_redirects=False,
            proxy=proxy,
            timeout=httpx.Timeout(connect=connect_timeout_s, read=None, write=60.0, pool=5.0),
            limits=httpx.Limits(
                max_connections=max_connections, max_keepalive_connections=100, keepalive_expiry=30.0
            ),
        )

    async def send(self, request: UpstreamRequest) -> "HttpxResponse":
        """Send, trying again at most twice when nothing was connected or the provider says 529."""
        for retries_left in range(MAX_RETRIES, -1, -1):
            delay_s = _FIRST_RETRY_DELAY_S * 2 ** (MAX_RETRIES - retries_left)
            try:
                response = await self._send_once(request)
            except UpstreamUnreachable as error:
                if not retries_left or not isinstance(
                    error.__cause__, httpx.ConnectError | httpx.ConnectTimeout
                ):
                    raise
            else:
                if response.status != OVERLOADED_STATUS or not retries_left:
                    return response
                delay_s = retry_delay_s(response.headers, default_s=delay_s)
                await response.aclose()
            await self._sleep(delay_s)
        raise AssertionError("unreachable: the last try returns or raises")

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _send_once(self, request: UpstreamRequest) -> "HttpxResponse":
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
        is_trusted = self._trusted_hosts is None or urlsplit(request.url).netloc in self._trusted_hosts
        try:
            outgoing = self._client.build_request(
                request.method,
                request.url,
                headers=headers,
                content=request.body,
                extensions={} if is_trusted else {"trace": _refuse_forbidden_peer},
            )
            return HttpxResponse(await self._client.send(outgoing, stream=True))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict) as error:
            raise failure_of(error) from error


class HttpxResponse:
    """`UpstreamResponse` over an httpx response."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, gzip and deflate undone (some upstreams compress though asked not to)."""
        encoding = self.headers.get("content-encoding", "").strip().lower()
        if encoding not in _DECODED_ENCODINGS:
            raise UpstreamFailed(f"the upstream provider answered in the unknown encoding {encoding!r}")
        try:
            async for chunk in self._response.aiter_bytes():
                if chunk:
                    yield chunk
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise failure_of(error) from error

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        await self._response.aclose()


async def _refuse_forbidden_peer(event: str, info: Mapping[str, Any]) -> None:
    """Look at whom a new connection has reached, before anything is sent over it.

    An extension of httpx ("trace", python-httpx.org/advanced/extensions), called at each step of httpcore.
    """
    if event != "connection.connect_tcp.complete":
        return
    stream = info["return_value"]
    if is_forbidden_peer(str(stream.get_extra_info("server_addr")[0])):
        await stream.aclose()
        raise UpstreamUnreachable("the upstream provider's address is one that the gateway does not call")


def retry_delay_s(headers: Mapping[str, str], *, default_s: float) -> float:
    """Return the seconds before a retry: `retry-after` when it is a number, at most MAX_RETRY_DELAY_S."""
    try:
        asked_s = float(headers.get("retry-after", default_s))
    except ValueError:
        return default_s
    return min(asked_s, MAX_RETRY_DELAY_S) if asked_s >= 0 else default_s


def failure_of(error: Exception) -> UpstreamFailed:
    """Return what an exception of httpx is to a caller of the gateway, in plain words without addresses."""
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError():
            return UpstreamUnreachable("the upstream provider could not be reached")
        case httpx.PoolTimeout():
            return UpstreamUnreachable("too many requests to the upstream provider are under way")
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return UpstreamUnreachable("the upstream provider's address is not a usable URL")
        case httpx.LocalProtocolError():
            return UpstreamUnreachable("the request holds a header that HTTP does not allow")
        case httpx.TimeoutException():
            return UpstreamFailed("the upstream provider did not take the request in time")
        case httpx.RemoteProtocolError() | httpx.NetworkError():
            return UpstreamFailed("the upstream provider broke the connection off")
        case httpx.DecodingError():
            return UpstreamFailed("the upstream provider's answer could not be decompressed")
    return UpstreamFailed("the request to the upstream provider failed")
