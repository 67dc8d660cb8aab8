"""Usage becomes disjoint counts: totals win over splits, later counts over earlier ones, nonsense over nothing."""

from typing import Any

import pytest

from channeling.providers.anthropic.usage import billing_terms, merged, side_usages, token_counts
from channeling.usage.token_counts import BillingTerms, TokenCounts


def cache(total: int | None, split_5m: int | None = None, split_1h: int | None = None) -> dict[str, Any]:
    split = {"ephemeral_5m_input_tokens": split_5m, "ephemeral_1h_input_tokens": split_1h}
    return {"input_tokens": 0, "cache_creation_input_tokens": total, "cache_creation": split}


@pytest.mark.parametrize(
    ("usage", "writes"),
    [
        (cache(30, 10, 20), (10, 20)),
        (cache(30), (30, 0)),
        ({"input_tokens": 0, "cache_creation_input_tokens": 30, "cache_creation": None}, (30, 0)),
        (cache(None, 10, 20), (10, 20)),
        (cache(0, 10, 20), (0, 0)),
        (cache(50, 10, 20), (30, 20)),
        (cache(15, 10, 20), (0, 15)),
        (cache(50, 0, 20), (0, 50)),
        (cache(50, 20, 0), (50, 0)),
        ({"input_tokens": 0}, (0, 0)),
    ],
)
def test_cache_writes(usage: dict[str, Any], writes: tuple[int, int]) -> None:
    counts = token_counts(usage)
    assert counts is not None
    assert (counts.cache_write_5m_tokens, counts.cache_write_1h_tokens) == writes


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({}, None),
        ({"input_tokens": None, "output_tokens": "7"}, None),
        ({"input_tokens": 5}, TokenCounts(input_tokens=5)),
        ({"output_tokens": 5}, TokenCounts(output_tokens=5)),
        ({"input_tokens": 0, "output_tokens": 0}, TokenCounts()),
        ({"input_tokens": -1, "output_tokens": 2}, TokenCounts(output_tokens=2)),
        ({"input_tokens": 1.5, "output_tokens": True, "cache_read_input_tokens": 2}, None),
        (
            {"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 9}},
            TokenCounts(input_tokens=1, output_tokens=2, thinking_tokens=2),
        ),
        ({"input_tokens": 1, "server_tool_use": [], "cache_creation": 7}, TokenCounts(input_tokens=1)),
    ],
)
def test_counts(usage: dict[str, Any], counts: TokenCounts | None) -> None:
    assert token_counts(usage) == counts


@pytest.mark.parametrize(
    ("usage", "terms"),
    [
        ({}, BillingTerms()),
        ({"service_tier": None, "speed": 7, "inference_geo": ""}, BillingTerms()),
        (
            {"service_tier": "batch", "speed": "fast", "inference_geo": "us"},
            BillingTerms("batch", "fast", "us"),
        ),
    ],
)
def test_terms(usage: dict[str, Any], terms: BillingTerms) -> None:
    assert billing_terms(usage) == terms


def test_later_counts_replace_earlier_ones_and_null_keeps() -> None:
    first = {"input_tokens": 5, "cache_read_input_tokens": 7, "speed": "fast"}
    later = {"input_tokens": 6, "cache_read_input_tokens": None, "output_tokens": 8, "new": {"a": 1}}
    assert merged(first, later) == {
        "input_tokens": 6,
        "cache_read_input_tokens": 7,
        "speed": "fast",
        "output_tokens": 8,
        "new": {"a": 1},
    }


@pytest.mark.parametrize("nonsense", ["7", -7, 7.5, True, [], {}])
def test_a_count_is_not_replaced_by_nonsense(nonsense: Any) -> None:
    assert merged({"input_tokens": 5}, {"input_tokens": nonsense}) == {"input_tokens": 5}


@pytest.mark.parametrize(
    "iterations", [None, 7, [], [None, 7, {"type": "advisor_message"}, {"type": "message"}]]
)
def test_iterations_that_bill_nothing_beside(iterations: Any) -> None:
    assert side_usages({"iterations": iterations}) == ()
