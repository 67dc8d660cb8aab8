"""Items of a repaired history as the messages of a chat completion.

Servers, and the templates of the models behind them, insist on an order: one assistant message for a turn, the
results of all its calls right behind it, then one user message. `openai` 3.54.0,
`types/chat/chat_completion_message_param.py`.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from channeling.providers.chat_completions.call_signatures import with_signed_calls
from channeling.providers.chat_completions.model_traits import ChatModelTraits
from channeling.providers.content_blocks import Part
from channeling.providers.history import Item

Message = dict[str, Any]

# Few models take a system message in the middle, and many templates fail on one.
SYSTEM_MARK = "[system message]\n"
# Results of tools are text alone: what else is in them follows in a user message.
SEE_BELOW = "(see the files below)"
BRIDGE = "(I have read the results.)"
_SHORT_ID = re.compile(r"[a-zA-Z0-9]{9}")


def chat_messages(items: Sequence[Item], traits: ChatModelTraits) -> list[Message]:
    """Return the messages for items in which every call has one output."""
    outputs = {item["call_id"]: item for item in items if item["type"] == "function_call_output"}
    messages: list[Message] = []
    turn = _Turn()
    for item in items:
        if _is_said(item):
            turn.add(item)
            continue
        _add_turn(messages, turn, outputs, traits)
        turn = _Turn()
        if item["type"] == "message":
            _add_user(messages, _user_parts(item), traits)
    _add_turn(messages, turn, outputs, traits)
    return messages


def content_of(parts: Sequence[Part]) -> str | list[Part]:
    """Return parts as the content of a message: one text where they are no more, blocks apart by a blank line."""
    if all(part.keys() == {"type", "text"} for part in parts):
        return "\n\n".join(part["text"] for part in parts)
    return [_chat_part(part) for part in parts]


class _Turn(Struct):
    """What an assistant said, thought and called before anyone else had a turn."""

    texts: list[str] = field(default_factory=list)
    calls: list[Item] = field(default_factory=list)
    details: list[Mapping[str, Any]] = field(default_factory=list)
    reasoning: dict[str, str] = field(default_factory=dict)

    def add(self, item: Item) -> None:
        match item["type"]:
            case "function_call":
                self.calls.append(item)
            case "reasoning":
                self.details += item["details"]
                for key, text in item["text"].items():
                    self.reasoning[key] = self.reasoning.get(key, "") + text
            case _:
                self.texts.append(item["content"])


def _is_said(item: Item) -> bool:
    return item["type"] in ("function_call", "reasoning") or item.get("role") == "assistant"


def _add_turn(
    messages: list[Message], turn: _Turn, outputs: Mapping[str, Item], traits: ChatModelTraits
) -> None:
    if not turn.texts and not turn.calls:
        return
    message: Message = {"role": "assistant", "content": "\n\n".join(turn.texts) or None}
    if turn.calls:
        message["tool_calls"] = [_call(call, traits) for call in turn.calls]
        # Only where it led to calls is text of reasoning wanted back, and by some refused anywhere else.
        message |= turn.reasoning if not turn.details else {}
    if turn.details:
        message["reasoning_details"] = list(turn.details)
    messages.append(with_signed_calls(message) if traits.signs_calls else message)
    beside: list[Part] = []
    for call in turn.calls:
        text, more = _result(outputs[call["call_id"]]["output"], call["name"])
        call_id = _call_id(call["call_id"], traits)
        messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
        beside += more
    if beside:
        _add_user(messages, beside, traits)


def _call(call: Item, traits: ChatModelTraits) -> dict[str, Any]:
    function = {"name": call["name"], "arguments": call["arguments"]}
    return {"id": _call_id(call["call_id"], traits), "type": "function", "function": function}


def _call_id(call_id: str, traits: ChatModelTraits) -> str:
    if not traits.short_call_ids or _SHORT_ID.fullmatch(call_id):
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:9]


def _result(output: str | list[Part], name: str) -> tuple[str | list[Part], list[Part]]:
    """Return the text of a result, and what of it has to stand in a user message."""
    if isinstance(output, str):
        return output, []
    texts = [part for part in output if part["type"] == "input_text"]
    more = [part for part in output if part["type"] != "input_text"]
    if more:
        more = [{"type": "input_text", "text": f"From the result of {name}:"}, *more]
        texts = texts or [{"type": "input_text", "text": SEE_BELOW}]
    return content_of(texts), more


def _user_parts(item: Item) -> list[Part]:
    if item["role"] != "developer":
        return list(item["content"])
    first, *others = item["content"]
    return [{**first, "text": SYSTEM_MARK + first["text"]}, *others]


def _add_user(messages: list[Message], parts: list[Part], traits: ChatModelTraits) -> None:
    """Add a user message, to the one before it if that is one too: many templates want turns to alternate."""
    content = content_of(parts)
    last = messages[-1] if messages else None
    if last is not None and last["role"] == "user":
        messages[-1] = {**last, "content": _joined(last["content"], content)}
    elif last is None or last["role"] != "tool" or traits.user_after_tool:
        messages.append({"role": "user", "content": content})
    elif all(part["type"] == "input_text" for part in parts):
        messages[-1] = {**last, "content": _joined(last["content"], content)}
    else:
        messages.append({"role": "assistant", "content": BRIDGE})
        messages.append({"role": "user", "content": content})


def _joined(first: str | list[Part], second: str | list[Part]) -> str | list[Part]:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*_as_parts(first), *_as_parts(second)]


def _as_parts(content: str | list[Part]) -> list[Part]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _chat_part(part: Part) -> Part:
    match part["type"]:
        case "input_image":
            return {"type": "image_url", "image_url": {"url": part["image_url"]}}
        case "input_file":
            data = part.get("file_data") or part["file_url"]
            return {
                "type": "file",
                "file": {"filename": part.get("filename", "document.pdf"), "file_data": data},
            }
    return {**part, "type": "text"}


def has_files(messages: Iterable[Message]) -> bool:
    """Say whether any of the messages has a file in it."""
    return any(part["type"] == "file" for part in _parts(messages))


def _parts(messages: Iterable[Message]) -> Iterator[Part]:
    for message in messages:
        if isinstance(message["content"], list):
            yield from message["content"]
