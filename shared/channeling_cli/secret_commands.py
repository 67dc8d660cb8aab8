"""`channeling secret add | list | remove`: a project's HMAC secrets, rotated without an outage."""

import asyncio
from typing import Annotated

import typer

from channeling.operations import secrets
from channeling_cli.confirmation import confirm
from channeling_cli.deployment import open_deployment
from channeling_cli.operator_name import cli_operator
from channeling_cli.options import AsJson, InProject, Profile, Region, Stack, Target, Yes
from channeling_cli.output import print_facts, print_json, print_line

app = typer.Typer(no_args_is_help=True, help="HMAC secrets: add one, mint with it, remove the old one.")


@app.command("add")
def add(
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Make a second secret and print it, this once; tokens of both are accepted."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project)
        added = asyncio.run(secrets.add_secret(deployment.stores, cli_operator(), project_id))
    if as_json:
        print_json(
            {"project_id": project_id, "hmac_secret": added.hmac_secret, "fingerprint": added.fingerprint}
        )
        return
    print_facts(
        f"Added an HMAC secret to project {project_id}",
        [("HMAC secret", added.hmac_secret), ("fingerprint", added.fingerprint), ("", "Shown this once.")],
    )
    print_line("\nNext: mint tokens with it a minute from now; once the old tokens have expired,")
    print_line(f"      channeling secret remove FINGERPRINT --project {project_id}{deployment.target.flags}")


@app.command("list")
def list_secrets(
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List the fingerprints of a project's secrets, the newest last."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project)
        prints = asyncio.run(secrets.list_secrets(deployment.stores, project_id))
    if as_json:
        print_json({"project_id": project_id, "fingerprints": list(prints)})
        return
    for each in prints:
        print_line(each)


@app.command("remove")
def remove(
    print_of_secret: Annotated[str, typer.Argument(metavar="FINGERPRINT", help="As `secret list` shows it.")],
    yes: Yes = False,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Remove a secret: tokens signed with it are refused within a minute."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project)
        question = (
            f"Refuse every token that was signed with secret {print_of_secret} of project {project_id}?"
        )
        confirm(question, yes=yes)
        left = asyncio.run(
            secrets.remove_secret(deployment.stores, cli_operator(), project_id, print_of_secret)
        )
    if as_json:
        print_json({"project_id": project_id, "fingerprints": list(left)})
        return
    print_line(f"Removed. Left: {', '.join(left) or 'none, so no token is accepted'}.")
