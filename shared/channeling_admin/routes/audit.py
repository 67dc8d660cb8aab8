"""The audit log over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from channeling_admin.access import GlobalViewer, ProjectId, ProjectViewer, TheAdmin
from channeling_admin.admin import Admin
from channeling_admin.answers import audit_answer

router = APIRouter(prefix="/api", tags=["audit"])

Before = Annotated[
    str | None, Query(pattern=r"^[0-9]{13}#[0-9a-f]{1,40}$", description="An `entry_id` to go on after.")
]
Limit = Annotated[int, Query(ge=1, le=500)]


@router.get("/projects/{project}/audit")
async def show_project_audit(
    admin: TheAdmin, who: ProjectViewer, project: ProjectId, before: Before = None, limit: Limit = 50
) -> dict[str, Any]:
    """List who changed what in a project, the newest first; 13 months back from where it begins."""
    return await _entries(admin, project, before, limit)


@router.get("/audit")
async def show_global_audit(
    admin: TheAdmin, who: GlobalViewer, before: Before = None, limit: Limit = 50
) -> dict[str, Any]:
    """List who changed what concerns all projects."""
    return await _entries(admin, None, before, limit)


async def _entries(admin: Admin, project: str | None, before: str | None, limit: int) -> dict[str, Any]:
    entries = await admin.stores.audit.read(project, before=before, limit=limit)
    return {
        "entries": [audit_answer(entry) for entry in entries],
        "next_before": entries[-1].entry_id if len(entries) == limit else None,
    }
