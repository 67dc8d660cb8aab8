"""Where a request goes, and its head as bytes. Pure."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from channeling.http1.errors import RequestForbidden, UrlUnusable

# HEAD's answer has no body whatever its headers say, which the parser cannot be told; nothing here asks for it.
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
DEFAULT_HEADERS = (("accept", "*/*"), ("accept-encoding", "identity"), ("user-agent", "channeling"))
_DEFAULT_PORTS = {"http": 80, "https": 443}
# The framing is the client's own; the others would change what the connection is.
_NOT_THE_CALLERS = frozenset(
    {"transfer-encoding", "connection", "upgrade", "expect", "te", "trailer", "keep-alive"}
)
_LOOKED_AT = _NOT_THE_CALLERS | {"host", "content-length"}
# RFC 9110, sections 5.1 and 5.5: a token, a colon, anything but line ends and NUL.
_NAMES = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]++(?:\n[!#$%&'*+\-.^_`|~0-9a-z]++)*+")
_TARGET = re.compile(r"[!-~]*+")


class Origin(NamedTuple):
    """A server that connections are kept to. `netloc` is its name as in the URL, port included."""

    scheme: str
    host: str
    port: int
    netloc: str

    @property
    def uses_tls(self) -> bool:
        """Whether it is called by https."""
        return self.scheme == "https"


def split_url(url: str) -> tuple[Origin, str]:
    """Return the origin of a URL and the target to ask there for; raise UrlUnusable.

    Names in other scripts are refused: whoever configures one writes it as it stands in DNS (`xn--…`).
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UrlUnusable("the address is not a URL") from None
    if parts.scheme not in _DEFAULT_PORTS or not host or port == 0:
        raise UrlUnusable("the address is no http:// or https:// URL with a host")
    if "@" in parts.netloc:
        raise UrlUnusable("the address has credentials in it")
    if not _TARGET.fullmatch(url) or "\\" in parts.netloc:
        raise UrlUnusable("the address holds characters that a URL does not have")
    return Origin(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], parts.netloc), _target(parts)


def request_head(
    method: str, target: str, netloc: str, headers: Sequence[tuple[str, str]], body_bytes: int
) -> bytes:
    """Return the head of a request, its length and host in it once; raise RequestForbidden.

    Values are Latin-1 text, as in ASGI. A `host` given instead of the URL's is used.
    """
    if method not in METHODS:
        raise RequestForbidden(f"the method is none of {', '.join(sorted(METHODS))}")
    host, names = netloc, _seen(tuple([name for name, _ in headers]))
    if names.are_plain:
        sent = [f"{name}: {value}\r\n" for name, value in headers]
    else:
        host, sent = _looked_at(headers, host, body_bytes)
    sent += names.defaults
    if body_bytes or method != "GET":
        sent.append(f"content-length: {body_bytes}\r\n")
    try:
        fields = f"host: {host}\r\n{''.join(sent)}".encode("latin-1")
    except UnicodeEncodeError:
        raise RequestForbidden("a header holds characters beyond Latin-1") from None
    # One look for all: a line end inside a name or a value would make one more than there are lines.
    lines = len(sent) + 1
    if (
        fields.count(b"\n") != lines
        or fields.count(b"\r") != lines
        or b"\0" in fields
        or not names.are_tokens
    ):
        raise RequestForbidden("a header's name or value holds characters that HTTP does not allow")
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method.encode(), target.encode(), fields)


class _Names(NamedTuple):
    are_plain: bool
    are_tokens: bool
    defaults: list[str]


@lru_cache(maxsize=256)
def _seen(names: tuple[str, ...]) -> _Names:
    """Look at the names of a request's headers once: there are a few sets of them, and they come again."""
    lower = {name.lower() for name in names}
    return _Names(
        are_plain=lower.isdisjoint(_LOOKED_AT),
        are_tokens=not lower or _NAMES.fullmatch("\n".join(lower)) is not None,
        defaults=[f"{name}: {value}\r\n" for name, value in DEFAULT_HEADERS if name not in lower],
    )


def _looked_at(headers: Sequence[tuple[str, str]], host: str, body_bytes: int) -> tuple[str, list[str]]:
    """Return the host and the other fields of headers that some say of the framing, or of the host."""
    sent = []
    for name, value in headers:
        lower = name.lower()
        if lower == "host":
            host = value
        elif lower == "content-length":
            if value != str(body_bytes):
                raise RequestForbidden("content-length is not the length of the body")
        elif lower in _NOT_THE_CALLERS:
            raise RequestForbidden(f"the header {lower} is the client's own")
        else:
            sent.append(f"{name}: {value}\r\n")
    return host, sent


def _target(parts: SplitResult) -> str:
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path
