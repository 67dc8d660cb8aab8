"""Tokens that were found good, so that the next request with one need not verify it anew.

Taking a token apart, checking its signature and reading its claims is a fiftieth of a request, and a user's token
comes with every request for an hour. What can change meanwhile is looked at each time: the project's secrets and
its ceiling, and the time. Whether it was revoked is not: the hold's condition says so.
"""

from collections import OrderedDict
from collections.abc import Sequence

from msgspec import Struct

from channeling.auth.token import TokenClaims

_MOST_TOKENS = 4_096
_LONGEST_TOKEN = 2_048  # so that all of them are at most 8 MB


class _Verified(Struct, frozen=True):
    claims: TokenClaims
    secrets: Sequence[str]
    max_ai_microusd: int | None
    at_s: float


class VerifiedTokens:
    """The tokens that were used last, by their whole text; bounded in number and length."""

    def __init__(self, *, most: int = _MOST_TOKENS) -> None:
        self._most = most
        self._verified: OrderedDict[str, _Verified] = OrderedDict()

    def project_of(self, token: str) -> str | None:
        """Return the project of a token that was once found good, to look its secrets up; None for any other."""
        verified = self._verified.get(token)
        return None if verified is None else verified.claims.project_id

    def claims(
        self, token: str, secrets: Sequence[str], *, now_s: float, max_ai_microusd: int | None
    ) -> TokenClaims | None:
        """Return what a token says if `verify_token` would say so again; None where it has to be asked.

        A time that has passed (`iat`, `nbf`) has passed still, unless the clock was set back.
        """
        verified = self._verified.get(token)
        if (
            verified is None
            or verified.secrets != secrets
            or verified.max_ai_microusd != max_ai_microusd
            or not verified.at_s <= now_s < verified.claims.expires_at_s
        ):
            return None
        self._verified.move_to_end(token)
        return verified.claims

    def add(
        self,
        token: str,
        claims: TokenClaims,
        secrets: Sequence[str],
        *,
        now_s: float,
        max_ai_microusd: int | None,
    ) -> None:
        """Remember what `verify_token` returned for a token and these arguments."""
        if len(token) > _LONGEST_TOKEN:
            return
        self._verified[token] = _Verified(claims, secrets, max_ai_microusd, now_s)
        self._verified.move_to_end(token)
        if len(self._verified) > self._most:
            self._verified.popitem(last=False)
