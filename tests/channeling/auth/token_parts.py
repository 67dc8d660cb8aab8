"""Tokens put together part by part, so that a test can spoil exactly one."""

import base64
import hashlib
import hmac
import json
from typing import Any

NOW_S = 1_790_000_000.5
PROJECT_ID = "proj_1"
SECRET = "hk_live_0123456789abcdef0123456789abcdef"
OTHER_SECRET = "hk_live_ffffffffffffffffffffffffffffffff"
HEADER = {"alg": "HS256", "typ": "JWT"}


def good_budget(**changes: Any) -> dict[str, Any]:
    """Return a budget claim of $5 a day with these fields changed; None takes a field out."""
    return _changed(
        {"ai": 5_000_000, "compute": 3600, "window": "day", "windowStart": "2026-09-01T00:00:00Z"}, changes
    )


def good_claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a token that is valid at NOW_S, with these changed; None takes a claim out."""
    claims = {
        "sub": "user-123",
        "iss": PROJECT_ID,
        "iat": 1_790_000_000,
        "exp": 1_790_003_600,
        "budget": good_budget(),
    }
    return _changed(claims, changes)


def sign(claims: Any, *, secret: str = SECRET, header: Any = HEADER, digest: Any = hashlib.sha256) -> str:
    """Return a token of any header and payload: objects are made JSON, bytes and text are taken as they are."""
    signing_input = f"{base64url(header)}.{base64url(claims)}"
    signature = hmac.new(secret.encode(), signing_input.encode(), digest).digest()
    return f"{signing_input}.{base64url(signature)}"


def base64url(part: Any) -> str:
    """Return the unpadded base64url of bytes, of text, or of the JSON of anything else."""
    if isinstance(part, str):
        part = part.encode()
    if not isinstance(part, bytes):
        part = json.dumps(part).encode()
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode("ascii")


def _changed(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}
