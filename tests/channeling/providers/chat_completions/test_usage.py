"""Usage in disjoint counts: no token is billed twice or not at all, whatever a server leaves out."""

from typing import Any

import pytest
from openrouter.components import ChatUsage

from channeling.providers.chat_completions.usage import reports_output, token_counts
from channeling.usage.token_counts import TokenCounts

FULL = {
    "prompt_tokens": 5000,
    "completion_tokens": 90,
    "total_tokens": 5090,
    "prompt_tokens_details": {"cached_tokens": 4000, "cache_write_tokens": 500},
    "completion_tokens_details": {"reasoning_tokens": 64},
    "server_tool_use_details": {"web_search_requests": 2},
}


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (FULL, TokenCounts(500, 4000, 500, 0, 90, 64, 2)),
        ({"prompt_tokens": 7, "completion_tokens": 3}, TokenCounts(7, output_tokens=3)),
        ({"prompt_tokens": 7}, TokenCounts(7)),
        ({"completion_tokens": 3}, TokenCounts(output_tokens=3)),
        # DeepSeek's and Moonshot's names of what came from the cache.
        (
            {"prompt_tokens": 7, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 3},
            TokenCounts(3, 4),
        ),
        ({"prompt_tokens": 7, "cached_tokens": 4}, TokenCounts(3, 4)),
        (
            {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 0}, "cached_tokens": 4},
            TokenCounts(7),
        ),
        # More was cached than there was: what is left is nothing, not less.
        ({"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 9}}, TokenCounts(0, 9)),
        # xAI counts reasoning beside the completion.
        (
            {
                "prompt_tokens": 7,
                "completion_tokens": 3,
                "total_tokens": 20,
                "completion_tokens_details": {"reasoning_tokens": 10},
            },
            TokenCounts(7, output_tokens=13, thinking_tokens=10),
        ),
        (
            {"completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 9}},
            TokenCounts(output_tokens=3, thinking_tokens=3),
        ),
        (
            FULL
            | {"prompt_tokens_details": None, "completion_tokens_details": 7, "server_tool_use_details": []},
            TokenCounts(5000, output_tokens=90),
        ),
        ({"prompt_tokens": True, "completion_tokens": -1}, None),
        ({"prompt_tokens": "7", "completion_tokens": 1.5}, None),
        ({}, None),
    ],
)
def test_counts_are_disjoint(usage: Any, counts: TokenCounts | None) -> None:
    assert token_counts(usage, searches=0) == counts


def test_the_sum_of_input_is_what_the_server_says() -> None:
    ChatUsage.model_validate(FULL)
    counts = token_counts(FULL, searches=0)
    assert counts is not None
    assert counts.total_input_tokens == FULL["prompt_tokens"]


@pytest.mark.parametrize(("reported", "billed"), [({"web_search_requests": 0}, 0), ({}, 3), (None, 3)])
def test_searches_are_those_reported_where_they_are(reported: Any, billed: int) -> None:
    counts = token_counts(FULL | {"server_tool_use_details": reported}, searches=3)
    assert counts is not None
    assert counts.web_search_requests == billed


@pytest.mark.parametrize(
    ("usage", "wrote", "reported"),
    [
        ({"completion_tokens": 3}, True, True),
        ({"completion_tokens": 0}, False, True),
        ({"completion_tokens": 0}, True, False),
        ({"prompt_tokens": 7}, True, False),
        ({"completion_tokens": None}, False, False),
    ],
)
def test_zeros_beside_an_answer_are_no_bill(usage: Any, wrote: bool, reported: bool) -> None:
    assert reports_output(usage, wrote=wrote) is reported
