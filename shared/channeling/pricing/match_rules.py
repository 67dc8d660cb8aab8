"""How a price list recognises a model's name: the match clauses of `genai-prices`, with the same meaning.

A clause is what that package writes in its data: `{"starts_with": …}`, `{"ends_with": …}`, `{"contains": …}`,
`{"equals": …}`, `{"regex": …}`, `{"or": [clause, …]}`, `{"and": [clause, …]}`
(`genai-prices` 0.2.3, `types.py`, `Clause…`).
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

Clause = Mapping[str, Any]

_COMPACT_DATE = re.compile(r"(-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")

_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "starts_with": lambda name, text: name.startswith(text.lower()),
    "ends_with": lambda name, text: name.endswith(text.lower()),
    "contains": lambda name, text: text.lower() in name,
    "equals": lambda name, text: name == text.lower(),
    # A pattern alone is taken as it is written: it meets a lower-case name.
    "regex": lambda name, text: re.search(text, name) is not None,
}


def clause_matches(clause: Clause, name: str) -> bool:
    """Tell whether a clause recognises a model's name, which must be in lower case.

    Raises ValueError on a clause of an unknown kind.
    """
    ((kind, argument),) = clause.items()
    if kind == "or":
        return any(clause_matches(part, name) for part in argument)
    if kind == "and":
        return all(clause_matches(part, name) for part in argument)
    test = _TEXT_TESTS.get(kind)
    if test is None:
        raise ValueError(f"unknown kind of match clause: {kind!r}")
    return test(name, argument)


def with_dashed_date(name: str) -> str:
    """Return the name with a date like `-20251211` written `-2025-12-11`: the second try when a name is unknown."""
    return _COMPACT_DATE.sub(_dashed, name)


def _dashed(match: re.Match[str]) -> str:
    dash, year, month, day = match.groups()
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return match[0]
    return f"{dash}{year}-{month}-{day}"
