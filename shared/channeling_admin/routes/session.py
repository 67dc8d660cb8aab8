"""Who the caller is: what a page asks first."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from channeling_admin.access import Session, TheAdmin, session_of
from channeling_admin.amounts import time_text

router = APIRouter(prefix="/api", tags=["session"])


@router.get("/session")
async def session(admin: TheAdmin, caller: Annotated[Session, Depends(session_of)]) -> dict[str, Any]:
    """Say who the token is for, what they may do, and until when."""
    return {
        "name": caller.operator.name,
        "role": caller.operator.role,
        "project_id": caller.operator.project_id,
        "expires_at": time_text(caller.expires_at_s),
        "base_url": admin.messages_url,
        "now": time_text(admin.clock.now_ms() // 1_000),
    }
