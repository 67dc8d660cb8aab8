"""The messages of a request as items, in their order; `history_repair` makes them a history that providers take.

Items have the form of the Responses API's input, from which chat completions' messages are made. They carry the
client's own tool ids here, and no ids of their own: an item id that nothing upstream stored is refused. Reasoning
is the exception, and whether a signature carries any that may go back is the provider's to say.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from msgspec import Struct

from channeling.providers.content_blocks import (
    ContentTerms,
    Part,
    block_parts,
    parts_of,
    text_part,
    with_cache_control,
)
from channeling.providers.names import short_name
from channeling.providers.refusal import Place, invalid, list_of, object_of, text_of, unsupported
from channeling.providers.server_tool_notes import is_server_tool_block, server_tool_note

Item = dict[str, Any]

# No other provider has `is_error`, or takes an empty output.
ERROR_MARK = "[error] "
NO_OUTPUT = "(no output)"


class HistoryTerms(Struct, frozen=True):
    """What of a history goes back to a model, and in which form.

    `reasoning_of` returns the item (`type: reasoning`) for what a block of thinking is signed with, None where
    nothing of it may go back; one with an `id` goes back once. `notes_end_reasoning`: where what a provider's own
    tool did goes back as text, the reasoning right before it does not.
    """

    content: ContentTerms
    reasoning_of: Callable[[Any], Item | None]
    notes_end_reasoning: bool


def input_items(messages: Iterable[Any], terms: HistoryTerms) -> list[Item]:
    """Return the items of all messages; raise InvalidRequest naming the block that cannot be sent."""
    history = _History(terms)
    messages = [object_of(message, ("messages", position)) for position, message in enumerate(messages)]
    last_user = max(
        (position for position, message in enumerate(messages) if message.get("role") == "user"), default=-1
    )
    for position, message in enumerate(messages):
        place: Place = ("messages", position)
        match message.get("role"):
            case "user":
                history.add_user(message, place)
            case "assistant":
                history.add_assistant(message, place)
            case "system":
                # `clear_at: next_user_message`: no longer shown once a later user message exists.
                if message.get("clear_at") != "next_user_message" or position > last_user:
                    history.add_system(message, place)
            case role:
                raise invalid((*place, "role"), f"{role!r} should be 'user', 'assistant' or 'system'")
    return history.items


class _History:
    """Collects items, one message after the other."""

    def __init__(self, terms: HistoryTerms) -> None:
        self.items: list[Item] = []
        self._terms = terms
        self._content = terms.content
        self._replayed: set[str] = set()
        # Whether the block right before has citations, which tear one text apart; None where it is no text.
        self._last_is_cited: bool | None = None

    def add_user(self, message: Mapping[str, Any], place: Place) -> None:
        """Add a user message: all results of tools first, then the rest of it in order."""
        content, place = message.get("content"), (*place, "content")
        if isinstance(content, str):
            self._add_message("user", [text_part(content)] if content else [])
            return
        parts: list[Part] = []
        for position, block in enumerate(list_of(content, place)):
            block_place = (*place, position)
            block = object_of(block, block_place)
            if block.get("type") == "tool_result":
                self._add_result(block, block_place)
            else:
                parts += block_parts(block, block_place, self._content)
        self._add_message("user", parts)

    def add_system(self, message: Mapping[str, Any], place: Place) -> None:
        """Add a system message in the middle of the conversation, as a developer's."""
        content = message.get("content")
        parts = [] if content is None else parts_of(content, (*place, "content"), self._content)
        if any(part["type"] != "input_text" for part in parts):
            raise invalid((*place, "content"), "a system message holds text alone")
        self._add_message("developer", parts)

    def add_assistant(self, message: Mapping[str, Any], place: Place) -> None:
        """Add what an assistant said, thought and called, in its order."""
        content, place = message.get("content"), (*place, "content")
        if isinstance(content, str):
            self._add_said(content)
            return
        self._last_is_cited = None
        for position, block in enumerate(list_of(content, place)):
            block_place = (*place, position)
            block = object_of(block, block_place)
            kind = block.get("type")
            if kind != "text":
                self._last_is_cited = None
            match kind:
                case "text":
                    self._add_text_block(block, block_place)
                case "thinking":
                    self._add_reasoning(block.get("signature"))
                case "redacted_thinking":
                    self._add_reasoning(block.get("data"))
                case "tool_use":
                    self.items.append(_call(block, block_place))
                case "compaction":
                    for part in block_parts(block, block_place, self._content):
                        self._add_said(part["text"])
                case "fallback" | "mcp_tool_listing":
                    pass  # Marks of the provider's own, which are not shown to the model there either.
                case _ if is_server_tool_block(kind):
                    self._add_server_tool(server_tool_note(block, block_place))
                case None:
                    raise invalid((*block_place, "type"), "Field required")
                case _:
                    raise unsupported(block_place, f"a {kind!r} block of an assistant message")

    def _add_message(self, role: str, parts: list[Part]) -> None:
        if parts:
            self.items.append({"type": "message", "role": role, "content": parts})

    def _add_said(self, text: str) -> None:
        # Text of an assistant is a plain string: `output_text` parts belong to messages with an id
        # (`types/responses/response_output_message_param.py`), which nothing upstream has stored.
        if text:
            self.items.append({"type": "message", "role": "assistant", "content": text})

    def _add_text_block(self, block: Mapping[str, Any], place: Place) -> None:
        text, is_cited = text_of(block, "text", place), bool(block.get("citations"))
        if not text:
            return
        if self._last_is_cited is not None and (is_cited or self._last_is_cited):
            self.items[-1]["content"] += text
        else:
            self._add_said(text)
        self._last_is_cited = is_cited

    def _add_reasoning(self, signature: Any) -> None:
        """Replay reasoning that is the provider's own; any other thinking is left out."""
        item = self._terms.reasoning_of(signature)
        if item is None or item.get("id") in self._replayed:
            return
        if "id" in item:
            self._replayed.add(item["id"])
        self.items.append(item)

    def _add_server_tool(self, note: str) -> None:
        if self._terms.notes_end_reasoning:
            while self.items and self.items[-1]["type"] == "reasoning":
                self.items.pop()
        self._add_said(note)

    def _add_result(self, block: Mapping[str, Any], place: Place) -> None:
        call_id, content = text_of(block, "tool_use_id", place), block.get("content")
        parts = [] if content is None else parts_of(content, (*place, "content"), self._content)
        parts = parts or [text_part(NO_OUTPUT)]
        mark = ERROR_MARK if block.get("is_error") else ""
        parts = with_cache_control(parts, block, place, self._content)
        output: str | list[Part]
        if all(part.keys() == {"type", "text"} for part in parts):
            output = mark + "\n".join(part["text"] for part in parts)
        else:
            output = [text_part(mark.strip()), *parts] if mark else parts
        self.items.append({"type": "function_call_output", "call_id": call_id, "output": output})


def _call(block: Mapping[str, Any], place: Place) -> Item:
    arguments = object_of(block.get("input"), (*place, "input"))
    try:
        dumped = orjson.dumps(arguments).decode()
    except orjson.JSONEncodeError as error:
        raise invalid((*place, "input"), f"{error}: it is nested too deeply") from error
    return {
        "type": "function_call",
        "call_id": text_of(block, "id", place),
        "name": short_name(text_of(block, "name", place)),
        "arguments": dumped,
    }
