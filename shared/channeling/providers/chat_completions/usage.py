"""What a chat completion bills, in disjoint counts.

Source: `openai` 3.54.0, `types/completion_usage.py`, and `openrouter` 1.3.84, `components/chatusage.py`: the prompt
includes what was read from and written to the cache, the completion includes reasoning. DeepSeek and Moonshot name
what was read from the cache otherwise (api-docs.deepseek.com/guides/kv_cache, platform.moonshot.ai/docs/api/chat).
"""

from collections.abc import Mapping
from typing import Any

from channeling.providers.usage_fields import count_in, object_in
from channeling.usage.token_counts import TokenCounts


def token_counts(usage: Mapping[str, Any], *, searches: int) -> TokenCounts | None:
    """Return the counts of a `usage` object, or None when it reports none.

    `searches` is how many web searches the answer showed: taken where the usage does not say how many there were.
    """
    prompt, completion = count_in(usage, "prompt_tokens"), count_in(usage, "completion_tokens")
    if prompt is None and completion is None:
        return None
    read = _cached_tokens(usage)
    written = count_in(object_in(usage, "prompt_tokens_details"), "cache_write_tokens") or 0
    reasoning = count_in(object_in(usage, "completion_tokens_details"), "reasoning_tokens") or 0
    output = completion or 0
    if reasoning and count_in(usage, "total_tokens") == (prompt or 0) + output + reasoning:
        output += reasoning  # xAI counts reasoning beside the completion, and both in the total
    reported_searches = reported_web_searches(usage)
    return TokenCounts(
        input_tokens=max(0, (prompt or 0) - read - written),
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
        output_tokens=output,
        thinking_tokens=min(reasoning, output),
        web_search_requests=searches if reported_searches is None else reported_searches,
    )


def reported_web_searches(usage: Mapping[str, Any]) -> int | None:
    """Return how many web searches a `usage` object reports; None where it says nothing of them."""
    return count_in(object_in(usage, "server_tool_use_details"), "web_search_requests")


def reports_output(usage: Mapping[str, Any], *, wrote: bool) -> bool:
    """Say whether a `usage` object reports the output. A 0 beside an answer that was seen is no report: some
    servers send zeros for what they did not count."""
    completion = count_in(usage, "completion_tokens")
    return completion is not None and (completion > 0 or not wrote)


def _cached_tokens(usage: Mapping[str, Any]) -> int:
    for holder, name in (
        (object_in(usage, "prompt_tokens_details"), "cached_tokens"),
        (usage, "prompt_cache_hit_tokens"),
        (usage, "cached_tokens"),
    ):
        if (count := count_in(holder, name)) is not None:
            return count
    return 0
