"""`channeling key set | remove`: the providers' API keys of a project."""

import asyncio
from typing import Annotated

import typer

from channeling.projects.project import ProjectSecrets
from channeling.projects.project_secrets import change_secrets, with_provider_key, without_provider_key
from channeling.provider import Provider
from channeling_cli.deployment import open_deployment
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.options import AsJson, InProject, Profile, Region, Stack, Target
from channeling_cli.output import print_json, print_line
from channeling_cli.secret_input import read_secret

app = typer.Typer(no_args_is_help=True, help="Provider API keys, stored encrypted.")

Named = Annotated[Provider, typer.Argument(help="anthropic, openai or openrouter", show_default=False)]


@app.command("set")
def set_key(
    provider: Named,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Set a provider's key, read from standard input or an unseen prompt."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project)
        asyncio.run(deployment.read_project(project_id))
        change = with_provider_key(provider, read_secret(f"API key for {provider}"))
        after = asyncio.run(change_secrets(deployment.projects, deployment.cipher, project_id, change))
    done = f"Set the {provider} key of project {project_id}. {deployment.servers_follow}"
    _report(project_id, after, done, as_json=as_json)


@app.command("remove")
def remove_key(
    provider: Named,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Remove a provider's key: its models then answer 400."""
    removed = False

    def change(before: ProjectSecrets) -> ProjectSecrets:
        nonlocal removed
        removed = removed or provider in before.provider_keys
        return without_provider_key(provider)(before)

    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project)
        after = asyncio.run(change_secrets(deployment.projects, deployment.cipher, project_id, change))
    if not removed:
        raise CommandFailed(
            f"project {project_id} has no {provider} key to remove", exit_code=ExitCode.NOT_FOUND
        )
    done = f"Removed the {provider} key of project {project_id}. {deployment.servers_follow}"
    _report(project_id, after, done, as_json=as_json)


def _report(project_id: str, after: ProjectSecrets, done: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"project_id": project_id, "provider_keys": sorted(after.provider_keys)})
        return
    print_line(done)
