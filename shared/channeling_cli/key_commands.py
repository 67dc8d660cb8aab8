"""`channeling key set | test | remove`: the providers' API keys of a project."""

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from channeling.provider import Provider
from channeling.settings import base_urls_from
from channeling_cli.confirmation import confirm
from channeling_cli.deployment import Deployment, open_deployment
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.operator_name import cli_operator
from channeling_cli.options import AsJson, InProject, Profile, Region, Stack, Target, Yes
from channeling_cli.output import print_json, print_line
from channeling_cli.secret_input import read_secret

if TYPE_CHECKING:
    from channeling.operations.provider_keys import KeyCheck

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
    # Not at the top: it brings the HTTP client, which no other command needs.
    from channeling.operations import provider_keys

    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project)
        asyncio.run(deployment.read_project(project_id))
        key = read_secret(f"API key for {provider}")
        after = asyncio.run(
            provider_keys.set_key(deployment.stores, cli_operator(), project_id, provider, key)
        )
    done = f"Set the {provider} key of project {project_id}. {deployment.servers_follow}"
    _report(project_id, after, done, as_json=as_json)


@app.command("test")
def check(
    provider: Named,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Ask the provider whether it takes the key, in a call that costs nothing."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project)
        answer = asyncio.run(_ask_provider(deployment, project_id, provider))
        again = f"channeling key set {provider} --project {project_id}{deployment.target.flags}"
    if answer.outcome != "accepted":
        code = ExitCode.REFUSED if answer.outcome == "refused" else ExitCode.UNREACHABLE
        next_step = again if answer.outcome == "refused" else "try again a little later"
        raise CommandFailed(answer.message, next_step=next_step, exit_code=code)
    if as_json:
        print_json({"project_id": project_id, "provider": provider, "outcome": answer.outcome})
        return
    print_line(f"{answer.message} of project {project_id}.")


@app.command("remove")
def remove_key(
    provider: Named,
    yes: Yes = False,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Remove a provider's key: its models then answer 400."""
    from channeling.operations import provider_keys

    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project)
        confirm(f"Remove the {provider} key of project {project_id}?", yes=yes)
        after = asyncio.run(provider_keys.remove_key(deployment.stores, cli_operator(), project_id, provider))
    done = f"Removed the {provider} key of project {project_id}. {deployment.servers_follow}"
    _report(project_id, after, done, as_json=as_json)


async def _ask_provider(deployment: Deployment, project_id: str, provider: Provider) -> "KeyCheck":
    from channeling.operations import provider_keys
    from channeling.upstream import HttpUpstream

    # A running server's own addresses: the key of a company's gateway is not sent to anybody else.
    local = deployment.local
    base_urls = (
        base_urls_from(os.environ)
        if local is None
        else {provider: local.provider_urls[provider] for provider in get_args(Provider)}
    )
    upstream = HttpUpstream()
    try:
        return await provider_keys.check_key(deployment.stores, upstream, base_urls, project_id, provider)
    finally:
        await upstream.aclose()


def _report(project_id: str, providers: Sequence[Provider], done: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"project_id": project_id, "provider_keys": list(providers)})
        return
    print_line(done)
