"""`channeling secret add | list | remove`: a project's HMAC secrets, rotated without an outage."""

import asyncio
import secrets
from typing import Annotated

import typer

from channeling.auth.mint import new_hmac_secret
from channeling.projects.project import ProjectSecrets
from channeling.projects.project_secrets import (
    change_secrets,
    open_secrets,
    with_hmac_secret,
    without_hmac_secret,
)
from channeling_cli.deployment import Deployment, open_deployment
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.options import AsJson, InProject, Profile, Region, Stack, Target
from channeling_cli.output import print_facts, print_json, print_line
from channeling_cli.secret_input import fingerprint

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
    secret = new_hmac_secret(secrets.token_bytes)
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project)
        change = with_hmac_secret(secret)
        asyncio.run(change_secrets(deployment.projects, deployment.cipher, project_id, change))
    if as_json:
        print_json({"project_id": project_id, "hmac_secret": secret, "fingerprint": fingerprint(secret)})
        return
    print_facts(
        f"Added an HMAC secret to project {project_id}",
        [("HMAC secret", secret), ("fingerprint", fingerprint(secret)), ("", "Shown this once.")],
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
        prints = [
            fingerprint(secret) for secret in asyncio.run(_secrets(deployment, project_id)).hmac_secrets
        ]
    if as_json:
        print_json({"project_id": project_id, "fingerprints": prints})
        return
    for each in prints:
        print_line(each)


@app.command("remove")
def remove(
    print_of_secret: Annotated[str, typer.Argument(metavar="FINGERPRINT", help="As `secret list` shows it.")],
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Remove a secret: tokens signed with it are refused within a minute."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project)
        active = asyncio.run(_secrets(deployment, project_id)).hmac_secrets
        meant = [secret for secret in active if fingerprint(secret) == print_of_secret]
        if not meant:
            raise CommandFailed(
                f"project {project_id} has no HMAC secret with the fingerprint {print_of_secret!r}",
                next_step=f"channeling secret list --project {project_id}{deployment.target.flags}",
                exit_code=ExitCode.NOT_FOUND,
            )
        change = without_hmac_secret(meant[0])
        after = asyncio.run(change_secrets(deployment.projects, deployment.cipher, project_id, change))
    left = [fingerprint(secret) for secret in after.hmac_secrets]
    if as_json:
        print_json({"project_id": project_id, "fingerprints": left})
        return
    print_line(f"Removed. Left: {', '.join(left) or 'none, so no token is accepted'}.")


async def _secrets(deployment: Deployment, project_id: str) -> ProjectSecrets:
    stored = await deployment.read_project(project_id)
    return await open_secrets(deployment.cipher, project_id, stored.sealed)
