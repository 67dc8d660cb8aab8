"""What the tests read out of README.md and docs/: fenced blocks, commands, links."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
_FENCED = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.S | re.M)


class Block(NamedTuple):
    """A fenced block."""

    language: str
    text: str


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """Return the fenced blocks of a page, of one language or all."""
    found = blocks_of(page.read_text("utf-8"))
    return [block for block in found if language in (None, block.language)]


def blocks_of(text: str) -> list[Block]:
    """Return the fenced blocks of a text, such as a page's section."""
    return [Block(m["language"], dedent(m["text"])) for m in _FENCED.finditer(text)]


def commands(script: str) -> list[str]:
    """Cut a shell block into its commands: a line that ends inside quotes or in a backslash goes on."""
    found: list[str] = []
    unfinished = ""
    for line in script.splitlines():
        unfinished += line + "\n"
        try:
            words = shlex.split(unfinished, comments=True)
        except ValueError:  # an open quote
            continue
        if line.endswith("\\"):
            continue
        if words:
            found.append(unfinished.strip())
        unfinished = ""
    assert not unfinished, f"this command does not end: {unfinished}"
    return found


def links(page: Path) -> Iterator[str]:
    """Yield where the page's links and pictures point, within the repository."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if not re.match(r"[a-z]+:", target):
            yield target
