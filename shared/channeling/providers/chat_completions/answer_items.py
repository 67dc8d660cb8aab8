"""The parts of a chat completion, which has no items of its own: text, reasoning and calls, each as it begins."""

from collections.abc import Mapping
from typing import Any

import orjson

from channeling.errors import UpstreamFailed
from channeling.providers.answer_stream import Emitted
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.chat_completions.reasoning_details import ReasoningDetails
from channeling.providers.chat_completions.reasoning_signature import SealedReasoning, TextKey, seal
from channeling.providers.output_items import (
    FunctionCallItem,
    OutputItem,
    Part,
    arguments_object,
    hidden_bytes,
)


class TextItem(OutputItem):
    """Text of the answer, or of a refusal. White space alone is no text: models write a line break between
    reasoning and a call, and a block of it could never be sent to Anthropic again."""

    TEXT: Part = ("text", 0)

    def __init__(self, terms: AnswerTerms, emitted: Emitted) -> None:
        super().__init__(terms, emitted)
        self._leading: str | None = "" if all(stop.strip() for stop in terms.stop_sequences) else None

    def _write(self, part: Part, piece: str) -> None:
        if self._leading is not None:
            piece = self._leading + piece
            if not piece.strip():
                self._leading = piece
                return
            self._leading = None
        self.writes.append(("text", piece))

    def _finish(self, item: Mapping[str, Any], *, cut_off: bool) -> None:
        """Text ends without a word of its own."""


class ReasoningItem(OutputItem):
    """Reasoning: its text where it is shown, and what has to go back in the signature where it is kept at all.

    `unasked` is that signature where the client did not ask for thinking, and the model may not go on without it.
    """

    TEXT: Part = ("reasoning", 0)

    def __init__(self, terms: AnswerTerms, emitted: Emitted, client_ids: Mapping[str, str]) -> None:
        super().__init__(terms, emitted)
        self.unasked: str | None = None
        self._client_ids = client_ids
        self._details = ReasoningDetails()
        self._text_key: TextKey = "reasoning"
        self._comes_in_details = False

    def take(self, key: TextKey, text: str, details: list[Mapping[str, Any]], *, is_whole: bool) -> None:
        """Take a piece: `details` say the same as `text`, or more, or all where there is no text beside them."""
        readable = "".join([self._details.add(detail, is_whole=is_whole) for detail in details])
        self._comes_in_details = bool(details)
        if text:
            self._text_key = key
        self.delta(self.TEXT, text or readable)
        for detail in details:
            if isinstance(data := detail.get("data"), str):
                shown = len(self._part(self.TEXT).so_far)
                self._emitted.ascii_bytes += hidden_bytes(data, shown=shown)

    def note(self, part: Part, piece: str) -> None:
        super().note(part, piece)
        if self._comes_in_details:
            self._details.add_more(piece)

    def _write(self, part: Part, piece: str) -> None:
        if self._terms.shows_thinking:
            self.writes.append(("thinking", piece))

    def _finish(self, item: Mapping[str, Any], *, cut_off: bool) -> None:
        details = self._details.whole(self._client_ids)
        text = "" if details else self._part(self.TEXT).so_far
        if cut_off or not (details or text):
            return  # what the limit cut off is no reasoning that could be taken back
        reasoning = SealedReasoning(self._terms.upstream_model, details, text, self._text_key)
        try:
            signature = seal(reasoning)
        except orjson.JSONEncodeError as error:
            raise too_deep("reasoning") from error
        if self._terms.keeps_thinking or self._terms.shows_thinking:
            self.writes.append(("signature", signature))
        elif self._details.must_return:
            self.unasked = signature


class CallItem(FunctionCallItem):
    """A call, by the id that the provider gave it; `identify` gets the one that the client is to see."""

    def __init__(self, terms: AnswerTerms, emitted: Emitted) -> None:
        super().__init__(terms, emitted)
        self.upstream_id: str | None = None
        self.name: str | None = None
        self._may_be_whole = False

    @property
    def is_whole(self) -> bool:
        """Whether its arguments are a JSON object, which nothing can follow."""
        if not self._may_be_whole:
            return False
        return arguments_object(self._part(self.ARGUMENTS).so_far) is not None

    def delta(self, part: Part, piece: str) -> None:
        super().delta(part, piece)
        self._look_at_end(piece)

    def note(self, part: Part, piece: str) -> None:
        super().note(part, piece)
        self._look_at_end(piece)

    def _look_at_end(self, piece: str) -> None:
        if last := piece.rstrip()[-1:]:
            self._may_be_whole = last == "}"


def too_deep(what: str) -> UpstreamFailed:
    """Return the error of JSON that could be read, and is nested too deeply to be written again."""
    return UpstreamFailed(f"the upstream provider sent {what} that is nested too deeply")
