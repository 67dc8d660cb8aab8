"""HS256 JSON Web Signatures in compact form: taken apart, checked against a secret, and made.

Source: RFC 7515 §3.1 (compact serialization), §4.1.11 (`crit`), §10.7 (algorithm protection), and RFC 7518
§3.2 (HS256). The standard library has all that HS256 needs, and `import jwt` brings in `cryptography`
wherever that is installed (PyJWT 2.15.1, `jwt/algorithms.py`): 100 ms. A test holds PyJWT against this.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from channeling.errors import AuthenticationFailed

MAX_TOKEN_BYTES = 8_192
_BASE64URL = re.compile(rb"[A-Za-z0-9_-]*")


class UnverifiedToken(Struct, frozen=True):
    """A token taken apart; nothing in it is known to be true before `is_signed_with` says so."""

    claims: Mapping[str, Any]
    signing_input: bytes
    signature: bytes

    def is_signed_with(self, secret: str) -> bool:
        """Tell whether this secret made the signature; an empty secret signs nothing."""
        return bool(secret) and hmac.compare_digest(_signature(self.signing_input, secret), self.signature)


def decode_unverified(token: str) -> UnverifiedToken:
    """Take a token of at most 8 KB apart, without any claim about who made it.

    Raises AuthenticationFailed for a wrong shape and for any algorithm but HS256.
    """
    try:
        raw = token.encode("ascii")
    except UnicodeEncodeError:
        raise AuthenticationFailed("The token is malformed: it holds characters that no token has.") from None
    if len(raw) > MAX_TOKEN_BYTES:
        raise AuthenticationFailed("The token is larger than 8 KB.")
    parts = raw.split(b".")
    if len(parts) != 3:
        raise AuthenticationFailed("The token is malformed: it is not three dot-separated parts.")
    header = _json_object(parts[0], "header")
    if header.get("alg") != "HS256":
        raise AuthenticationFailed("The token's header must name the algorithm HS256; no other is accepted.")
    if "crit" in header:
        raise AuthenticationFailed("The token's header asks for extensions (crit); none is supported.")
    return UnverifiedToken(_json_object(parts[1], "payload"), parts[0] + b"." + parts[1], parts[2])


def encode_signed(claims: Mapping[str, Any], secret: str) -> str:
    """Return the compact HS256 token of these claims."""
    header = _base64url(json.dumps({"alg": "HS256", "typ": "JWT"}, separators=(",", ":")).encode())
    payload = _base64url(json.dumps(claims, separators=(",", ":"), allow_nan=False).encode())
    signing_input = header + b"." + payload
    return (signing_input + b"." + _signature(signing_input, secret)).decode("ascii")


def _signature(signing_input: bytes, secret: str) -> bytes:
    return _base64url(hmac.digest(secret.encode(), signing_input, hashlib.sha256))


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _json_object(part: bytes, name: str) -> dict[str, Any]:
    malformed = AuthenticationFailed(f"The token is malformed: its {name} is not base64url of a JSON object.")
    if not _BASE64URL.fullmatch(part) or len(part) % 4 == 1:
        raise malformed
    try:
        text = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)).decode("utf-8")
        # Two parsers must not disagree about a claim: no doubled names, no NaN.
        value = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise malformed from None
    if not isinstance(value, dict):
        raise malformed
    return value


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
