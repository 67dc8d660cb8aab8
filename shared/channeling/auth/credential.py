"""The token among a request's headers, whichever of the two headers a client uses.

Source: `anthropic` 2.12.0, `_client.py`, sends keys as `Authorization: Bearer`, older ones as `X-Api-Key`;
tools that hold both a key and a token send both headers.
"""

from collections.abc import Iterable

from channeling.auth.jws import MAX_TOKEN_BYTES
from channeling.errors import AuthenticationFailed

_NAMES = frozenset({b"x-api-key", b"authorization"})
_WHERE = "Put your Channeling token in the x-api-key header, or in Authorization: Bearer."


def credential_from_headers(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the one token in the raw ASGI headers, whose names may be in any case and may repeat.

    A value that is not shaped like a token, such as a provider's key that a tool sends along, is ignored
    beside one that is. Raises AuthenticationFailed when there is no token, when two differ, or above 8 KB.
    """
    values = [
        value
        for name, raw in headers
        if (lower := name.lower()) in _NAMES and (value := _candidate(lower, raw.strip()))
    ]
    tokens = {value for value in values if value.count(b".") == 2}
    if len(tokens) > 1:
        raise AuthenticationFailed("The request carries two different tokens: send one.")
    if not tokens:
        raise AuthenticationFailed(_no_token_message(values))
    token = tokens.pop()
    if len(token) > MAX_TOKEN_BYTES:
        raise AuthenticationFailed("The token is larger than 8 KB.")
    try:
        return token.decode("ascii")
    except UnicodeDecodeError:
        raise AuthenticationFailed("The token is malformed: it holds characters that no token has.") from None


def _candidate(name: bytes, value: bytes) -> bytes:
    if name == b"x-api-key":
        return value
    scheme, _, credential = value.partition(b" ")
    return credential.strip() if scheme.lower() == b"bearer" else b""


def _no_token_message(values: list[bytes]) -> str:
    """The values themselves are never repeated: they may be secrets."""
    if any(value.startswith(b"hk_") for value in values):
        return f"This is a project's HMAC secret: keep it on your server and mint a token with it. {_WHERE}"
    if any(value.startswith(b"sk-ant-") for value in values):
        return f"This is an Anthropic API key; your Channeling token goes here in its place. {_WHERE}"
    if any(value.startswith(b"sk-") for value in values):
        return f"This is a provider's API key; your Channeling token goes here in its place. {_WHERE}"
    if values:
        return f"This is not a token: a token is three parts with dots between. {_WHERE}"
    return f"The request carries no token. {_WHERE}"
