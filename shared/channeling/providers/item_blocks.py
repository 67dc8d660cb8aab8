"""What output items want written, written as blocks of the message; text ends at the first stop sequence."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import orjson

from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.foreign_search import SEARCH_SEAL
from channeling.providers.message_ids import server_tool_use_id, tool_use_id
from channeling.providers.message_writer import BlockKind, MessageWriter
from channeling.providers.output_items import Search, ToolCall, Write
from channeling.providers.stop_scan import StopScan

_PIECES = frozenset({"text", "thinking", "tool_input"})


class ItemBlocks:
    """The blocks of one message. `stopped_at` is the stop sequence that was found: nothing is to follow it.

    `has_broken_call`: a call was written whose input is no JSON object.
    """

    def __init__(self, writer: MessageWriter, terms: AnswerTerms, request_id: str) -> None:
        self.stopped_at: str | None = None
        self.tool_calls = 0
        self.has_broken_call = False
        self.searches = 0
        self._writer = writer
        self._terms = terms
        self._request_id = request_id
        self._used_ids = set(terms.used_tool_ids)
        self._scan = StopScan(terms.stop_sequences)
        self._citations: list[dict[str, Any]] = []

    def takes_as_is(self, kind: BlockKind) -> bool:
        """Say whether a block of this kind is open, which then is that of the item that may write, and pieces go
        into it as they are."""
        if self._writer.open_block != kind:
            return False
        return kind != "text" or not self._terms.stop_sequences

    def write(self, writes: Sequence[Write]) -> None:
        """Write until the end or the first stop sequence; pieces that had to wait come as one."""
        for kind, value in _joined(writes) if len(writes) > 1 else writes:
            match kind:
                case "text":
                    self._text(value)
                case "thinking":
                    self._writer.thinking(value)
                case "signature":
                    self._writer.signature(value)
                case "tool":
                    self._tool(value)
                case "tool_input":
                    self._writer.tool_input(value)
                case "broken_tool_input":
                    self.has_broken_call = True
                case "citation":
                    self._citation(*value)
                case "search":
                    self._search(value)
                case "stop":
                    self._stop()
            if self.stopped_at is not None:
                return

    def _text(self, piece: str) -> None:
        self._writer.text(self._scan.take(piece))
        self.stopped_at = self._scan.matched
        self._cite()

    def _stop(self) -> None:
        self._writer.text(self._scan.flush())
        self._cite()
        self._citations.clear()  # of a part without text
        self._writer.close_block()

    def _tool(self, call: ToolCall) -> None:
        block_id = tool_use_id(call.call_id, self._used_ids, self._request_id, self._writer.blocks)
        self._used_ids.add(block_id)
        self.tool_calls += 1
        name = self._terms.client_name(call.name)
        self._writer.open_tool({"type": "tool_use", "id": block_id, "name": name, "input": {}})

    def _citation(self, url: str, title: str | None) -> None:
        """A citation refers to a search result of the message (`types/citations_web_search_result_location.py`);
        providers do not say which words of the page it rests on."""
        if not self.searches:
            return
        location = {"type": "web_search_result_location", "url": url, "title": title, "cited_text": ""}
        self._citations.append({**location, "encrypted_index": SEARCH_SEAL})
        self._cite()

    def _cite(self) -> None:
        if self._citations and self._writer.open_block == "text":
            for citation in self._citations:
                self._writer.citation(citation)
            self._citations.clear()

    def _search(self, search: Search) -> None:
        """As Anthropic's own search (`types/server_tool_use_block.py`, `types/web_search_tool_result_block.py`).
        Where a provider names no title with a source, the address stands in."""
        self.searches += 1
        block_id = server_tool_use_id(search.item_id, self._request_id, self._writer.blocks)
        self._writer.open_tool({"type": "server_tool_use", "id": block_id, "name": "web_search", "input": {}})
        self._writer.tool_input(orjson.dumps({"query": search.query}).decode())
        content: Any = {"type": "web_search_tool_result_error", "error_code": "unavailable"}
        if search.urls is not None:
            content = [_search_result(url, search.titles.get(url, url)) for url in search.urls]
        self._writer.whole_block(
            {"type": "web_search_tool_result", "tool_use_id": block_id, "content": content}
        )


def _search_result(url: str, title: str) -> dict[str, Any]:
    result = {"type": "web_search_result", "url": url, "title": title, "page_age": None}
    return {**result, "encrypted_content": SEARCH_SEAL}


def _joined(writes: Iterable[Write]) -> Iterable[Write]:
    for kind, group in groupby(writes, key=lambda write: write[0]):
        if kind in _PIECES:
            yield kind, "".join(value for _, value in group)
        else:
            yield from group
