"""Who is at the terminal: the actor of what an operator orders."""

import getpass

from channeling_cli.failure import CommandFailed, ExitCode


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
