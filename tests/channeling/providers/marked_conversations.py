"""Marks in the texts of a conversation, by which each is found in what goes up; and junk in place of its parts."""

from collections.abc import Iterator
from typing import Any

from channeling.providers.server_tool_notes import is_server_tool_block


class Marked:
    """Puts a mark of its own into each text of a conversation, with as much more as makes it long."""

    def __init__(self, filler: str = "") -> None:
        self.marks: list[str] = []
        self._filler = filler

    def mark(self, content: Any) -> Any:
        """Return the content with marks in it."""
        if isinstance(content, str):
            return content + self._new()
        return [self._marked(block) for block in content]

    def _marked(self, block: dict[str, Any]) -> dict[str, Any]:
        match block["type"]:
            case "text":
                return {**block, "text": block["text"] + self._new()}
            case "tool_use":
                return {**block, "input": {**block["input"], "mark": self._new()}}
            case "tool_result" | "search_result" if block.get("content") is not None:
                return {**block, "content": self.mark(block["content"])}
            case "document" if block["source"]["type"] == "text":
                return {**block, "source": {**block["source"], "data": self._new()}, "context": self._new()}
            case "document":
                return {**block, "context": self._new()}
            case "image" if block["source"]["type"] == "url":
                return {**block, "source": {**block["source"], "url": f"https://example.com/{self._new()}"}}
            case kind if is_server_tool_block(kind) and "input" in block:
                return {**block, "input": {"query": self._new()}}
        return block

    def _new(self) -> str:
        self.marks.append(f"<mark {len(self.marks)}{self._filler}>")
        return self.marks[-1]


JUNK: list[Any] = [
    None,
    True,
    -1,
    2**70,
    0.5,
    "",
    "x",
    "\ud7ff",
    [],
    [None],
    [[]],
    {},
    {"type": 1},
    {"type": "text"},
]


def paths(node: Any) -> Iterator[tuple[str | int, ...]]:
    """Yield where every value in a document stands, but for the insides of schemas deep down."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (key,)
        yield from ((key, *rest) for rest in paths(child) if len(rest) < 9)


def replaced(node: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return the document with another value at the path."""
    if not path:
        return value
    copied = node.copy()
    copied[path[0]] = replaced(node[path[0]], path[1:], value)
    return copied
