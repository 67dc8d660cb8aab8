"""`channeling exec -- PROGRAM …`: any program, with a fresh budgeted token and the base URL in its environment."""

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from channeling.window_kind import WindowKind
from channeling_cli.amounts import duration_s, microdollars, usd_text
from channeling_cli.deployment import open_deployment
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.operator_name import operator_name
from channeling_cli.options import InProject, Profile, Region, Stack, Target
from channeling_cli.output import print_line
from channeling_cli.token_commands import mint_from

# Programs that take a bearer token in a variable of its own: Claude Code asks back for each new ANTHROPIC_API_KEY.
_TAKES_AUTH_TOKEN = frozenset({"claude"})
_CREDENTIALS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")


def exec_program(
    context: typer.Context,
    budget: Annotated[str, typer.Option(metavar="USD", help="What it may spend in a window.")] = "5",
    window: Annotated[WindowKind, typer.Option(help="The budget's window, on the calendar in UTC.")] = "day",
    user: Annotated[
        str | None,
        typer.Option(help="Whose budget it is (default: a new one, of this run alone)."),
    ] = None,
    expires_in: Annotated[
        str, typer.Option(metavar="DURATION", help="The token's lifetime: 90m, 12h, 7d.")
    ] = "12h",
    model: Annotated[
        list[str] | None, typer.Option(help="A model it may use; NAME* is a prefix. Repeatable.")
    ] = None,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Run a program on a budget: channeling exec --budget 5 -- claude."""
    command = list(context.args)
    limit_microusd = microdollars(budget, "--budget")
    lifetime_s = duration_s(expires_in, "--expires-in")
    path = _path_of(command)
    user_id = user or f"exec-{operator_name(None)}-{secrets.token_hex(4)}"
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = deployment.project_id(project)
        minting = mint_from(
            deployment,
            project_id,
            user_id=user_id,
            limit_microusd=limit_microusd,
            window=window,
            lifetime_s=lifetime_s,
            models=model or None,
        )
        token = asyncio.run(minting).token
        base_url, flags = deployment.base_url, deployment.target.flags
    print_line(
        f"{user_id}: ${usd_text(limit_microusd)} a {window}; "
        f"channeling user show {user_id} --project {project_id}{flags} says what is used",
        style="dim",
        to_stderr=True,
    )
    _run(path, command, environ_of(os.environ, Path(path).stem, base_url, token))


def environ_of(environ: Mapping[str, str], program: str, base_url: str, token: str) -> dict[str, str]:
    """Return the environment of a program: the token in the variable that it takes, and no other credential."""
    variable = "ANTHROPIC_AUTH_TOKEN" if program in _TAKES_AUTH_TOKEN else "ANTHROPIC_API_KEY"
    kept = {name: value for name, value in environ.items() if name not in _CREDENTIALS}
    return kept | {"ANTHROPIC_BASE_URL": base_url, variable: token}


def _path_of(command: list[str]) -> str:
    if not command:
        raise CommandFailed(
            "no program was named",
            next_step="channeling exec --budget 5 -- PROGRAM ARGUMENTS",
            exit_code=ExitCode.USAGE,
        )
    path = shutil.which(command[0])
    if path is None:
        raise CommandFailed(
            f"there is no program {command[0]!r} that can be run",
            next_step="name one that PATH finds, or its path",
            exit_code=ExitCode.NOT_FOUND,
        )
    return path


def _run(path: str, command: list[str], environ: dict[str, str]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "posix":
        # Elsewhere a process cannot become another one.
        raise typer.Exit(subprocess.run([path, *command[1:]], env=environ, check=False).returncode)  # noqa: S603
    try:
        # This process becomes the program: exit code, signals and the terminal's job control are its own.
        os.execve(path, command, environ)  # noqa: S606 - the program is the user's own, and no shell is wanted
    except OSError as error:
        raise CommandFailed(f"{path} cannot be run: {error.strerror}", exit_code=ExitCode.REFUSED) from error
