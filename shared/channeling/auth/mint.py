"""New tokens and new HMAC secrets, in the shape that `chucky-sdk` 0.2.0 gives them (`chucky/utils.py`)."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from channeling.auth.budget_claim import LAST_S
from channeling.auth.jws import encode_signed
from channeling.auth.token import verify_token
from channeling.errors import AuthenticationFailed
from channeling.window_kind import WindowKind

_SECRET_PREFIX = "hk_live_"  # noqa: S105 - the public prefix of secrets
_SECRET_BYTES = 16


def mint_token(
    *,
    user_id: str,
    project_id: str,
    secret: str,
    limit_microusd: int,
    window: WindowKind,
    window_start_s: int,
    now_s: float,
    lifetime_s: int = 3_600,
    models: Sequence[str] | None = None,
) -> str:
    """Return a token that is valid for `lifetime_s` from now; `models` limits it to names or `prefix*`.

    Raises ValueError for what `verify_token` would refuse, in its words.
    """
    if not secret:
        raise ValueError("The HMAC secret is empty.")
    if lifetime_s < 1:
        raise ValueError("The token's lifetime must be at least one second.")
    if not 0 <= window_start_s <= LAST_S:
        raise ValueError("The window's start must be a time from 1970 to 9999, in seconds since 1970.")
    issued_at_s = int(now_s)
    claims: dict[str, Any] = {
        "sub": user_id,
        "iss": project_id,
        "iat": issued_at_s,
        "exp": issued_at_s + lifetime_s,
        "budget": {
            "ai": limit_microusd,
            "compute": 0,
            "window": window,
            "windowStart": datetime.fromtimestamp(window_start_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    }
    if models is not None:
        claims["models"] = list(models)
    token = encode_signed(claims, secret)
    try:
        verify_token(token, [secret], now_s=issued_at_s)
    except AuthenticationFailed as refusal:
        raise ValueError(refusal.message) from refusal
    return token


def new_hmac_secret(randomness: Callable[[int], bytes]) -> str:
    """Return a new secret, `hk_live_` and 32 hex digits; `randomness` is such as `secrets.token_bytes`.

    Raises ValueError when fewer random bytes come back than were asked for.
    """
    drawn = randomness(_SECRET_BYTES)
    if len(drawn) != _SECRET_BYTES:
        raise ValueError(f"asked for {_SECRET_BYTES} random bytes, got {len(drawn)}")
    return _SECRET_PREFIX + drawn.hex()
