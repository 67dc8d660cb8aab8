"""The tables of docs/wire-formats.md, read."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

DOCUMENT = Path(__file__).parents[4] / "docs" / "wire-formats.md"
_NAME = re.compile(r"`([^`]+)`")
_FATES = frozenset({"carried", "lost", "refused", "header"})


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


def read_request_tables() -> WireFormats:
    """Return the tables of the page's part on requests to OpenAI."""
    page = DOCUMENT.read_text(encoding="utf-8")
    section = re.split(r"^## ", page, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith("Requests to OpenAI\n")]
    keys: dict[str, str] = {}
    parts: list[Part] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("| `"):
            continue
        (name,) = _NAME.findall(cells[0])
        assert cells[1] in _FATES, line
        if len(cells) == 3:
            assert name not in keys, f"{name} is there twice"
            keys[name] = cells[1]
        else:
            assert len(cells) == 6, line
            carried, lost, refused = (frozenset(_NAME.findall(cell)) for cell in cells[2:5])
            assert name not in {part.name for part in parts}, f"{name} is there twice"
            parts.append(Part(name, cells[1], carried, lost, refused))
    return WireFormats(keys, tuple(parts))
