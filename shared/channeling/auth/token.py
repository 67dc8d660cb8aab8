"""A user's token: an HS256 JWT that carries who they are, whose project, and what they may spend.

Source: `chucky-sdk` 0.2.0, `chucky/utils.py` (create_token), and RFC 7519 §4.1 for the registered claims.
"""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from channeling.auth.budget_claim import LAST_S, BudgetClaim, read_budget
from channeling.auth.jws import decode_unverified
from channeling.errors import AuthenticationFailed

MAX_CLOCK_AHEAD_S = 60
MAX_MODELS = 256
_MAX_USER_ID_CHARACTERS = (
    256  # and so at most 1,024 bytes of UTF-8, of the 2,048 that a DynamoDB key may have
)
_MAX_MODEL_CHARACTERS = 256
_PROJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class TokenClaims(Struct, frozen=True):
    """What a verified token says; `models` is None when any model may be used."""

    user_id: str
    project_id: str
    issued_at_ms: int
    expires_at_s: int
    budget: BudgetClaim
    models: tuple[str, ...] | None

    def allows(self, model: str) -> bool:
        """Tell whether the token may use the model, by the name it is asked for without a trailing `[1m]`
        (`Route.requested_model`): an exact name or a `prefix*` of the claim `models`."""
        if self.models is None:
            return True
        return any(
            model.startswith(allowed[:-1]) if allowed.endswith("*") else model == allowed
            for allowed in self.models
        )


def unknown_project_or_secret() -> AuthenticationFailed:
    """Return the one refusal for a wrong signature and for an unknown project, so that it tells neither."""
    return AuthenticationFailed(
        "The token was not signed with an active secret of the project that it names. "
        "Check its project id (iss) and the HMAC secret it was made with."
    )


def unverified_project_id(token: str) -> str:
    """Return the project that the token names, to look its secrets up; nothing is verified yet.

    Raises AuthenticationFailed when the token is malformed, not HS256, or its `iss` cannot be a project id.
    """
    return _read_project_id(decode_unverified(token).claims)


def verify_token(
    token: str,
    secrets: Sequence[str],
    *,
    now_s: float,
    max_ai_microusd: int | None = None,
) -> TokenClaims:
    """Return the claims of a token that one of the project's active secrets signed and that is valid now.

    With no secrets (an unknown project) it refuses in the words for a wrong secret, and no claim is looked at
    before the signature is found good. Raises AuthenticationFailed.
    """
    unverified = decode_unverified(token)
    if not any([unverified.is_signed_with(secret) for secret in secrets]):  # noqa: C419 - same work for any secret
        raise unknown_project_or_secret()
    claims = unverified.claims
    project_id = _read_project_id(claims)
    user_id = _read_user_id(claims.get("sub"))
    issued_at_s = _read_seconds(claims, "iat")
    expires_at_s = math.floor(_read_seconds(claims, "exp"))
    if now_s >= expires_at_s:
        raise AuthenticationFailed("The token has expired. Ask for a new one.")
    if issued_at_s > now_s + MAX_CLOCK_AHEAD_S:
        raise AuthenticationFailed(
            "The token was issued in the future (iat): check the clock of the machine that made it."
        )
    if "nbf" in claims and _read_seconds(claims, "nbf") > now_s + MAX_CLOCK_AHEAD_S:
        raise AuthenticationFailed("The token is not valid yet (nbf).")
    if "aud" in claims:
        # RFC 7519 §4.1.3: one who is not named in `aud` must reject, and Channeling has no name there.
        raise AuthenticationFailed("The token is meant for another audience: leave the claim aud out.")
    return TokenClaims(
        user_id=user_id,
        project_id=project_id,
        issued_at_ms=math.floor(issued_at_s * 1_000),
        expires_at_s=expires_at_s,
        budget=read_budget(claims.get("budget"), max_ai_microusd),
        models=_read_models(claims),
    )


def is_project_id(value: Any) -> bool:
    """Tell whether a claim has the form of a project id."""
    return isinstance(value, str) and _PROJECT_ID.fullmatch(value) is not None


def _read_project_id(claims: Mapping[str, Any]) -> str:
    project_id = claims.get("iss")
    if not isinstance(project_id, str) or not is_project_id(project_id):
        raise AuthenticationFailed(
            "The token's iss must be a project id: 1 to 64 letters, digits, underscores and dashes."
        )
    return project_id


def _read_user_id(user_id: Any) -> str:
    """Control characters are refused: a user id is shown in logs, terminals and tables."""
    if (
        not isinstance(user_id, str)
        or not 1 <= len(user_id) <= _MAX_USER_ID_CHARACTERS
        # "Cs": a lone surrogate, which UTF-8, and so DynamoDB, cannot hold.
        or (
            not user_id.isprintable()  # as nearly every id is, and neither of these two kinds
            and any(unicodedata.category(character) in {"Cc", "Cs"} for character in user_id)
        )
    ):
        raise AuthenticationFailed(
            "The token's sub must be a user id of 1 to 256 characters without control characters."
        )
    return user_id


def _read_seconds(claims: Mapping[str, Any], name: str) -> int | float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LAST_S:
        raise AuthenticationFailed(f"The token's {name} must be a time in seconds since 1970.")
    return value


def _read_models(claims: Mapping[str, Any]) -> tuple[str, ...] | None:
    if "models" not in claims:
        return None
    models = claims["models"]
    if (
        not isinstance(models, list)
        or len(models) > MAX_MODELS
        or not all(isinstance(model, str) and _is_model_pattern(model) for model in models)
    ):
        raise AuthenticationFailed(
            "The token's models must be a list of at most 256 model names; a name may end in * "
            "to allow all that begin like it."
        )
    return tuple(models)


def _is_model_pattern(model: str) -> bool:
    return 1 <= len(model) <= _MAX_MODEL_CHARACTERS and "*" not in model[:-1]
