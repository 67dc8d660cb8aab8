"""An operator's token: an HS256 JWT of this deployment's own secret, for the admin API alone.

It names an audience, which users' tokens must not (RFC 7519 §4.1.3), and is signed with another secret: neither
kind is ever taken for the other.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any, Literal, cast, get_args

from msgspec import Struct

from channeling.auth.jws import decode_unverified, encode_signed
from channeling.auth.token import MAX_CLOCK_AHEAD_S, is_project_id
from channeling.errors import AuthenticationFailed

AUDIENCE = "channeling-admin"
MAX_LIFETIME_S = 12 * 3_600
MIN_SECRET_CHARACTERS = 32
MAX_NAME_CHARACTERS = 100  # as the actor of an order

Role = Literal["viewer", "operator"]


class AdminClaims(Struct, frozen=True):
    """Who a verified admin token is for; `project_id` None: all projects. A viewer changes nothing."""

    name: str
    role: Role
    project_id: str | None
    expires_at_s: int


def mint_admin_token(
    *,
    name: str,
    secret: str,
    now_s: float,
    role: Role = "operator",
    project_id: str | None = None,
    lifetime_s: int = MAX_LIFETIME_S,
) -> str:
    """Return a token for an operator, valid from now on; raise ValueError for what would be refused."""
    if not 1 <= lifetime_s <= MAX_LIFETIME_S:
        raise ValueError(f"An admin token lives 1 second to {MAX_LIFETIME_S // 3_600} hours.")
    issued_at_s = int(now_s)
    claims: dict[str, Any] = {
        "sub": name,
        "aud": AUDIENCE,
        "iat": issued_at_s,
        "exp": issued_at_s + lifetime_s,
        "role": role,
    }
    if project_id is not None:
        claims["project"] = project_id
    token = encode_signed(claims, secret)
    try:
        verify_admin_token(token, [secret], now_s=issued_at_s)
    except AuthenticationFailed as refusal:
        raise ValueError(refusal.message) from refusal
    return token


def verify_admin_token(token: str, secrets: Sequence[str], *, now_s: float) -> AdminClaims:
    """Return the claims of a token that one of the secrets signed and that is valid now.

    No claim is looked at before the signature is found good. Raises AuthenticationFailed.
    """
    unverified = decode_unverified(token)
    usable = [secret for secret in secrets if len(secret) >= MIN_SECRET_CHARACTERS]
    if not any(unverified.is_signed_with(secret) for secret in usable):
        raise AuthenticationFailed("This is no admin token of this deployment. Sign in with a new one.")
    claims = unverified.claims
    if claims.get("aud") != AUDIENCE:
        raise AuthenticationFailed(f"The token's aud must be {AUDIENCE}.")
    issued_at_s, expires_at_s = _seconds(claims.get("iat"), "iat"), _seconds(claims.get("exp"), "exp")
    if now_s >= expires_at_s:
        raise AuthenticationFailed("The admin token has expired. Sign in with a new one.")
    if issued_at_s > now_s + MAX_CLOCK_AHEAD_S:
        raise AuthenticationFailed(
            "The admin token was issued in the future: check the clock of who made it."
        )
    if expires_at_s - issued_at_s > MAX_LIFETIME_S:
        raise AuthenticationFailed("An admin token lives at most 12 hours.")
    if claims.get("role") not in get_args(Role):
        raise AuthenticationFailed("The token's role must be viewer or operator.")
    return AdminClaims(
        name=_name(claims.get("sub")),
        role=cast(Role, claims["role"]),
        project_id=_project_id(claims),
        expires_at_s=expires_at_s,
    )


def _seconds(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**40:
        raise AuthenticationFailed(f"The token's {name} must be whole seconds since 1970.")
    return value


def _name(value: Any) -> str:
    if (
        not isinstance(value, str)
        or not value.strip()
        or len(value) > MAX_NAME_CHARACTERS
        or any(unicodedata.category(character) in {"Cc", "Cs"} for character in value)
    ):
        raise AuthenticationFailed("The token's sub must be a name of 1 to 100 characters.")
    return value


def _project_id(claims: Any) -> str | None:
    if "project" not in claims:
        return None
    if not is_project_id(claims["project"]):
        raise AuthenticationFailed("The token's project must be a project id.")
    return str(claims["project"])
