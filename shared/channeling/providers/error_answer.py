"""What a client sees of a provider's error answer: the answer itself, or ours in its place."""

import re
from collections.abc import Mapping

from msgspec import Struct

from channeling.errors import GatewayError, UpstreamFailed

ACCOUNT_REFUSED = "the upstream provider refused this project's credentials or account"

_LONGEST_ORIGINAL = 2_000
_KEY = re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{8,}")
_DEFAULT_RETRY_AFTER_S = 2


class Relay(Struct, frozen=True):
    """The provider's error goes to the client as it came: status and body."""

    status: int
    body: bytes


class Replacement(Struct, frozen=True):
    """The client gets `error`; `original` is for the operator's log: no keys in it, at most 2,000 characters."""

    error: GatewayError
    original: str


def account_refused() -> UpstreamFailed:
    """Return the error of a call that the project's key or account could not make: no caller can mend it."""
    return UpstreamFailed(ACCOUNT_REFUSED, headers={"x-should-retry": "false"})


def without_keys(text: str) -> str:
    """Return the text with everything that looks like a provider's key masked."""
    return _KEY.sub("[key]", text)


def original_answer(status: int, body: bytes) -> str:
    """Return `Replacement.original` of an answer."""
    return f"{status} {without_keys(body.decode('utf-8', 'replace'))}"[:_LONGEST_ORIGINAL]


def retry_after_s(headers: Mapping[str, str]) -> int:
    """Return the seconds that `retry-after` asks for, or a short default; header names are lower-case."""
    asked = headers.get("retry-after", "")
    return int(asked) if asked.isascii() and asked.isdigit() else _DEFAULT_RETRY_AFTER_S
