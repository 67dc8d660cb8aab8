"""What a server of chat completions takes beyond the common ground, and how it calls it."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from channeling.providers.thinking_request import ThinkingRequest
from channeling.providers.web_search_tool import WebSearchTool


def effort_alone(thinking: ThinkingRequest) -> Mapping[str, Any]:
    """Return `reasoning_effort` and no more: it is of OpenAI's (`types/chat/completion_create_params.py`)."""
    return {} if thinking.effort is None else {"reasoning_effort": thinking.effort}


class Dialect(Struct, frozen=True):
    """One kind of server; the defaults are what every known one takes.

    `reasoning_of` returns keys of the body; `search_tool_of` a tool that the server itself runs, None for a server
    that searches nothing. `least_output_tokens` is the lowest `max_tokens` that is taken.
    """

    takes_files: bool = False
    takes_cache_control: bool = False
    takes_reasoning_details: bool = False
    takes_top_k: bool = False
    # Strict mode is said of each tool, also where it is off; else only where it is on.
    says_strict: bool = False
    # Usage is in a stream only if it is asked for (`types/chat/chat_completion_stream_options_param.py`).
    asks_for_usage: bool = True
    least_output_tokens: int = 1
    reasoning_of: Callable[[ThinkingRequest], Mapping[str, Any]] = effort_alone
    search_tool_of: Callable[[WebSearchTool], Mapping[str, Any]] | None = None


PLAIN = Dialect()
"""vLLM, Ollama, LM Studio, DeepSeek, Mistral and the rest."""
