"""The commands of `channeling`, each imported when it is asked for: all of them take half a second."""

from importlib import import_module
from typing import Any, NamedTuple

import typer

_HELP = "A drop-in Anthropic Messages API with a hard AI budget per user."


class _Command(NamedTuple):
    """Where a command is: a function of a module, or (`is_group`) the Typer app of a group."""

    module: str
    attribute: str = "app"
    is_group: bool = False
    # For a command that runs another: what follows is not ours to read.
    passes_arguments_on: bool = False


COMMANDS = {
    "serve": _Command("serve_command", "serve"),
    "project": _Command("project_commands", is_group=True),
    "key": _Command("key_commands", is_group=True),
    "secret": _Command("secret_commands", is_group=True),
    "token": _Command("token_commands", is_group=True),
    "budget": _Command("budget_commands", is_group=True),
    "usage": _Command("usage_commands", is_group=True),
    "user": _Command("user_commands", is_group=True),
    "price": _Command("price_commands", is_group=True),
    "exec": _Command("exec_command", "exec_program", passes_arguments_on=True),
    "whoami": _Command("whoami_command", "whoami"),
    "dashboard": _Command("dashboard_command", "dashboard"),
    "audit": _Command("audit_command", "audit"),
    "event": _Command("event_command", "event"),
    "doctor": _Command("doctor_command", "doctor"),
}


def app_of(name: str | None = None) -> typer.Typer:
    """Return the command line with one command, or with all of them: for help, and for names that are none."""
    app = typer.Typer(name="channeling", no_args_is_help=True, pretty_exceptions_enable=False, help=_HELP)
    # With a callback one command alone is not taken for the whole.
    app.callback()(_nothing)
    for command_name in COMMANDS if name not in COMMANDS else (name,):
        _add(app, command_name, COMMANDS[command_name])
    return app


def _add(app: typer.Typer, name: str, command: _Command) -> None:
    found: Any = getattr(import_module(f"channeling_cli.{command.module}"), command.attribute)
    if command.is_group:
        app.add_typer(found, name=name)
    elif command.passes_arguments_on:
        app.command(name, context_settings={"allow_extra_args": True, "allow_interspersed_args": False})(
            found
        )
    else:
        app.command(name)(found)


def _nothing() -> None:
    pass
