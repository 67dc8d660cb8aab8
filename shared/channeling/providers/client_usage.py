"""What a client is told of an answer's tokens, as Anthropic's `usage` objects."""

from typing import Any

from channeling.providers.answer_stream import Emitted
from channeling.usage.token_counts import TokenCounts

# About four characters of English are a token, of other scripts one: only said, never billed.
_ASCII_CHARACTERS_PER_TOKEN = 4


def starting_usage(input_tokens_estimate: int) -> dict[str, int]:
    """Return the `usage` of `message_start`: an estimate, since clients read how full the context is from it."""
    return {
        "input_tokens": input_tokens_estimate,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 1,
    }


def client_usage(counts: TokenCounts) -> dict[str, Any]:
    """Return the counts as the `usage` of `message_delta` (`anthropic` 2.12.0, `types/message_delta_usage.py`)."""
    usage: dict[str, Any] = {
        "input_tokens": counts.input_tokens,
        "cache_creation_input_tokens": counts.cache_write_5m_tokens + counts.cache_write_1h_tokens,
        "cache_read_input_tokens": counts.cache_read_tokens,
        "output_tokens": counts.output_tokens,
        "output_tokens_details": {"thinking_tokens": counts.thinking_tokens},
    }
    if counts.web_search_requests:
        usage["server_tool_use"] = {
            "web_search_requests": counts.web_search_requests,
            "web_fetch_requests": counts.web_fetch_requests,
        }
    return usage


def estimated_output_tokens(emitted: Emitted) -> int:
    """Return about how many tokens were written: for a client's eyes, where the provider never said."""
    return -(-emitted.ascii_bytes // _ASCII_CHARACTERS_PER_TOKEN) + emitted.non_ascii_chars
