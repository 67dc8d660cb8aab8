"""Whether OpenRouter would take a chat completion: its official package's types, then what it and those behind it
are known to refuse.

The types are those of `openrouter` 1.3.84 (`components/chatrequest.py`), to the letter, with the fields of
`reasoning` that the documentation has beyond them (openrouter.ai/docs/guides/best-practices/reasoning-tokens). The
refusals beyond them were each seen in public reports; a server that is not OpenRouter takes a part of this only.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from openrouter.components.chatrequest import ChatRequestTypedDict

from tests.stand_ins.openai_schemas import schema_complaints
from tests.stand_ins.typed_dict_check import complaints

LONGEST_ID = 64
LONGEST_NAME = 64
LONGEST_SESSION = 256
LONGEST_USER = 128
MOST_STOPS = 4
# What every server that speaks chat completions knows, of what we have reason to send
# (`openai` 3.54.0, `types/chat/completion_create_params.py`).
PLAIN_KEYS = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",  # vLLM, Ollama and others beyond OpenAI's
        "stop",
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "user",
        "seed",
    }
)
_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_DOCUMENTED_REASONING = {"max_tokens": int, "exclude": bool, "enabled": bool}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error of the API: its message, the status and where in the request it is."""

    message: str
    where: str = ""
    status: int = 400


def refusals(body: Any, *, plain: bool = False, issued: Mapping[str, Any] | None = None) -> list[Refusal]:
    """Return all that is wrong with the body of POST /chat/completions.

    `plain`: the server is not OpenRouter, and knows nothing of what is OpenRouter's own. `issued` are the texts and
    ciphertexts of `reasoning_details` by id that were given out; None: not known.
    """
    if not isinstance(body, dict):
        return [Refusal("Invalid JSON payload")]
    found = [
        Refusal(complaint, complaint.partition(":")[0].lstrip("."))
        for complaint in complaints(
            _without_reasoning_content(_without_documented_reasoning(body), plain=plain), ChatRequestTypedDict
        )
    ]
    if plain:
        found += [Refusal(f"Unknown field: {key}", key) for key in body.keys() - PLAIN_KEYS]
    if found:
        return found
    if "model" not in body:
        return [Refusal("No models provided", "model")]
    return [
        *_messages(body["messages"], plain=plain, issued=issued),
        *_of_gemini(body),
        *_of_mistral(body),
        *_tools(body),
        *_parameters(body),
    ]


def assert_taken(body: Any, *, plain: bool = False, issued: Mapping[str, Any] | None = None) -> None:
    """Raise AssertionError, saying all that the API would refuse."""
    found = refusals(body, plain=plain, issued=issued)
    assert not found, "\n".join(f"{refusal.where}: {refusal.message}" for refusal in found)


def _without_documented_reasoning(body: Mapping[str, Any]) -> Mapping[str, Any]:
    reasoning = body.get("reasoning")
    if not isinstance(reasoning, dict):
        return body
    kept = {
        key: value
        for key, value in reasoning.items()
        if key not in _DOCUMENTED_REASONING or type(value) is not _DOCUMENTED_REASONING[key]
    }
    return {**body, "reasoning": kept}


def _without_reasoning_content(body: Mapping[str, Any], *, plain: bool) -> Mapping[str, Any]:
    """Return the body without what DeepSeek and its like call reasoning, which OpenRouter's types do not know."""
    messages = body.get("messages")
    if not plain or not isinstance(messages, list):
        return body
    kept = [
        {key: value for key, value in message.items() if key != "reasoning_content"}
        if isinstance(message, dict) and isinstance(message.get("reasoning_content"), str)
        else message
        for message in messages
    ]
    return {**body, "messages": kept}


# Messages.


def _messages(
    messages: list[dict[str, Any]], *, plain: bool, issued: Mapping[str, Any] | None
) -> Iterator[Refusal]:
    if not any(message["role"] != "system" for message in messages):
        yield Refusal("Input must have at least 1 message", "messages")
    waiting: list[str] = []
    called: set[str] = set()
    for position, message in enumerate(messages):
        where = f"messages[{position}]"
        if message["role"] == "tool":
            yield from _tool_result(message, where, waiting)
            continue
        if waiting:
            message_ids = ", ".join(waiting)
            yield Refusal(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                f"'tool_call_id'. (insufficient tool messages following tool_calls message: {message_ids})",
                where,
            )
            waiting = []
        yield from _content(message, where)
        if message["role"] == "assistant":
            yield from _assistant(message, where, called, plain=plain, issued=issued)
            waiting = [call["id"] for call in message.get("tool_calls") or ()]
    if waiting:
        yield Refusal(f"insufficient tool messages following tool_calls message: {waiting}", "messages")


def _tool_result(message: Mapping[str, Any], where: str, waiting: list[str]) -> Iterator[Refusal]:
    if message["tool_call_id"] not in waiting:
        yield Refusal(
            "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'", where
        )
    else:
        waiting.remove(message["tool_call_id"])
    content = message["content"]
    if not isinstance(content, str) and any(part["type"] != "text" for part in content):
        yield Refusal("Tool messages may hold text only", f"{where}.content")
    if not content:
        yield Refusal("Tool messages must not be empty", f"{where}.content")


def _content(message: Mapping[str, Any], where: str) -> Iterator[Refusal]:
    content = message.get("content")
    if isinstance(content, str):
        if not content:
            yield Refusal("all messages must have non-empty content", where)
        return
    if content is None:
        return
    if not content:
        yield Refusal("all messages must have non-empty content", where)
    for position, part in enumerate(content):
        yield from _part(part, message["role"], f"{where}.content[{position}]")


def _part(part: Mapping[str, Any], role: str, where: str) -> Iterator[Refusal]:
    match part["type"]:
        case "text":
            if not part["text"]:
                yield Refusal("text content blocks must be non-empty", where)
        case _ if role != "user":
            yield Refusal(f"Only text is allowed in messages with role '{role}'", where)
        case "image_url":
            if not re.match(r"https?://|data:image/(png|jpeg|gif|webp);base64,\S", part["image_url"]["url"]):
                yield Refusal("Invalid URL format", f"{where}.image_url")
        case "file":
            data = part["file"].get("file_data") or ""
            if not re.match(r"https?://|data:application/pdf;base64,\S", data):
                yield Refusal("Invalid file: a PDF as data URL, or an address", f"{where}.file")
            if not part["file"].get("filename"):
                yield Refusal("Invalid file: no filename", f"{where}.file")


def _assistant(
    message: Mapping[str, Any],
    where: str,
    called: set[str],
    *,
    plain: bool,
    issued: Mapping[str, Any] | None,
) -> Iterator[Refusal]:
    calls = message.get("tool_calls")
    if calls == []:
        yield Refusal("[] is too short - 'tool_calls'", where)
    if message.get("content") is None and not calls:
        yield Refusal("Assistant message must have either content or tool_calls", where)
    for call in calls or ():
        yield from _call(call, where, called)
    details = message.get("reasoning_details")
    if details is None:
        return
    if plain:
        yield Refusal("Unknown field: reasoning_details", where)
    for detail in details:
        known = issued is None or detail.get("id") is None or detail["id"] in issued
        if not known or (
            issued and detail.get("id") in issued and issued[detail["id"]] != _unstreamed(detail)
        ):
            yield Refusal(f"Invalid `signature` in reasoning detail {detail.get('id')}", where)


def _unstreamed(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return a detail without its place in the array, which pieces of a stream have and whole ones need not."""
    return {key: value for key, value in detail.items() if key != "index"}


def _call(call: Mapping[str, Any], where: str, called: set[str]) -> Iterator[Refusal]:
    call_id, name = call["id"], call["function"]["name"]
    if not call_id or len(call_id) > LONGEST_ID or not _NAME.fullmatch(call_id):
        yield Refusal(f"Invalid 'tool_calls[].id': {call_id!r}", where)
    if call_id in called:
        yield Refusal(f"Duplicate tool call id {call_id}", where)
    called.add(call_id)
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        yield Refusal(f"Invalid function name {name!r}", where)
    arguments = call["function"]["arguments"]
    if not arguments.startswith("{"):
        yield Refusal(f"Function arguments must be a JSON object, not {arguments[:20]!r}", where)


def _of_gemini(body: Mapping[str, Any]) -> Iterator[Refusal]:
    if not body["model"].startswith("google/gemini-3"):
        return
    for position, message in enumerate(body["messages"]):
        if message.get("tool_calls") and not message.get("reasoning_details"):
            yield Refusal(
                "Gemini models require OpenRouter reasoning details to be preserved in each request",
                f"messages[{position}]",
            )


def _of_mistral(body: Mapping[str, Any]) -> Iterator[Refusal]:
    if not re.match(r"mistralai/|(mistral|devstral|codestral)", body["model"]):
        return
    messages = body["messages"]
    for position, message in enumerate(messages):
        for call in message.get("tool_calls") or ():
            if not re.fullmatch(r"[a-zA-Z0-9]{9}", call["id"]):
                words = f"Tool call id was {call['id']} but must be a-z, A-Z, 0-9, with a length of 9."
                yield Refusal(words, f"messages[{position}]")
        if message["role"] == "user" and position and messages[position - 1]["role"] == "tool":
            yield Refusal("Unexpected role 'user' after role 'tool'", f"messages[{position}]")


# Tools and the other parameters.


def _tools(body: Mapping[str, Any]) -> Iterator[Refusal]:
    tools = body.get("tools")
    if tools == []:
        yield Refusal("[] is too short - 'tools'", "tools")
    names: set[str] = set()
    for position, tool in enumerate(tools or ()):
        if tool["type"] != "function":
            continue
        where, function = f"tools[{position}]", tool["function"]
        name = function["name"]
        if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
            yield Refusal(f"Invalid function name {name!r}", where)
        if name in names:
            yield Refusal(f"Duplicate function name {name}", where)
        names.add(name)
        for complaint in schema_complaints(function.get("parameters"), strict=function.get("strict") is True):
            yield Refusal(f"Invalid schema for function '{name}': {complaint}", where)
    choice = body.get("tool_choice")
    if choice is not None and not tools:
        yield Refusal("tool_choice is only allowed when tools are specified", "tool_choice")
    if isinstance(choice, dict) and choice["type"] == "function" and choice["function"]["name"] not in names:
        yield Refusal("tool_choice names no function of tools", "tool_choice")
    if body.get("parallel_tool_calls") is not None and not tools:
        yield Refusal(
            "'parallel_tool_calls' is only allowed when 'tools' are specified.", "parallel_tool_calls"
        )


def _parameters(body: Mapping[str, Any]) -> Iterator[Refusal]:
    for key in ("max_tokens", "max_completion_tokens"):
        if isinstance(body.get(key), int) and body[key] < 1:
            yield Refusal(f"{key} must be at least 1", key)
    stops = body.get("stop")
    if isinstance(stops, list) and not 1 <= len(stops) <= MOST_STOPS:
        yield Refusal(f"'stop' holds 1 to {MOST_STOPS} strings", "stop")
    for key, longest in (("session_id", LONGEST_SESSION), ("user", LONGEST_USER)):
        if len(body.get(key) or "") > longest:
            yield Refusal(f"Too big: expected string to have <={longest} characters", key)
    reasoning = body.get("reasoning") or {}
    if reasoning.get("effort") is not None and reasoning.get("max_tokens") is not None:
        yield Refusal("Only one of reasoning.effort and reasoning.max_tokens may be set", "reasoning")
    if body.get("stream_options") is not None and body.get("stream") is not True:
        yield Refusal("stream_options is only allowed when stream is enabled", "stream_options")
    asked = body.get("response_format") or {}
    if asked.get("type") == "json_schema" and not _NAME.fullmatch(asked["json_schema"]["name"]):
        yield Refusal("Invalid response_format.json_schema.name", "response_format")
