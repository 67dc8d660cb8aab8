"""`channeling token mint`."""

import asyncio
import sys
from typing import Annotated

import typer

from channeling.operations.tokens import MintedToken, mint_user_token
from channeling.projects.errors import ProjectInvalid, SecretMissing
from channeling.window_kind import WindowKind
from channeling_cli.amounts import duration_s, microdollars, usd_text
from channeling_cli.deployment import Deployment, open_deployment
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.operator_name import cli_operator
from channeling_cli.options import AsJson, InProject, Profile, Region, Stack, Target
from channeling_cli.output import print_json, print_line

app = typer.Typer(no_args_is_help=True, help="User tokens.")


@app.command("mint")
def mint(
    user: Annotated[str, typer.Option(help="Whose budget it is: any id of yours.")],
    budget: Annotated[str, typer.Option(metavar="USD", help="Dollars per window, such as 5 or 0.25.")],
    window: Annotated[WindowKind, typer.Option(help="The budget's window, on the calendar in UTC.")] = "day",
    expires_in: Annotated[
        str, typer.Option(metavar="DURATION", help="The token's lifetime: 3600, 90m, 12h, 7d.")
    ] = "1h",
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model it may use; NAME* is a prefix. Repeatable (default: all)."),
    ] = None,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Mint a token for one user, as your backend would."""
    limit_microusd = microdollars(budget, "--budget")
    lifetime_s = duration_s(expires_in, "--expires-in")
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project)
        minted = asyncio.run(
            mint_from(
                deployment,
                project_id,
                user_id=user,
                limit_microusd=limit_microusd,
                window=window,
                lifetime_s=lifetime_s,
                models=model or None,
            )
        )
    if as_json:
        print_json(
            {
                "token": minted.token,
                "project_id": project_id,
                "user_id": user,
                "budget_usd": usd_text(limit_microusd),
                "window": window,
                "expires_at_s": minted.expires_at_s,
                "base_url": deployment.base_url,
            }
        )
        return
    # The token alone on standard output: TOKEN=$(channeling token mint …) is how it is used.
    sys.stdout.write(minted.token + "\n")
    sys.stdout.flush()
    print_line(
        f"{user}: ${usd_text(limit_microusd)} a {window} in project {project_id}, good for {expires_in}",
        style="dim",
        to_stderr=True,
    )


async def mint_from(
    deployment: Deployment,
    project_id: str,
    *,
    user_id: str,
    limit_microusd: int,
    window: WindowKind,
    lifetime_s: int,
    models: list[str] | None = None,
) -> MintedToken:
    """Return a token of a project of a deployment; raise CommandFailed where the project would refuse it."""
    flags = deployment.target.flags
    try:
        return await mint_user_token(
            deployment.stores,
            cli_operator(),
            project_id,
            user_id=user_id,
            limit_microusd=limit_microusd,
            window=window,
            lifetime_s=lifetime_s,
            models=models,
        )
    except SecretMissing as error:
        next_step = f"channeling secret add --project {project_id}{flags}"
        raise CommandFailed(str(error), next_step=next_step, exit_code=ExitCode.REFUSED) from error
    except ProjectInvalid as error:
        over_limit = "max_ai" in str(error)
        next_step = f"channeling project set {project_id} --max-ai USD{flags}" if over_limit else ""
        raise CommandFailed(str(error), next_step=next_step, exit_code=ExitCode.REFUSED) from error
