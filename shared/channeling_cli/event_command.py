"""`channeling event FILE`: an event of the events folder with a usable token in it."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from channeling_cli.amounts import microdollars
from channeling_cli.deployment import open_deployment
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.options import InProject, Profile, Region, Stack, Target
from channeling_cli.token_commands import mint_from

PLACEHOLDER = "{{TOKEN}}"
_LIFETIME_S = 3_600
_MAX_BYTES = 6 * 1024 * 1024  # Lambda's own limit on an event


def event(
    file: Annotated[Path, typer.Argument(help="Such as events/message.json; - is standard input.")],
    user: Annotated[str, typer.Option(help="Whose token goes in.")] = "demo-user",
    budget: Annotated[str, typer.Option(metavar="USD", help="The token's daily budget.")] = "5",
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Print an event with {{TOKEN}} filled in, for `sam local invoke --event -`."""
    limit_microusd = microdollars(budget, "--budget")
    text = _read(file)
    if PLACEHOLDER in text:
        with open_deployment(Target(stack, region, profile)) as deployment:
            minting = mint_from(
                deployment,
                deployment.project_id(project),
                user_id=user,
                limit_microusd=limit_microusd,
                window="day",
                lifetime_s=_LIFETIME_S,
            )
            text = filled_event(text, asyncio.run(minting).token)
    sys.stdout.write(text)


def filled_event(text: str, token: str) -> str:
    """Return an event's text with the token in it; a token is letters, digits, '.', '-' and '_'."""
    return text.replace(PLACEHOLDER, token)


def _read(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read(_MAX_BYTES + 1) if str(file) == "-" else file.read_bytes()
        if len(content) > _MAX_BYTES:
            raise CommandFailed(f"{file} is over Lambda's 6 MB for an event", exit_code=ExitCode.REFUSED)
        return content.decode()
    except OSError as error:
        raise CommandFailed(
            f"{file} cannot be read: {error.strerror}",
            next_step="events of this repository are in events/",
            exit_code=ExitCode.NOT_FOUND,
        ) from error
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{file} is not UTF-8 text", exit_code=ExitCode.REFUSED) from error
