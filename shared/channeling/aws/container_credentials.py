"""Credentials from the endpoint that AWS puts beside a container, or beside a function under SnapStart.

    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI | AWS_CONTAINER_CREDENTIALS_FULL_URI
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE | AWS_CONTAINER_AUTHORIZATION_TOKEN      sent as Authorization

Source: AWS SDKs and Tools Reference Guide, "Container credential provider".
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from ipaddress import ip_address
from math import inf
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from channeling.aws.credentials import Credentials
from channeling.aws.errors import AwsConfigurationError, CredentialsUnavailable
from channeling.aws.transport import Transport
from channeling.clock import Clock
from channeling.http1.errors import HttpError

_RELATIVE = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
_FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105 - the name of a variable
_TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105 - the name of a variable
_ECS_HOST = "169.254.170.2"
# Over plain HTTP the token goes to these and to loopback addresses only (ECS, EKS, EKS over IPv6).
_PLAIN_HTTP_HOSTS = frozenset({_ECS_HOST, "169.254.170.23", "fd00:ec2::23", "localhost"})

# New ones are asked for in the last quarter of an hour, or of half the life where that is shorter.
_AHEAD_S = 900.0
_ATTEMPTS = 3
_TIMEOUT_S = 2.0
_PAUSES_S = (0.1, 0.3)
# Between two refreshes in the background where the first has brought nothing newer.
_REST_S = 10.0
_MAX_ANSWER_BYTES = 64 * 1024

_log = logging.getLogger(__name__)


class ContainerCredentials:
    """`CredentialsSource` of an endpoint: cached, and replaced in the background before they expire.

    However many ask, one request for new ones is under way at a time. Where that fails, those there are serve until
    they expire. Belongs to one event loop, as its transport does.
    """

    def __init__(
        self,
        url: str,
        authorization: Callable[[], str | None],
        transport: Transport,
        clock: Clock,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = url
        self._authorization = authorization
        self._transport = transport
        self._clock = clock
        self._sleep = sleep
        self._kept: Credentials | None = None
        self._refresh_s = 0.0
        self._refreshing: asyncio.Task[Credentials] | None = None

    async def current(self) -> Credentials:
        kept = self._kept
        if kept is not None:
            now_s = self._clock.now_ms() / 1000
            if kept.expires_s is None or now_s < kept.expires_s:
                if now_s >= self._refresh_s:
                    self._refresh()
                return kept
        # Shielded: whoever asked first may be cancelled, and others wait for the same answer.
        return await asyncio.shield(self._refresh())

    def refused(self, credentials: Credentials) -> None:
        if self._kept is credentials:
            self._kept = None

    def reset(self) -> None:
        self._kept = None
        if self._refreshing is not None:
            self._refreshing.cancel()
            self._refreshing = None

    async def aclose(self) -> None:
        refreshing, self._refreshing = self._refreshing, None
        if refreshing is not None:
            refreshing.cancel()
            await asyncio.wait([refreshing])
        await self._transport.aclose()

    def _refresh(self) -> "asyncio.Task[Credentials]":
        """Return the one refresh that is under way, started if there is none."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.get_running_loop().create_task(self._fetch())
            self._refreshing.add_done_callback(self._noted)
        return self._refreshing

    def _noted(self, refresh: "asyncio.Task[Credentials]") -> None:
        if refresh.cancelled():
            return
        error = refresh.exception()
        if error is not None:
            _log.warning("credentials were not fetched", extra={"fields": {"reason": str(error)}})

    async def _fetch(self) -> Credentials:
        now_s = self._clock.now_ms() / 1000
        self._refresh_s = now_s + _REST_S
        fetched = await self._fetch_patiently()
        if fetched == self._kept:
            return self._kept  # the same ones again: those keep their signing key
        self._kept = fetched
        self._refresh_s = inf
        if fetched.expires_s is not None:
            self._refresh_s = fetched.expires_s - min(_AHEAD_S, (fetched.expires_s - now_s) / 2)
        return fetched

    async def _fetch_patiently(self) -> Credentials:
        for pause_s in _PAUSES_S:
            with suppress(CredentialsUnavailable):
                return await self._fetch_once()
            await self._sleep(pause_s)
        return await self._fetch_once()

    async def _fetch_once(self) -> Credentials:
        headers = [("accept", "application/json")]
        authorization = self._authorization()
        if authorization is not None:
            headers.append(("authorization", authorization))
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                response = await self._transport.send(
                    "GET", self._url, headers, b"", read_timeout_s=_TIMEOUT_S
                )
                try:
                    content = await response.read(max_bytes=_MAX_ANSWER_BYTES)
                finally:
                    await response.aclose()
        except (HttpError, TimeoutError) as error:
            raise CredentialsUnavailable(
                f"the endpoint for credentials did not answer: {type(error).__name__}"
            ) from error
        if response.status != 200:
            raise CredentialsUnavailable(f"the endpoint for credentials answered {response.status}")
        fetched = _credentials_of(content)
        if fetched.expires_s is not None and fetched.expires_s <= self._clock.now_ms() / 1000:
            raise CredentialsUnavailable("the endpoint for credentials answered with expired ones")
        return fetched


def container_url(environ: Mapping[str, str]) -> str | None:
    """Return the address of the endpoint that the environment names, or None; raise AwsConfigurationError for one
    that the token must not be sent to."""
    relative = environ.get(_RELATIVE, "").strip()
    if relative:
        if not relative.startswith("/") or not _is_plain(relative):
            raise AwsConfigurationError(f"{_RELATIVE} must be a path that begins with /")
        return f"http://{_ECS_HOST}{relative}"
    url = environ.get(_FULL, "").strip()
    if not url:
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # refuses what is no port
    except ValueError:
        host = ""
    if not host or not _is_plain(url) or "@" in parts.netloc or parts.fragment:
        raise AwsConfigurationError(f"{_FULL} is not a URL")
    if parts.scheme != "https" and not (parts.scheme == "http" and _takes_plain_http(host)):
        raise AwsConfigurationError(
            f"{_FULL} must be https, or http on a loopback address or one of {', '.join(sorted(_PLAIN_HTTP_HOSTS))}"
        )
    return url


def container_authorization(environ: Mapping[str, str]) -> Callable[[], str | None]:
    """Return what reads the Authorization header for each request: a file is read anew, since it is rotated.

    What is returned raises CredentialsUnavailable for a file that cannot be read or a token that is no header.
    """

    def read() -> str | None:
        path, token = environ.get(_TOKEN_FILE, "").strip(), environ.get(_TOKEN)
        if path:
            try:
                token = Path(path).read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise CredentialsUnavailable(f"{_TOKEN_FILE} cannot be read") from error
        if not token:
            return None
        if not _is_plain(token, also=" "):
            raise CredentialsUnavailable(f"{_TOKEN_FILE if path else _TOKEN} is no value for a header")
        return token

    return read


def _is_plain(text: str, *, also: str = "") -> bool:
    return all("!" <= character <= "~" or character in also for character in text)


def _takes_plain_http(host: str) -> bool:
    if host in _PLAIN_HTTP_HOSTS:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _credentials_of(content: bytes) -> Credentials:
    """Return the credentials of an answer; raise CredentialsUnavailable, which quotes none of it."""
    try:
        answer = orjson.loads(content)
        key_id, secret = answer["AccessKeyId"], answer["SecretAccessKey"]
        token, expiration = answer.get("Token"), answer.get("Expiration")
        texts = [text for text in (key_id, secret, token) if text is not None]
        if not all(isinstance(text, str) and text and _is_plain(text) for text in texts) or len(texts) < 2:
            raise ValueError("a member is no text")
        expires_s = None if expiration is None else _seconds(expiration)
    except (orjson.JSONDecodeError, ValueError, KeyError, TypeError, AttributeError):
        raise CredentialsUnavailable("the endpoint for credentials answered with something else") from None
    return Credentials(key_id, secret, token, expires_s)


def _seconds(time: str) -> float:
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment.timestamp()
