"""The tables of docs/wire-formats.md, read."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

DOCUMENT = Path(__file__).parents[3] / "docs" / "wire-formats.md"
_NAME = re.compile(r"`([^`]+)`")
_FATES = frozenset({"carried", "lost", "refused", "header"})
_ANSWER_FATES = frozenset({"written", "never"})


@dataclass(frozen=True, slots=True)
class Part:
    """One row: a part of a request (`content: text`), what becomes of it and of each of its fields."""

    name: str
    fate: str
    carried: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()

    @property
    def fields(self) -> frozenset[str]:
        """All fields that the row names."""
        return self.carried | self.lost | self.refused


@dataclass(frozen=True, slots=True)
class WireFormats:
    """All rows: `keys` of the request by name, and the parts below them."""

    keys: dict[str, str]
    parts: tuple[Part, ...]

    def part(self, name: str) -> Part | None:
        """Return the row that a part is in; one that names it comes before one with a `*`."""
        exact = [part for part in self.parts if part.name == name]
        matching = [part for part in self.parts if fnmatchcase(name, part.name)]
        return (exact or matching or [None])[0]


@dataclass(frozen=True, slots=True)
class Written:
    """One row on answers: a part (`content_block: text`), whether it is ever written, and its fields that are."""

    name: str
    fate: str
    written: frozenset[str]
    not_written: frozenset[str]


@dataclass(frozen=True, slots=True)
class AnswerTable:
    """All rows on answers."""

    parts: tuple[Written, ...]

    def part(self, name: str) -> Written | None:
        """Return the row that a part is in."""
        return next((part for part in self.parts if fnmatchcase(name, part.name)), None)


def read_request_tables(heading: str, *, beyond: WireFormats | None = None) -> WireFormats:
    """Return the tables of the page's part with this heading, with the rows of another that it does not have."""
    keys: dict[str, str] = {}
    parts: list[Part] = []
    for name, fate, *cells in _rows(heading):
        assert fate in _FATES, name
        known = keys if len(cells) == 1 else {part.name for part in parts}
        assert name not in known, f"{name} is there twice"
        if len(cells) == 1:
            keys[name] = fate
        else:
            carried, lost, refused = (frozenset(_NAME.findall(cell)) for cell in cells[:3])
            parts.append(Part(name, fate, carried, lost, refused))
    if beyond is not None:
        own = {part.name for part in parts}
        keys = beyond.keys | keys
        parts += [part for part in beyond.parts if part.name not in own]
    return WireFormats(keys, tuple(parts))


def read_answer_table(heading: str, *, beyond: AnswerTable | None = None) -> AnswerTable:
    """Return the table of the page's part with this heading, with the rows of another that it does not have."""
    parts: list[Written] = []
    for name, fate, written, not_written, _ in _rows(heading):
        assert fate in _ANSWER_FATES, name
        assert name not in {part.name for part in parts}, f"{name} is there twice"
        fields = (frozenset(_NAME.findall(cell)) for cell in (written, not_written))
        parts.append(Written(name, fate, *fields))
    own = {part.name for part in parts}
    parts += [part for part in (beyond.parts if beyond is not None else ()) if part.name not in own]
    return AnswerTable(tuple(parts))


def _rows(heading: str) -> list[list[str]]:
    """Return the rows of the tables under a heading of the page, the name without its backticks."""
    sections = re.split(r"^## ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (text,) = [section for section in sections if section.startswith(f"{heading}\n")]
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]
    return [[cells[0].strip("`"), *cells[1:]] for cells in rows]
