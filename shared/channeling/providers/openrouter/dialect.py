"""What OpenRouter takes beyond what every server of chat completions does.

`openrouter` 1.3.84, `components/chatrequest.py` and the types that it uses.
"""

from collections.abc import Mapping
from typing import Any

from channeling.providers.chat_completions.dialect import Dialect
from channeling.providers.thinking_request import ThinkingRequest
from channeling.providers.web_search_tool import WebSearchTool

SEARCH_TOOL = "openrouter:web_search"
# What is held for a search is the price of Exa's: $4 for 1,000 results. Native engines have prices of their own,
# and but for Anthropic's no bound on searches (openrouter.ai/docs/guides/features/server-tools/web-search;
# `components/websearchconfig.py`, `max_uses`).
SEARCH_ENGINE, RESULTS_PER_SEARCH = "exa", 5
# "Some providers enforce a minimum of 16" (`components/chatrequest.py`, `max_tokens`).
LEAST_OUTPUT_TOKENS = 16


def _reasoning(thinking: ThinkingRequest) -> Mapping[str, Any]:
    # An effort that the model does not take becomes the nearest one there
    # (openrouter.ai/docs/guides/best-practices/reasoning-tokens, "Reasoning effort level").
    return {} if thinking.effort is None else {"reasoning": {"effort": thinking.effort}}


def _search_tool(asked: WebSearchTool) -> Mapping[str, Any]:
    parameters: dict[str, Any] = {"engine": SEARCH_ENGINE, "max_results": RESULTS_PER_SEARCH}
    if asked.max_uses is not None:
        parameters |= {"max_uses": asked.max_uses, "max_total_results": asked.max_uses * RESULTS_PER_SEARCH}
    if asked.allowed_domains:
        parameters["allowed_domains"] = list(asked.allowed_domains)
    if asked.blocked_domains:
        parameters["excluded_domains"] = list(asked.blocked_domains)
    if asked.user_location is not None:
        parameters["user_location"] = {"type": "approximate", **asked.user_location}
    return {"type": SEARCH_TOOL, "parameters": parameters}


OPENROUTER = Dialect(
    takes_files=True,
    takes_cache_control=True,
    takes_reasoning_details=True,
    takes_top_k=True,
    says_strict=True,
    asks_for_usage=False,
    least_output_tokens=LEAST_OUTPUT_TOKENS,
    reasoning_of=_reasoning,
    search_tool_of=_search_tool,
)
