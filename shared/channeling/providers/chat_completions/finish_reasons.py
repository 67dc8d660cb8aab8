"""Why a model stopped, by the words of many vendors, as one of a few outcomes.

`openai` 3.54.0, `types/chat/chat_completion_chunk.py`, and `openrouter` 1.3.84,
`components/chatfinishreasonenum.py`, have the first of each row. The others are of Mistral (`model_length`), Zhipu
(`sensitive`, `network_error`), DeepSeek (`insufficient_system_resource`), SGLang and vLLM (`abort`), llama.cpp
(`eos`), Gemini and Claude in their own words, as thin adapters pass them on.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

Outcome = Literal["ended", "length", "filtered", "failed"]

_WORDS: Mapping[Outcome, str] = {
    "ended": "stop tool_calls function_call eos end_turn stop_sequence tool_use complete completed",
    "length": "length model_length max_tokens max_output_tokens",
    "filtered": "content_filter sensitive safety refusal recitation prohibited_content blocklist spii",
    "failed": "error network_error insufficient_system_resource abort aborted cancelled malformed_function_call",
}
_OUTCOMES: Mapping[str, Outcome] = MappingProxyType(
    {word: outcome for outcome, words in _WORDS.items() for word in words.split()}
)
# Some servers write "no reason yet" as text.
_NO_REASON = frozenset({"", "null", "none"})


def finish_reason_of(value: Any) -> str | None:
    """Return a finish reason in lower case, or None while there is none."""
    if value is None:
        return None
    reason = str(value).lower()
    return None if reason in _NO_REASON else reason


def outcome_of(reason: str) -> Outcome | None:
    """Return what a finish reason comes to; None for one that is not known, which is no good end."""
    return _OUTCOMES.get(reason)
