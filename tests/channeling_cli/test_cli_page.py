"""Every command on the command line's page exists, with the options and values that the page gives it."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer.main

from channeling_cli.commands import app_of
from channeling_cli.failure import ExitCode

ROOT = Path(__file__).parents[2]
PAGES = {name: (ROOT / "docs" / name).read_text("utf-8") for name in ("cli.md", "projects.md")}


def command_lines() -> list[str]:
    lines = []
    for fence in re.findall(r"^```sh\n(.*?)^```$", PAGES["cli.md"], re.S | re.M):
        for line in fence.splitlines():
            substituted = re.fullmatch(r"[A-Z]+=\$\((.*)\)", line)
            lines.append(substituted[1] if substituted else line)
    return lines


@pytest.mark.parametrize("line", command_lines())
def test_each_command_parses(line: str) -> None:
    program, *arguments = shlex.split(line.split(" < ")[0])
    assert program == "channeling"
    command: click.Command = typer.main.get_command(app_of())
    context = click.Context(command, info_name=program)
    while hasattr(command, "get_command"):
        name, *arguments = arguments
        found = command.get_command(context, name)
        assert found is not None, name
        command = found
        context = click.Context(command, info_name=name, parent=context)
    command.make_context(command.name or "", arguments, parent=context.parent)


def test_every_command_is_on_the_page() -> None:
    group = typer.main.get_command(app_of())
    assert hasattr(group, "commands")
    text = "\n".join(command_lines())
    for name, command in group.commands.items():
        for spelled in [f"{name} {sub}" for sub in getattr(command, "commands", {})] or [name]:
            assert f"channeling {spelled}" in text


def test_the_exit_codes_are_those_on_the_page() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGES["cli.md"], re.M)}
    assert listed == {int(code) for code in ExitCode}


def test_the_rules_on_the_projects_page_are_options_of_project_set() -> None:
    options = set(re.findall(r"`(--[a-z-]+)", PAGES["projects.md"]))
    group = typer.main.get_command(app_of())
    assert hasattr(group, "commands")
    known = {
        option
        for parameter in group.commands["project"].commands["set"].params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert options <= known
    assert len(options) == 10
