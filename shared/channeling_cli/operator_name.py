"""Who is at the terminal: the actor of what an operator orders."""

import getpass

from channeling.operations.operator import Operator
from channeling_cli.failure import CommandFailed, ExitCode


def cli_operator(named: str | None = None) -> Operator:
    """Return who gives the orders of this command; raise CommandFailed where nobody was named and none is known."""
    return Operator(operator_name(named), "cli")


def operator_name(named: str | None) -> str:
    """Return the name that was given, else the login name; raise CommandFailed where there is none."""
    if named is not None:
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise CommandFailed(
            "your login name is not known", next_step="add --actor NAME", exit_code=ExitCode.USAGE
        ) from error
