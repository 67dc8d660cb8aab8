"""The output items of a response that a client can be shown, each turned into writes for its message.

Items may be written in parallel, blocks of a message may not: an item only notes its writes, and whoever has the
items lets one at a time write. An item is told of deltas, and at its end of all that it holds: what was never
streamed is written then, so that an answer that comes whole takes the same way.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from channeling.errors import UpstreamFailed
from channeling.providers.answer_stream import Emitted
from channeling.providers.openai.answer_terms import AnswerTerms
from channeling.providers.openai.reasoning_signature import SealedReasoning, seal

WriteKind = Literal[
    "text", "thinking", "signature", "citation", "tool", "tool_input", "broken_tool_input", "search", "stop"
]
Write = tuple[WriteKind, Any]
Part = tuple[str, int]

# Version, time, initialization vector, padding and signature of a Fernet token, which `gAAA` is the beginning of.
_CIPHER_OVERHEAD_BYTES = 64


class StreamedText:
    """The text of one part so far; all of it is metered as it comes."""

    def __init__(self, emitted: Emitted) -> None:
        self._emitted = emitted
        self._pieces: list[str] = []

    @property
    def so_far(self) -> str:
        """What has come."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def add(self, piece: str) -> str:
        """Take a piece and return it."""
        if piece:
            self._emitted.add(piece)
            self._pieces.append(piece)
        return piece

    def rest_of(self, whole: Any) -> str:
        """Take what the whole has more than came in pieces, and return it; a whole that differs adds nothing."""
        if not isinstance(whole, str) or not whole.startswith(so_far := self.so_far):
            return ""
        return self.add(whole[len(so_far) :])


class OutputItem:
    """What is common to items. `id` is the item's own; `writes` wait to be taken by whoever may write."""

    def __init__(self, terms: AnswerTerms, emitted: Emitted) -> None:
        self.id: str | None = None
        self.writes: list[Write] = []
        self.done = False
        self._terms = terms
        self._emitted = emitted
        self._parts: dict[Part, StreamedText] = {}

    def identify(self, item: Mapping[str, Any]) -> None:
        """Take note of what an item says of itself when it begins."""
        if isinstance(item_id := item.get("id"), str):
            self.id = item_id

    def delta(self, part: Part, piece: str) -> None:
        """Take a piece of a part."""
        if piece and not self.done:
            self._write(part, self._part(part).add(piece))

    def whole_part(self, part: Part, whole: Any) -> None:
        """Take all of a part; what has come of it already is not written again."""
        if not self.done and (rest := self._part(part).rest_of(whole)):
            self._write(part, rest)

    def finish(self, item: Mapping[str, Any], *, cut_off: bool) -> None:
        """Take the whole item, as far as it is known; `cut_off`: it ended before the model was done with it."""
        if self.done:
            return
        self.identify(item)
        self._finish(item, cut_off=cut_off)
        self.writes.append(("stop", None))
        self.done = True

    def _part(self, part: Part) -> StreamedText:
        if part not in self._parts:
            self._parts[part] = StreamedText(self._emitted)
        return self._parts[part]

    def _write(self, part: Part, piece: str) -> None:
        raise NotImplementedError

    def _finish(self, item: Mapping[str, Any], *, cut_off: bool) -> None:
        raise NotImplementedError


class MessageItem(OutputItem):
    """Text of the answer, or of a refusal. Each content part is a block of its own."""

    def __init__(self, terms: AnswerTerms, emitted: Emitted) -> None:
        super().__init__(terms, emitted)
        self._current: int | None = None
        self._annotations: dict[int, int] = {}

    @property
    def refusal(self) -> str:
        """What the model said why it refuses; empty where it did not."""
        return "".join(text.so_far for (kind, _), text in self._parts.items() if kind == "refusal")

    def annotation(self, content_index: int, annotation: Any) -> None:
        """Take an annotation of a part's text; only those with a URL have a counterpart among citations."""
        if self.done:
            return
        self._annotations[content_index] = self._annotations.get(content_index, 0) + 1
        match annotation:
            case {"type": "url_citation", "url": str() as url}:
                self._to(content_index)
                title = annotation.get("title")
                self.writes.append(("citation", (url, title if isinstance(title, str) else None)))

    def _write(self, part: Part, piece: str) -> None:
        self._to(part[1])
        self.writes.append(("text", piece))

    def _to(self, content_index: int) -> None:
        if self._current not in (None, content_index):
            self.writes.append(("stop", None))
        self._current = content_index

    def _finish(self, item: Mapping[str, Any], *, cut_off: bool) -> None:
        for index, content in _objects(item, "content"):
            self.whole_content(index, content)
            annotations = content.get("annotations")
            for annotation in (annotations if isinstance(annotations, list) else [])[
                self._annotations.get(index, 0) :
            ]:
                self.annotation(index, annotation)

    def whole_content(self, index: int, content: Mapping[str, Any]) -> None:
        """Take a whole content part (`types/responses/response_output_message.py`)."""
        match content.get("type"):
            case "output_text":
                self.whole_part(("text", index), content.get("text"))
            case "refusal":
                self.whole_part(("refusal", index), content.get("refusal"))


class ReasoningItem(OutputItem):
    """Thinking: the summary or the text of it where it is shown, and the sealed item where it is kept at all."""

    def __init__(self, terms: AnswerTerms, emitted: Emitted) -> None:
        super().__init__(terms, emitted)
        self._current: Part | None = None

    def _write(self, part: Part, piece: str) -> None:
        if not self._terms.shows_thinking:
            return
        if self._current not in (None, part):
            piece = "\n\n" + piece
        self._current = part
        self.writes.append(("thinking", piece))

    def _finish(self, item: Mapping[str, Any], *, cut_off: bool) -> None:
        for kind, name in (("summary", "summary"), ("reasoning", "content")):
            for index, part in _objects(item, name):
                self.whole_part((kind, index), part.get("text"))
        encrypted_content = item.get("encrypted_content")
        if isinstance(encrypted_content, str):
            self._meter_hidden(encrypted_content)
        keeps = self._terms.keeps_thinking or self._terms.shows_thinking
        # An item that was cut off is no item that OpenAI would take back.
        if keeps and not cut_off and self.id and isinstance(encrypted_content, str) and encrypted_content:
            summary = tuple(str(part.get("text", "")) for _, part in _objects(item, "summary"))
            self.writes.append(("signature", seal(SealedReasoning(self.id, encrypted_content, summary))))

    def _meter_hidden(self, encrypted_content: str) -> None:
        """Count reasoning that is billed and not shown: its ciphertext is about as long, in base64 with some
        overhead. That is not documented; how many tokens such bytes are is learned from reported answers."""
        shown = sum(len(text.so_far) for text in self._parts.values())
        hidden = len(encrypted_content) * 3 // 4 - _CIPHER_OVERHEAD_BYTES
        self._emitted.ascii_bytes += max(0, hidden - shown)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as the provider names it."""

    call_id: str
    name: str


class FunctionCallItem(OutputItem):
    """A call of one of the client's tools. Nothing of it is written before its name is known."""

    ARGUMENTS: Part = ("arguments", 0)

    def __init__(self, terms: AnswerTerms, emitted: Emitted) -> None:
        super().__init__(terms, emitted)
        self._is_open = False

    def identify(self, item: Mapping[str, Any]) -> None:
        super().identify(item)
        call_id, name = item.get("call_id"), item.get("name")
        if not self._is_open and isinstance(call_id, str) and isinstance(name, str) and name:
            self._is_open = True
            self.writes.append(("tool", ToolCall(call_id, name)))
            if so_far := self._part(self.ARGUMENTS).so_far:
                self.writes.append(("tool_input", so_far))

    def whole_part(self, part: Part, whole: Any) -> None:
        """Take all of the arguments; raise UpstreamFailed where those that came in pieces were others.

        They may be spelt differently. But a call with a piece missing must not be made.
        """
        super().whole_part(part, whole)
        came = self._part(part).so_far
        if isinstance(whole, str) and whole not in ("", came) and not self.done:
            stated, streamed = _object_of(whole), _object_of(came)
            if None not in (stated, streamed) and stated != streamed:
                raise UpstreamFailed("the upstream provider sent the input of a tool call twice, differently")

    def _write(self, part: Part, piece: str) -> None:
        if self._is_open:
            self.writes.append(("tool_input", piece))

    def _finish(self, item: Mapping[str, Any], *, cut_off: bool) -> None:
        self.whole_part(self.ARGUMENTS, item.get("arguments"))
        if not self._is_open:
            if cut_off:
                return
            raise UpstreamFailed("the upstream provider sent a tool call without a name or an id")
        if _object_of(self._part(self.ARGUMENTS).so_far) is None:
            if item.get("status") == "completed" and not cut_off:
                raise broken_call()
            # Whether that is a fault is known only when the answer ends: at its limit, it is none.
            self.writes.append(("broken_tool_input", None))


class WebSearchItem(OutputItem):
    """A look at the web by the provider. Pages that were opened or searched have no counterpart and no fee.

    `is_search` counts: it is what has a fee where the provider does not say.
    """

    def __init__(self, terms: AnswerTerms, emitted: Emitted) -> None:
        super().__init__(terms, emitted)
        self.is_search = False

    def _finish(self, item: Mapping[str, Any], *, cut_off: bool) -> None:
        action = item.get("action")
        if not isinstance(action, dict) or action.get("type") != "search" or cut_off:
            return
        failed = item.get("status") == "failed"
        self.is_search = not failed
        query = _query(action)
        self._emitted.add(query)
        urls = [
            source["url"] for _, source in _objects(action, "sources") if isinstance(source.get("url"), str)
        ]
        self.writes.append(("search", Search(self.id or "", query, None if failed else tuple(urls))))


@dataclass(frozen=True, slots=True)
class Search:
    """A web search: `urls` is None where it failed."""

    item_id: str
    query: str
    urls: tuple[str, ...] | None


def broken_call() -> UpstreamFailed:
    """Return the error of a call whose input no client could read."""
    return UpstreamFailed("the model called a tool with input that is no JSON object")


def _query(action: Mapping[str, Any]) -> str:
    if isinstance(query := action.get("query"), str) and query:
        return query
    queries = action.get("queries")
    return (
        ", ".join(query for query in queries if isinstance(query, str)) if isinstance(queries, list) else ""
    )


def _object_of(arguments: str) -> dict[str, Any] | None:
    """No arguments at all are an empty object: tools without parameters are called so. Halves of surrogate pairs
    make none, since official SDKs stumble over them."""
    try:
        value = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _objects(mapping: Mapping[str, Any], name: str) -> list[tuple[int, dict[str, Any]]]:
    value = mapping.get(name)
    entries = enumerate(value) if isinstance(value, list) else ()
    return [(index, entry) for index, entry in entries if isinstance(entry, dict)]
