"""What an OpenAI response bills, in disjoint counts.

Source: `openai` 3.54.0, `types/responses/response_usage.py` (input includes what was read from and written to the
cache, output includes reasoning) and `types/responses/response.py` (`tool_usage`).
"""

from collections.abc import Mapping
from typing import Any

from channeling.providers.usage_fields import count_in, object_in
from channeling.usage.token_counts import TokenCounts


def token_counts(response: Mapping[str, Any], *, searches: int) -> TokenCounts | None:
    """Return the counts of a response, or None when it reports no usage.

    `searches` is how many web searches the answer showed: taken where the response does not report billable ones.
    """
    usage = response.get("usage")
    if not isinstance(usage, dict):
        return None
    input_tokens, output_tokens = count_in(usage, "input_tokens"), count_in(usage, "output_tokens")
    if input_tokens is None and output_tokens is None:
        return None
    input_details, output_details = (
        object_in(usage, "input_tokens_details"),
        object_in(usage, "output_tokens_details"),
    )
    read = count_in(input_details, "cached_tokens") or 0
    written = count_in(input_details, "cache_write_tokens") or 0
    written_12h = min(
        written, count_in(object_in(input_details, "cache_write_tokens_details"), "ttl_12h_tokens") or 0
    )
    reasoning = count_in(output_details, "reasoning_tokens") or 0
    billable_searches = count_in(object_in(object_in(response, "tool_usage"), "web_search"), "num_requests")
    return TokenCounts(
        input_tokens=max(0, (input_tokens or 0) - read - written),
        cache_read_tokens=read,
        # The shorter and the longer of OpenAI's two lifetimes, as the price list has them.
        cache_write_5m_tokens=written - written_12h,
        cache_write_1h_tokens=written_12h,
        output_tokens=output_tokens or 0,
        thinking_tokens=min(reasoning, output_tokens or 0),
        web_search_requests=searches if billable_searches is None else billable_searches,
    )


def reports_output(response: Mapping[str, Any]) -> bool:
    """Say whether a response reports its output tokens."""
    return count_in(object_in(response, "usage"), "output_tokens") is not None
