"""The output items of a response of the Responses API, but for calls, which every provider has alike."""

from collections.abc import Mapping
from typing import Any

from channeling.providers.answer_stream import Emitted
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.openai.reasoning_signature import SealedReasoning, seal
from channeling.providers.output_items import OutputItem, Part, Search, hidden_bytes


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

    @property
    def open_part(self) -> Part | None:
        return None if self._current is None else ("text", self._current)

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

    @property
    def open_part(self) -> Part | None:
        return self._current

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
            shown = sum(len(text.so_far) for text in self._parts.values())
            self._emitted.ascii_bytes += hidden_bytes(encrypted_content, shown=shown)
        keeps = self._terms.keeps_thinking or self._terms.shows_thinking
        # An item that was cut off is no item that OpenAI would take back.
        if keeps and not cut_off and self.id and isinstance(encrypted_content, str) and encrypted_content:
            summary = tuple(str(part.get("text", "")) for _, part in _objects(item, "summary"))
            self.writes.append(("signature", seal(SealedReasoning(self.id, encrypted_content, summary))))


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


def _query(action: Mapping[str, Any]) -> str:
    if isinstance(query := action.get("query"), str) and query:
        return query
    queries = action.get("queries")
    return (
        ", ".join(query for query in queries if isinstance(query, str)) if isinstance(queries, list) else ""
    )


def _objects(mapping: Mapping[str, Any], name: str) -> list[tuple[int, dict[str, Any]]]:
    value = mapping.get(name)
    entries = enumerate(value) if isinstance(value, list) else ()
    return [(index, entry) for index, entry in entries if isinstance(entry, dict)]
