"""Users' tokens over HTTP, for trying a project out."""

from typing import Any

from fastapi import APIRouter

from channeling.operations.tokens import mint_user_token
from channeling_admin.access import ProjectId, ProjectOperator, TheAdmin
from channeling_admin.amounts import microdollars, time_text
from channeling_admin.bodies import NewToken

router = APIRouter(prefix="/api/projects/{project}", tags=["tokens"])


@router.post("/tokens", status_code=201)
async def mint_token(
    admin: TheAdmin, who: ProjectOperator, project: ProjectId, body: NewToken
) -> dict[str, Any]:
    """Mint a token for a user, as your backend would; it is shown this once."""
    minted = await mint_user_token(
        admin.stores,
        who,
        project,
        user_id=body.user_id,
        limit_microusd=microdollars(body.budget_usd),
        window=body.window,
        lifetime_s=body.lifetime_s,
        models=body.models,
    )
    return {
        "token": minted.token,
        "expires_at": time_text(minted.expires_at_s),
        "base_url": admin.messages_url,
        "user_id": body.user_id,
        "budget_usd": body.budget_usd,
        "window": body.window,
    }
