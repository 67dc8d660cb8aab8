"""Usage in disjoint counts: no token is billed twice or not at all, whatever the provider leaves out."""

from typing import Any

import pytest
from openai.types.responses.response_usage import ResponseUsage

from channeling.providers.openai.usage import (
    reports_output,
    token_counts,
)
from channeling.usage.token_counts import TokenCounts

WRITES = {"ttl_30m_tokens": 300, "ttl_12h_tokens": 200}
FULL = {
    "input_tokens": 5000,
    "input_tokens_details": {
        "cached_tokens": 4000,
        "cache_write_tokens": 500,
        "cache_write_tokens_details": WRITES,
    },
    "output_tokens": 90,
    "output_tokens_details": {"reasoning_tokens": 64},
    "total_tokens": 5090,
}


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (FULL, TokenCounts(500, 4000, 300, 200, 90, 64)),
        ({"input_tokens": 7, "output_tokens": 3}, TokenCounts(input_tokens=7, output_tokens=3)),
        ({"input_tokens": 7}, TokenCounts(input_tokens=7)),
        ({"output_tokens": 3}, TokenCounts(output_tokens=3)),
        (
            FULL | {"input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 5}},
            TokenCounts(4994, 1, 5, 0, 90, 64),
        ),
        # More was cached than there was: what is left is nothing, not less.
        ({"input_tokens": 7, "input_tokens_details": {"cached_tokens": 9}}, TokenCounts(0, 9)),
        (
            {"output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 9}},
            TokenCounts(output_tokens=3, thinking_tokens=3),
        ),
        (
            FULL | {"input_tokens_details": None, "output_tokens_details": 7},
            TokenCounts(5000, output_tokens=90),
        ),
        ({"input_tokens": True, "output_tokens": -1}, None),
        ({"input_tokens": "7", "output_tokens": 1.5}, None),
        ({}, None),
        (None, None),
        ([], None),
    ],
)
def test_counts_are_disjoint(usage: Any, counts: TokenCounts | None) -> None:
    assert token_counts({"usage": usage}, searches=0) == counts


def test_the_sum_of_input_is_what_the_provider_says() -> None:
    ResponseUsage.model_validate(FULL)
    counts = token_counts({"usage": FULL}, searches=0)
    assert counts is not None
    assert counts.total_input_tokens == FULL["input_tokens"]


@pytest.mark.parametrize(
    ("tool_usage", "searches", "billed"),
    [
        (None, 2, 2),
        ({"web_search": {"num_requests": 1}}, 2, 1),
        ({"web_search": {"num_requests": 0}}, 2, 0),
        ({"web_search": {"num_requests": "1"}}, 2, 2),
        ({"web_search": None}, 2, 2),
        (7, 2, 2),
    ],
)
def test_billable_searches_are_the_providers_count_where_it_has_one(
    tool_usage: Any, searches: int, billed: int
) -> None:
    counts = token_counts({"usage": FULL, "tool_usage": tool_usage}, searches=searches)
    assert counts is not None
    assert counts.web_search_requests == billed


@pytest.mark.parametrize(
    ("usage", "reported"),
    [(FULL, True), ({"output_tokens": 0}, True), ({"input_tokens": 7}, False), (None, False)],
)
def test_an_output_that_is_not_reported_is_no_bill(usage: Any, reported: bool) -> None:
    assert reports_output({"usage": usage}) is reported
