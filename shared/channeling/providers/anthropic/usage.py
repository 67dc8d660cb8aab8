"""Anthropic's `usage` object read into disjoint counts, billing terms and what is billed beside the answer.

Source: `anthropic` 2.12.0, `types/usage.py`, `types/message_delta_usage.py`, `types/beta/beta_usage.py`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from channeling.providers.answer_stream import SideUsage
from channeling.usage.token_counts import BillingTerms, TokenCounts

# Entries of `usage.iterations` whose tokens the top-level counts leave out; `message` ones are in them.
_SIDE_KINDS = frozenset({"compaction", "advisor_message"})


def token_counts(usage: Mapping[str, Any]) -> TokenCounts | None:
    """Return the counts of a `usage` object, or None when it reports neither input nor output as whole numbers."""
    if _count(usage, "input_tokens") is None and _count(usage, "output_tokens") is None:
        return None
    cache_write_5m_tokens, cache_write_1h_tokens = _cache_writes(usage)
    output_tokens = _count(usage, "output_tokens") or 0
    thinking_tokens = _count(_object(usage, "output_tokens_details"), "thinking_tokens") or 0
    server_tool_use = _object(usage, "server_tool_use")
    return TokenCounts(
        input_tokens=_count(usage, "input_tokens") or 0,
        cache_read_tokens=_count(usage, "cache_read_input_tokens") or 0,
        cache_write_5m_tokens=cache_write_5m_tokens,
        cache_write_1h_tokens=cache_write_1h_tokens,
        output_tokens=output_tokens,
        thinking_tokens=min(thinking_tokens, output_tokens),
        web_search_requests=_count(server_tool_use, "web_search_requests") or 0,
        web_fetch_requests=_count(server_tool_use, "web_fetch_requests") or 0,
    )


def billing_terms(usage: Mapping[str, Any]) -> BillingTerms:
    """Return the terms of a `usage` object; what it leaves out is standard."""
    return BillingTerms(
        service_tier=_text(usage, "service_tier") or "standard",
        speed=_text(usage, "speed") or "standard",
        inference_geo=_text(usage, "inference_geo"),
    )


def side_usages(usage: Mapping[str, Any]) -> tuple[SideUsage, ...]:
    """Return what a `usage` object bills beside its top-level counts."""
    return tuple(_side_usages(usage.get("iterations")))


def has_count(usage: Mapping[str, Any], name: str) -> bool:
    """Say whether a `usage` object reports this count as a whole number."""
    return _count(usage, name) is not None


def merged(usage: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `usage` object after a later one: its counts are cumulative and replace, null keeps.

    The official SDK merges alike (`lib/streaming/_messages.py`). A count is never replaced by what is none.
    """
    sound = {
        name: value
        for name, value in update.items()
        if value is not None and ((type(value) is int and value >= 0) or not has_count(usage, name))
    }
    return {**usage, **sound}


def _cache_writes(usage: Mapping[str, Any]) -> tuple[int, int]:
    """The total wins over the split, which message_delta does not repeat: what was written after the split was
    reported is taken to be of the one kind in it, else of five minutes."""
    split = _object(usage, "cache_creation")
    writes_5m = _count(split, "ephemeral_5m_input_tokens") or 0
    writes_1h = _count(split, "ephemeral_1h_input_tokens") or 0
    total = _count(usage, "cache_creation_input_tokens")
    if total is None:
        return writes_5m, writes_1h
    if writes_1h and not writes_5m:
        return 0, total
    writes_1h = min(writes_1h, total)
    return total - writes_1h, writes_1h


def _side_usages(iterations: Any) -> Iterator[SideUsage]:
    for iteration in iterations if isinstance(iterations, list) else []:
        if isinstance(iteration, dict) and iteration.get("type") in _SIDE_KINDS:
            counts = token_counts(iteration)
            if counts is not None:
                yield SideUsage(iteration["type"], _text(iteration, "model"), counts)


def _count(mapping: Mapping[str, Any], name: str) -> int | None:
    value = mapping.get(name)
    return value if type(value) is int and value >= 0 else None


def _text(mapping: Mapping[str, Any], name: str) -> str | None:
    value = mapping.get(name)
    return value if isinstance(value, str) and value else None


def _object(mapping: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = mapping.get(name)
    return value if isinstance(value, dict) else {}
