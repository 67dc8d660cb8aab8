"""The pages agree with the product: links lead somewhere, and commands, flags and make targets exist."""

import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from channeling_cli.commands import app_of
from tests.docs.pages import PAGES, ROOT, blocks, commands, links
from tests.suites import SUITES

CHANNELING = re.compile(r"(?:\.venv/bin/)?channeling ")
IN_LINE = re.compile(r"`((?:\.venv/bin/)?channeling [^`]*|make [a-z][^`]*)`")


def names(pages: tuple[Path, ...] = PAGES) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


@pytest.mark.parametrize("page", PAGES, ids=names())
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        file, _, heading = target.partition("#")
        linked = page.parent / file if file else page
        assert linked.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", linked.read_text("utf-8"), re.M)
            assert heading in {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}, (
                target
            )


@pytest.mark.parametrize("page", PAGES, ids=names())
def test_json_is_json(page: Path) -> None:
    for block in blocks(page, "json"):
        json.loads(block.text)


@pytest.mark.parametrize("page", PAGES, ids=names())
def test_commands_and_their_flags_exist(page: Path) -> None:
    """Every `channeling …` and `make …` that a page shows, in a block or in a line."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
    for command in shown_commands(page):
        if command.startswith("make "):
            assert command.split()[1] in targets, command
        else:
            assert_takes(CHANNELING.sub("", command, count=1))


def shown_commands(page: Path) -> Iterator[str]:
    for block in blocks(page):
        if block.language in ("sh", "bash", "console"):
            for command in commands(block.text):
                # Assignments before it, pipes into it and substitutions around it do not change its flags.
                for part in re.split(r"\||\$\(|&&|;", command):
                    bare = re.sub(r"^(\s*\w+=\S*\s+)*", "", part).strip().rstrip(')"')
                    if CHANNELING.match(bare) or bare.startswith("make "):
                        yield bare
    yield from IN_LINE.findall(page.read_text("utf-8"))


def assert_takes(arguments: str) -> None:
    command: Any = typer.main.get_command(app_of())
    words = shlex.split(arguments.replace("…", "").replace("[", " ").replace("]", " "), comments=True)
    names_read = ["channeling"]
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        # `project create|show` speaks of both; the first stands for them.
        name = words.pop(0).split("|")[0]
        assert name in command.commands, f"{arguments!r}: {' '.join(names_read)} has no {name!r}"
        command = command.commands[name]
        names_read.append(name)
    flags = {"--help"} | {flag for part in command.params for flag in (*part.opts, *part.secondary_opts)}
    if "--" in words:
        words = words[: words.index("--")]  # what follows is another program's
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in flags, f"{' '.join(names_read)} has no {word}"


def test_the_page_of_the_command_line_names_every_command() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    root: Any = typer.main.get_command(app_of())
    for name, command in root.commands.items():
        for full in [f"{name} {sub}" for sub in getattr(command, "commands", {})] or [name]:
            assert f"channeling {full}" in page, full


def test_make_help_lists_every_target_that_people_use() -> None:
    printed = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    makefile = (ROOT / "Makefile").read_text()
    [phony] = re.findall(r"^\.PHONY: (.*)$", makefile, re.M)
    listed = re.findall(r"^  make ([a-z-]+) +\S", printed.stdout, re.M)
    assert sorted(listed) == sorted(phony.split())
    assert (
        subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        == printed.stdout
    )


def test_the_changelog_has_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\]", (ROOT / "CHANGELOG.md").read_text(), re.M)


def test_the_page_of_development_lists_the_suites() -> None:
    page = (ROOT / "docs" / "development.md").read_text("utf-8").split("## Layout")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.M) == [suite.name for suite in SUITES]
    for suite in SUITES:
        assert suite.proves in page
