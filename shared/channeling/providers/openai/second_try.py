"""What to ask instead where OpenAI refuses a part of a request that it can do without.

What a model or an account takes changes without notice, and a refused parameter would come back with every turn of
a conversation. Error bodies: `{"error": {"code", "param", "message"}}`.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from channeling.providers.openai.errors import refuses_reasoning
from channeling.providers.openai.model_traits import EFFORTS, ModelTraits
from channeling.providers.openai.output_limits import LEAST_OUTPUT_TOKENS

_REFUSAL_CODES = frozenset(
    {"unsupported_value", "unsupported_parameter", "unknown_parameter", "invalid_value", None}
)
# "Unsupported value: 'max' is not supported with the 'gpt-5.2' model. Supported values are: 'none', 'low', …"
_SUPPORTED_VALUES = re.compile(r"[Ss]upported values are:(.*)")
# "max_output_tokens is too large: 200000. This model supports at most 128000 completion tokens, …"
_MOST_TOKENS = re.compile(r"at most (\d+)")
_DISPENSABLE = frozenset({"temperature", "top_p", "safety_identifier", "prompt_cache_key"})


def second_body(body: Mapping[str, Any], status: int, answer: bytes) -> dict[str, Any] | None:
    """Return the body to send once more after an error answer, or None where there is nothing to leave out."""
    if refuses_reasoning(answer):
        # Sealed for another account or model, it would be refused for ever.
        kept = [item for item in body["input"] if item["type"] != "reasoning"]
        return {**body, "input": kept} if len(kept) < len(body["input"]) else None
    error = _error_of(answer)
    param, message = error.get("param"), str(error.get("message"))
    code = error.get("code")
    if status != 400 or not isinstance(param, str) or not (code is None or isinstance(code, str)):
        return None
    if code not in _REFUSAL_CODES:
        return None
    if param in _DISPENSABLE:
        return _without(body, param)
    if param.endswith(".phase"):
        items = [_without(item, "phase") or item for item in body["input"]]
        return {**body, "input": items} if items != body["input"] else None
    match param:
        case "reasoning.summary":
            # 400 "Your organization must be verified to generate reasoning summaries."
            return _with_reasoning(body, _without(body.get("reasoning", {}), "summary"))
        case "reasoning.effort":
            return _with_reasoning(body, _with_effort(body.get("reasoning", {}), message))
        case "max_output_tokens":
            return _with_output_tokens(body, message)
    return None


def _with_reasoning(body: Mapping[str, Any], reasoning: dict[str, Any] | None) -> dict[str, Any] | None:
    if reasoning is None:
        return None
    return {**body, "reasoning": reasoning} if reasoning else _without(body, "reasoning")


def _with_effort(reasoning: Mapping[str, Any], message: str) -> dict[str, Any] | None:
    """Return the next lower effort of those that the message names, or the model's own where it names none."""
    asked = reasoning.get("effort")
    if asked not in EFFORTS:
        return None
    found = _SUPPORTED_VALUES.search(message)
    named = re.findall(r"'(\w+)'", found[1]) if found else []
    supported = tuple(effort for effort in EFFORTS if effort in named and effort != asked)
    if not supported:
        return _without(reasoning, "effort")
    return {**reasoning, "effort": ModelTraits(supported).nearest_effort(asked)}


def _with_output_tokens(body: Mapping[str, Any], message: str) -> dict[str, Any] | None:
    found = _MOST_TOKENS.search(message)
    most = int(found[1][:12]) if found else 0
    if not LEAST_OUTPUT_TOKENS <= most < body.get("max_output_tokens", 0):
        return None
    return {**body, "max_output_tokens": most}


def _without(mapping: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    return {name: value for name, value in mapping.items() if name != key} if key in mapping else None


def _error_of(answer: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}
