"""What an OpenAI response bills, in disjoint counts.

Source: `openai` 3.54.0, `types/responses/response_usage.py` (input includes what was read from and written to the
cache, output includes reasoning) and `types/responses/response.py` (`tool_usage`, `service_tier`).
"""

from collections.abc import Mapping
from typing import Any

from channeling.usage.token_counts import BillingTerms, TokenCounts

# As the price list names its tiers; what is served as ordinary has more than one name in the API.
_ORDINARY_TIERS = frozenset({"auto", "default", "scale"})


def token_counts(response: Mapping[str, Any], *, searches: int) -> TokenCounts | None:
    """Return the counts of a response, or None when it reports no usage.

    `searches` is how many web searches the answer showed: taken where the response does not report billable ones.
    """
    usage = response.get("usage")
    if not isinstance(usage, dict):
        return None
    input_tokens, output_tokens = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    if input_tokens is None and output_tokens is None:
        return None
    input_details, output_details = (
        _object(usage, "input_tokens_details"),
        _object(usage, "output_tokens_details"),
    )
    read = _count(input_details, "cached_tokens") or 0
    written = _count(input_details, "cache_write_tokens") or 0
    written_12h = min(
        written, _count(_object(input_details, "cache_write_tokens_details"), "ttl_12h_tokens") or 0
    )
    reasoning = _count(output_details, "reasoning_tokens") or 0
    billable_searches = _count(_object(_object(response, "tool_usage"), "web_search"), "num_requests")
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
    return _count(_object(response, "usage"), "output_tokens") is not None


def billing_terms(response: Mapping[str, Any]) -> BillingTerms:
    """Return the terms that a response was served under; the tiers are those of the price list."""
    tier = response.get("service_tier")
    if not isinstance(tier, str) or not tier or tier in _ORDINARY_TIERS:
        return BillingTerms()
    return BillingTerms(service_tier="priority" if tier == "fast" else tier)


def _count(mapping: Mapping[str, Any], name: str) -> int | None:
    value = mapping.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _object(mapping: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = mapping.get(name)
    return value if isinstance(value, dict) else {}
