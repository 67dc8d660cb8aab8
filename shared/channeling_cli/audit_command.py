"""`channeling audit`: who changed what."""

import asyncio
from typing import Annotated

import typer

from channeling.budget_answer import iso_time
from channeling.operations.audit_log import MAX_ENTRIES, AuditEntry
from channeling_cli.deployment import open_deployment
from channeling_cli.options import AsJson, InProject, Profile, Region, Stack, Target
from channeling_cli.output import print_json, print_line, print_table


def audit(
    for_all: Annotated[bool, typer.Option("--global", help="What concerns all projects.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=MAX_ENTRIES, help="The newest so many.")] = 50,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List changes of a project, the newest first: who made them, where, and how they ended."""
    if for_all and project is not None:
        raise typer.BadParameter("say a project, or all: not both", param_hint="--global")
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = None if for_all else deployment.project_id(project)
        entries = asyncio.run(deployment.stores.audit.read(project_id, limit=limit))
    if as_json:
        from channeling_admin.answers import audit_answer

        print_json({"project_id": project_id, "entries": [audit_answer(entry) for entry in entries]})
        return
    if not entries:
        print_line("Nothing was changed in 13 months.")
        return
    headings = ["when", "who", "by", "what", "of", "with", "outcome"]
    print_table(headings, [_row(entry) for entry in entries])


def _row(entry: AuditEntry) -> list[str]:
    details = ", ".join(f"{name}: {value}" for name, value in entry.details.items())
    outcome = f"{entry.outcome}: {entry.reason}" if entry.reason else entry.outcome
    at = iso_time(entry.at_ms // 1_000)
    return [at, entry.actor, entry.via, entry.action, entry.target, details, outcome]
