"""The messages of a request as input items, in their order; `history_repair` makes them a history OpenAI takes.

Items carry the client's own tool ids here, and no ids of their own: an item id that nothing upstream stored is
refused. Reasoning items are the exception, and are replayed only with their ciphertext.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from channeling.providers.names import short_name
from channeling.providers.openai.content_blocks import Part, block_parts, parts_of, text_part
from channeling.providers.openai.model_traits import ModelTraits
from channeling.providers.openai.reasoning_signature import unseal
from channeling.providers.refusal import Place, invalid, list_of, object_of, text_of, unsupported
from channeling.providers.server_tool_notes import is_server_tool_block, server_tool_note

Item = dict[str, Any]

# The Responses API has no `is_error`, and takes no empty output.
ERROR_MARK = "[error] "
NO_OUTPUT = "(no output)"


def input_items(messages: Iterable[Any], traits: ModelTraits) -> list[Item]:
    """Return the items of all messages; raise InvalidRequest naming the block that cannot be sent."""
    history = _History(traits)
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

    def __init__(self, traits: ModelTraits) -> None:
        self.items: list[Item] = []
        self._traits = traits
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
                parts += block_parts(block, block_place, self._traits)
        self._add_message("user", parts)

    def add_system(self, message: Mapping[str, Any], place: Place) -> None:
        """Add a system message in the middle of the conversation, as a developer's."""
        content = message.get("content")
        parts = [] if content is None else parts_of(content, (*place, "content"), self._traits)
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
                    for part in block_parts(block, block_place, self._traits):
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
        """Replay reasoning that is OpenAI's own, once; any other thinking is left out."""
        reasoning = unseal(signature) if self._traits.reasons else None
        if reasoning is None or reasoning.id in self._replayed:
            return
        self._replayed.add(reasoning.id)
        self.items.append(
            {
                "type": "reasoning",
                "id": reasoning.id,
                "summary": [{"type": "summary_text", "text": text} for text in reasoning.summary],
                "encrypted_content": reasoning.encrypted_content,
            }
        )

    def _add_server_tool(self, note: str) -> None:
        # The reasoning before it led to an item that is not sent again, and is refused without it.
        while self.items and self.items[-1]["type"] == "reasoning":
            self.items.pop()
        self._add_said(note)

    def _add_result(self, block: Mapping[str, Any], place: Place) -> None:
        call_id, content = text_of(block, "tool_use_id", place), block.get("content")
        parts = [] if content is None else parts_of(content, (*place, "content"), self._traits)
        mark = ERROR_MARK if block.get("is_error") else ""
        output: str | list[Part]
        if all(part["type"] == "input_text" for part in parts):
            output = mark + ("\n".join(part["text"] for part in parts) or NO_OUTPUT)
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
