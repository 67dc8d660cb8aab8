"""Asking before what cannot be undone."""

import sys

from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.output import print_line


def confirm(question: str, *, yes: bool) -> None:
    """Return where `yes` was given or a person agrees; raise CommandFailed where not, or nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandFailed(
            "this asks for confirmation, and there is no terminal to ask at",
            next_step="the same command with --yes",
            exit_code=ExitCode.USAGE,
        )
    # On standard error, so that --json prints JSON alone.
    print_line(f"{question} [y/N]", to_stderr=True)
    try:
        answer = input()
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandFailed("not confirmed; nothing was changed")
