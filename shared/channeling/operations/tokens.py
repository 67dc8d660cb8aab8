"""Minting users' tokens, for tests and for programs that an operator starts: on calendar windows."""

from collections.abc import Sequence

from msgspec import Struct

from channeling.auth.mint import mint_token
from channeling.budgets.windows import tile
from channeling.money import dollars
from channeling.operations.operator import Operator
from channeling.operations.projects import read_project
from channeling.operations.stores import Stores
from channeling.projects.errors import ProjectInvalid, SecretMissing
from channeling.projects.project_secrets import open_secrets
from channeling.window_kind import WindowKind

MAX_LIFETIME_S = 30 * 86_400
# 1970-01-05 was a Monday; 1970-01-01 starts an hour, a day and a month. All in UTC.
_FIRST_MONDAY_S = 4 * 86_400


class MintedToken(Struct, frozen=True):
    """A user's token, which is shown this once, and when it expires."""

    token: str
    expires_at_s: int


async def mint_user_token(
    stores: Stores,
    operator: Operator,
    project_id: str,
    *,
    user_id: str,
    limit_microusd: int,
    window: WindowKind,
    lifetime_s: int = 3_600,
    models: Sequence[str] | None = None,
) -> MintedToken:
    """Return a token signed with the project's newest secret, its window on the calendar in UTC.

    Raises ProjectMissing, SecretMissing (it has none), ProjectInvalid (what the project would refuse),
    CipherUnavailable and StoreUnavailable.
    """
    details = {"limit_usd": dollars(limit_microusd * 1_000), "window": window, "lifetime_s": lifetime_s}
    async with stores.audit.entry(operator, "token.mint", project_id, user_id, details):
        stored = await read_project(stores, project_id)
        opened = await open_secrets(stores.cipher, project_id, stored.sealed)
        if not opened.hmac_secrets:
            raise SecretMissing(f"project {project_id} has no HMAC secret to sign with: add one")
        ceiling = stored.rules.max_ai_microusd
        if ceiling is not None and limit_microusd > ceiling:
            raise ProjectInvalid(
                f"project {project_id} takes budgets up to ${dollars(ceiling * 1_000)} (max_ai), "
                f"not ${dollars(limit_microusd * 1_000)}"
            )
        if not 1 <= lifetime_s <= MAX_LIFETIME_S:
            raise ProjectInvalid(f"a token lives 1 second to {MAX_LIFETIME_S // 86_400} days")
        now_s = stores.now_s
        anchor_s = _FIRST_MONDAY_S if window == "week" else 0
        try:
            token = mint_token(
                user_id=user_id,
                project_id=project_id,
                secret=opened.hmac_secrets[-1],
                limit_microusd=limit_microusd,
                window=window,
                window_start_s=tile(window, anchor_s, now_s).start_s,
                now_s=now_s,
                lifetime_s=lifetime_s,
                models=models,
            )
        except ValueError as error:
            raise ProjectInvalid(str(error)) from error
    return MintedToken(token, now_s + lifetime_s)
