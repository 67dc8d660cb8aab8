"""What a provider's own tools did in earlier turns, as a note in the history.

Such calls cannot be replayed: OpenAI knows theirs by an id that was not stored, and Anthropic's have no
counterpart. The model is told in a line of text what was called and what came of it; what is encrypted is lost.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from channeling.providers.refusal import Place, invalid, text_of

_CALLS = frozenset({"server_tool_use", "mcp_tool_use"})
_RESULTS = frozenset(
    {
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
        "advisor_tool_result",
        "mcp_tool_result",
    }
)
# What in a result a model can read. Anything else (ciphertext, file ids, whole pages as base64) is left out.
_READABLE = frozenset(
    {
        "title",
        "url",
        "text",
        "stdout",
        "stderr",
        "return_code",
        "error_code",
        "error_message",
        "tool_name",
        "content",
        "lines",
        "page_age",
        "retrieved_at",
        "data",
    }
)


def is_server_tool_block(kind: Any) -> bool:
    """Say whether a block type is a call or a result of a tool that the provider ran."""
    return isinstance(kind, str) and (kind in _CALLS or kind in _RESULTS)


def server_tool_note(block: Mapping[str, Any], place: Place) -> str:
    """Return the note for a call or a result of a tool that the provider ran."""
    if block["type"] in _CALLS:
        try:
            arguments = orjson.dumps(block.get("input")).decode()
        except orjson.JSONEncodeError as error:
            raise invalid((*place, "input"), f"{error}: it is nested too deeply") from error
        return f"[Called {text_of(block, 'name', place)} with {arguments}]"
    kind = block["type"].removesuffix("_tool_result")
    verb = "failed with" if block.get("is_error") is True else "returned"
    readable = "; ".join(_readable(block.get("content")))
    return f"[{kind} {verb}: {readable or 'nothing that can be shown'}]"


def _readable(content: Any) -> Iterator[str]:
    """Yield the readable texts of a result in their order, without recursion: depth is the sender's choice."""
    stack: list[Any] = [{"content": content}]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(reversed(node))
        elif isinstance(node, dict):
            if node.get("type") == "base64":
                continue
            yield from (text for key, value in node.items() if key in _READABLE for text in _texts(value))
            stack.extend(value for value in reversed(node.values()) if isinstance(value, dict | list))


def _texts(value: Any) -> Iterator[str]:
    values = value if isinstance(value, list) else [value]
    yield from (str(text) for text in values if isinstance(text, str | int) and text != "")
