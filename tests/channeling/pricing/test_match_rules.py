"""Match clauses recognise the names that `genai-prices` recognises with the same clauses."""

import pytest
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
)

from channeling.pricing.match_rules import Clause, clause_matches, with_dashed_date

NAMES = ["gpt-5", "gpt-5-mini", "openai/gpt-5", "o1", "", "claude-opus-5@20260101"]


@pytest.mark.parametrize(
    ("clause", "source"),
    [
        ({"equals": "GPT-5"}, ClauseEquals("GPT-5")),
        ({"starts_with": "Gpt-5"}, ClauseStartsWith("Gpt-5")),
        ({"ends_with": "-MINI"}, ClauseEndsWith("-MINI")),
        ({"contains": "/GPT"}, ClauseContains("/GPT")),
        ({"regex": r"^o\d$"}, ClauseRegex(r"^o\d$")),
        ({"regex": "GPT"}, ClauseRegex("GPT")),
        ({"regex": r"^claude-opus-5[-@]\d{8}$"}, ClauseRegex(r"^claude-opus-5[-@]\d{8}$")),
        (
            {"or": [{"equals": "o1"}, {"ends_with": "mini"}]},
            ClauseOr([ClauseEquals("o1"), ClauseEndsWith("mini")]),
        ),
        (
            {"and": [{"starts_with": "gpt"}, {"or": [{"ends_with": "5"}, {"equals": "o1"}]}]},
            ClauseAnd([ClauseStartsWith("gpt"), ClauseOr([ClauseEndsWith("5"), ClauseEquals("o1")])]),
        ),
    ],
)
def test_same_as_the_source(clause: Clause, source: ClauseOr) -> None:
    assert [clause_matches(clause, name) for name in NAMES] == [source.is_match(name) for name in NAMES]


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown kind of match clause: 'sounds_like'"):
        clause_matches({"sounds_like": "gpt"}, "gpt")


@pytest.mark.parametrize(
    ("name", "dashed"),
    [
        ("gpt-5.2-20251211", "gpt-5.2-2025-12-11"),
        ("a-20260229", "a-20260229"),  # no such day
        ("a-20260228:free", "a-2026-02-28:free"),
        ("a-202602281", "a-202602281"),
        ("a20260228", "a20260228"),
        ("a-19991231", "a-19991231"),
        ("a-20260101-b", "a-2026-01-01-b"),
    ],
)
def test_compact_dates(name: str, dashed: str) -> None:
    assert with_dashed_date(name) == dashed
