"""Projects over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from channeling.errors import PermissionDenied
from channeling.operations import projects
from channeling_admin.access import (
    GlobalOperator,
    ProjectId,
    ProjectOperator,
    ProjectOwner,
    ProjectViewer,
    TheAdmin,
    Viewer,
)
from channeling_admin.answers import project_answer, rules_answer
from channeling_admin.bodies import NewProject, ProjectChange

router = APIRouter(prefix="/api/projects", tags=["projects"])
_DAY_S = 86_400


@router.get("")
async def list_projects(admin: TheAdmin, who: Viewer) -> dict[str, Any]:
    """List the projects that the token is for."""
    found = await projects.list_projects(admin.stores)
    return {
        "projects": [
            rules_answer(project_id, rules)
            for project_id, rules in found.items()
            if who.project_id in (None, project_id)
        ]
    }


@router.post("", status_code=201)
async def create_project(admin: TheAdmin, who: GlobalOperator, body: NewProject) -> dict[str, Any]:
    """Create a project; its HMAC secret is shown this once."""
    created = await projects.create_project(admin.stores, who, body.rules(), project_id=body.project_id)
    return {"project_id": created.project_id, "hmac_secret": created.hmac_secret}


@router.get("/{project}")
async def show_project(admin: TheAdmin, who: ProjectViewer, project: ProjectId) -> dict[str, Any]:
    """Show a project: its rules, which secrets and keys it has, what it spent this month."""
    return project_answer(await projects.show_project(admin.stores, project))


@router.patch("/{project}")
async def change_project(
    admin: TheAdmin, who: ProjectOperator, project: ProjectId, body: ProjectChange
) -> dict[str, Any]:
    """Change the rules that are named; servers follow within a minute."""
    changes = body.changes()
    if "base_urls" in changes and who.project_id is not None:
        raise PermissionDenied("base_urls: say where keys are sent with an admin token for all projects.")
    return project_answer(await projects.change_project(admin.stores, who, project, changes))


@router.delete("/{project}")
async def delete_project(
    admin: TheAdmin,
    who: ProjectOwner,
    project: ProjectId,
    grace_days: Annotated[int, Query(ge=0, le=90)] = 7,
) -> dict[str, Any]:
    """Disable a project now, and remove it after the grace period; usage records stay."""
    view = await projects.delete_project(admin.stores, who, project, grace_s=grace_days * _DAY_S)
    return project_answer(view)


@router.post("/{project}/restore")
async def restore_project(admin: TheAdmin, who: ProjectOwner, project: ProjectId) -> dict[str, Any]:
    """Take a deletion back before its time."""
    return project_answer(await projects.restore_project(admin.stores, who, project))
