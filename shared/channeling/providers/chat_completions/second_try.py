"""What to ask instead where a server refuses a part of a request that it can do without.

Which parameters a model takes differs by server, and changes without notice; signatures of reasoning are only good
at the provider that made them. A refusal would come back with every turn of a conversation.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from channeling.providers.chat_completions.call_signatures import with_signed_calls
from channeling.providers.chat_completions.messages import Message
from channeling.providers.chat_completions.model_traits import chat_model_traits

Body = Mapping[str, Any]

# Without these an answer is still the answer that was asked for. Tools, formats and messages are not among them.
_DISPENSABLE = (
    *("temperature", "top_p", "top_k", "reasoning", "reasoning_effort", "parallel_tool_calls"),
    *("stream_options", "user", "session_id", "plugins", "strict", "cache_control"),
)
_COMMON_WORDS = frozenset({"user", "strict", "plugins"})
# What providers behind OpenRouter may not know, so that under `require_parameters` none of them is left.
_OFTEN_UNKNOWN = ("temperature", "top_p", "top_k", "reasoning", "parallel_tool_calls")
_REFUSES_REPLAY = (
    r"thought.?signature|reasoning[ _]details|invalid `?signature`? in|encrypted content"
    r"|could not be (verified|decrypted)"
)
_WANTS_REASONING = r"reasoning_content.{0,80}(passed back|missing)|reasoning_content is missing"
_REFUSAL = (
    r"unsupported|not supported|does ?n.t support|unknown|unrecognized|unexpected|not permitted|not allowed"
    r"|extra inputs|extra fields|invalid (parameter|argument|value)|additional properties"
)
# "This endpoint's maximum context length is 32768 tokens. However, you requested about 40000 tokens (8000 of text
# input, 32000 in the output)"; vLLM: "This model's maximum context length is 4096 tokens and your request has 96
# input tokens", "(96 in the messages, 9000 in the completion)".
_CONTEXT = r"maximum context length is (\d{1,12})"
_INPUT = r"(\d{1,12}) (?:of text input|in the messages|input tokens|tokens from the input)"
# "max_tokens is too large: 200000. This model supports at most 16384 completion tokens".
_MOST_OUTPUT = r"supports at most (\d{1,12}) completion tokens"
_CLIENT_ERRORS = (400, 404, 422)


def second_body(body: Body, status: int, answer: bytes) -> dict[str, Any] | None:
    """Return the body to send once more after an error answer, or None where there is nothing to leave out."""
    if status not in _CLIENT_ERRORS:
        return None
    said = "\n".join(_texts(answer)).lower()
    for attempt in _ATTEMPTS:
        again = attempt(body, said)
        if again is not None and again != body:
            return again
    return None


def _without_replay(body: Body, said: str) -> dict[str, Any] | None:
    replays = any("reasoning_details" in message for message in body["messages"])
    if not replays or not re.search(_REFUSES_REPLAY, said):
        return None
    signs_calls = chat_model_traits(body["model"]).signs_calls
    messages = [_without_details(message, signs_calls=signs_calls) for message in body["messages"]]
    return {**body, "messages": messages}


def _without_details(message: Message, *, signs_calls: bool) -> Message:
    kept = {key: value for key, value in message.items() if key != "reasoning_details"}
    return with_signed_calls(kept) if signs_calls else kept


def _without_thinking(body: Body, said: str) -> dict[str, Any] | None:
    """Turns of another model hold no reasoning, and so cannot be continued by one that thinks."""
    if not re.search(_WANTS_REASONING, said):
        return None
    if "plugins" in body:  # OpenRouter's alone
        return {**body, "reasoning": {"effort": "none"}}
    # DeepSeek's and Moonshot's own API (api-docs.deepseek.com/guides/thinking_mode).
    return {**_without(body, "reasoning_effort"), "thinking": {"type": "disabled"}}


def _with_reasoning_left_to_the_model(body: Body, said: str) -> dict[str, Any] | None:
    if "reasoning is mandatory" not in said:
        return None
    return _without(body, "reasoning")


def _with_what_all_know(body: Body, said: str) -> dict[str, Any] | None:
    """OpenRouter: "No endpoints found that can handle the requested parameters"."""
    if "no endpoints found" not in said or "parameters" not in said:
        return None
    return _without(body, *_OFTEN_UNKNOWN)


def _with_less_output(body: Body, said: str) -> dict[str, Any] | None:
    asked, most = body.get("max_tokens"), None
    if found := re.search(_MOST_OUTPUT, said):
        most = int(found[1])
    elif (context := re.search(_CONTEXT, said)) and (taken := re.search(_INPUT, said)):
        most = int(context[1]) - int(taken[1])
    if asked is None or most is None or not 1 <= most < asked:
        return None
    return {**body, "max_tokens": most}


def _without_a_parameter(body: Body, said: str) -> dict[str, Any] | None:
    if not re.search(_REFUSAL, said):
        return None
    named = [key for key in _DISPENSABLE if _names(said, key)]
    again = _without(body, *named)
    if "strict" in named and "tools" in body:
        again["tools"] = [_without_strict(tool) for tool in body["tools"]]
    return _without_cache_control(again) if "cache_control" in named else again


def _names(said: str, key: str) -> bool:
    """Say whether an error is about a parameter; one that is a common word must be quoted, or a text of its own."""
    pattern = rf"^{key}$|['\"`]{key}['\"`]" if key in _COMMON_WORDS else rf"\b{key}\b"
    return re.search(pattern, said, re.MULTILINE) is not None


_ATTEMPTS: tuple[Callable[[Body, str], dict[str, Any] | None], ...] = (
    _without_replay,
    _without_thinking,
    _with_reasoning_left_to_the_model,
    _with_what_all_know,
    _with_less_output,
    _without_a_parameter,
)


def _without(mapping: Body, *keys: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in keys}


def _without_strict(tool: Body) -> dict[str, Any]:
    if tool.get("type") != "function":
        return dict(tool)
    return {**tool, "function": _without(tool["function"], "strict")}


def _without_cache_control(body: Body) -> dict[str, Any]:
    again = {
        **_without(body, "cache_control"),
        "messages": [_unmarked(message) for message in body["messages"]],
    }
    if "tools" in body:
        again["tools"] = [_without(tool, "cache_control") for tool in body["tools"]]
    return again


def _unmarked(message: Message) -> Message:
    content = message["content"]
    if not isinstance(content, list):
        return message
    return {**message, "content": [_without(part, "cache_control") for part in content]}


def _texts(answer: bytes) -> Iterator[str]:
    """Yield all texts of an error answer, wherever they stand: each server has a shape of its own."""
    try:
        stack: list[Any] = [orjson.loads(answer)]
    except orjson.JSONDecodeError:
        yield answer.decode("utf-8", "replace")
        return
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, str):
            yield node
