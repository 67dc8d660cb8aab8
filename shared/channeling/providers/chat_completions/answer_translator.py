"""The chunks of a chat completion turned into the events of one Anthropic message, up to an honest end.

Source: `openai` 3.54.0, `types/chat/chat_completion_chunk.py`; `openrouter` 1.3.84,
`components/chatstreamchunk.py`. A completion that comes whole is taken as the one chunk of a stream, so that there
is one translation. The end is written when nothing can follow: at `[DONE]`, at the upstream's end, or at the usage
that follows the finish reason. Without a finish reason there is no good end.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from channeling.errors import GatewayError, Overloaded, UpstreamFailed
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.chat_completions.answer_dialect import AnswerDialect
from channeling.providers.chat_completions.answer_items import ReasoningItem, TextItem
from channeling.providers.chat_completions.delta import Delta, annotations_of, read_delta
from channeling.providers.chat_completions.finish_reasons import finish_reason_of, outcome_of
from channeling.providers.chat_completions.plain_chunks import (
    Field,
    PieceFrame,
    piece_of_arguments,
    piece_of_reasoning,
)
from channeling.providers.chat_completions.tool_calls import ToolCalls
from channeling.providers.chat_completions.usage import reported_web_searches, reports_output, token_counts
from channeling.providers.message_writer import BlockKind
from channeling.providers.output_items import ItemQueue, OutputItem, Part, Search, broken_call
from channeling.providers.translated_answer import TranslatedAnswer
from channeling.providers.usage_fields import billing_terms, object_in

Chunk = Mapping[str, Any]

_ARRAYS = (list, tuple)
_BLOCK_KINDS: Mapping[Field, BlockKind] = {"content": "text", "reasoning": "thinking", "arguments": "tool"}
# So many chunks in turn that were not framed as the one before: the server frames each in its own way.
_MOST_MISSES = 8
_FILTERED = "the provider's content filter stopped the answer"


class ChatTranslator(TranslatedAnswer):
    """`AnswerTranslator` of a chat completion."""

    def __init__(self, request_id: str, terms: AnswerTerms, dialect: AnswerDialect) -> None:
        super().__init__(request_id, terms)
        self._dialect = dialect
        self._queue = ItemQueue()
        self._calls = ToolCalls(terms, self.emitted, request_id)
        self._open: TextItem | ReasoningItem | None = None
        self._unasked: list[str] = []
        self._refusal = ""
        self._sources: dict[str, str] = {}
        self._reason: str | None = None
        self._stop_sequence: str | None = None
        self._delta = Delta()
        self._frame: PieceFrame | None = None
        self._misses = 0

    def take_plain(self, records: Sequence[bytes], start: int) -> int:
        """Take at once chunks that differ from the last one in their piece alone."""
        frame = self._frame
        if frame is None or self._queue.writing is not frame.item:
            return 0
        is_shown = frame.field != "reasoning" or self._terms.shows_thinking
        if is_shown and not self._blocks.takes_as_is(_BLOCK_KINDS[frame.field]):
            return 0
        bodies = frame.bodies(records, start)
        taken = self._take_bodies(frame.item, frame.part, bodies, is_shown=is_shown)
        self._misses = 0 if taken else self._misses + 1
        return taken

    def take(self, event: Chunk, name: str | None = None, record: bytes = b"") -> None:
        """Take one chunk; `name` is what its record calls it, which only errors have."""
        try:
            self._take(event, name, is_whole=False)
            self._frame = self._frame_of(event, record)
        except GatewayError as error:
            self.fail(error)

    def take_whole(self, completion: Chunk) -> None:
        """Take a completion that came whole. One that gives no reason has ended: nothing can follow it."""
        try:
            self._take(completion, None, is_whole=True)
            if self._reason is None:
                self._finish_items("stop")
            self._end()
        except GatewayError as error:
            self.fail(error)

    def take_end_mark(self) -> None:
        """Take `[DONE]`."""
        self.finish()

    def finish(self) -> None:
        """Take the upstream's end: without a finish reason an answer is incomplete, and saying so is what makes a
        client try again."""
        try:
            if self._reason is None:
                raise UpstreamFailed("the upstream provider ended its answer before it was complete")
            self._end()
        except GatewayError as error:
            self.fail(error)

    def cut(self, stop_reason: str, output_tokens: int | None) -> None:
        """End in good order now, with all that has come; before the provider has begun, it is an error.

        `output_tokens` is the meter's figure, None where nobody metered.
        """
        if not self.writer.started and self._response_id is None:
            self.fail(Overloaded("the answer was cut off before it began"))
            return
        self._start()
        try:
            self._queue.finish_all(cut_off=True)
            self._write_all(self._queue.writes())
        except GatewayError as error:
            self.fail(error)
        self._end_well(stop_reason, output_tokens=output_tokens)

    def _frame_of(self, chunk: Chunk, record: bytes) -> PieceFrame | None:
        """Return what framed the piece of a chunk that was taken, where more pieces may come framed alike, and
        mean nothing but more of the same."""
        choices: Any = chunk.get("choices") or ()
        if not record or len(choices) != 1 or self._reason is not None or self._misses > _MOST_MISSES:
            return None
        delta = self._delta
        if delta.text and isinstance(self._open, TextItem):
            return PieceFrame(record, "content", self._open, TextItem.TEXT)
        if isinstance(self._open, ReasoningItem) and piece_of_reasoning(delta):
            return PieceFrame(record, "reasoning", self._open, ReasoningItem.TEXT)
        if piece_of_arguments(delta):
            call = self._calls.call_at(index_of(delta.tool_calls[0]))
            return None if call is None else PieceFrame(record, "arguments", call, call.ARGUMENTS)
        return None

    def _take(self, chunk: Chunk, name: str | None, *, is_whole: bool) -> None:
        had_finished = self._reason is not None
        if isinstance(response_id := chunk.get("id"), str) and self._response_id is None:
            self._response_id = response_id
        if isinstance(model := chunk.get("model"), str) and model:
            self.facts.model = model
        if chunk.get("service_tier") is not None:
            self.facts.terms = billing_terms(chunk)
        if (error := _error_in(chunk, name)) is not None:
            self._note_usage(object_in(chunk, "usage"), is_final=True)
            raise self._dialect.stream_error(error)
        if is_whole:  # a stop sequence ends the message, and its usage is known by then
            self._note_usage(object_in(chunk, "usage"), is_final=True)
        usage = self._take_choices(chunk, is_whole=is_whole)
        if usage:
            self._note_usage(usage, is_final=self._reason is not None or is_whole)
            if had_finished:
                self._end()

    def _take_choices(self, chunk: Chunk, *, is_whole: bool) -> Mapping[str, Any]:
        """Take the choices, and return the usage, which Moonshot puts into the last of them."""
        usage = object_in(chunk, "usage")
        choices = chunk.get("choices")
        if choices is None and not is_whole:
            choices = ()
        if not isinstance(choices, _ARRAYS) or (is_whole and not choices):
            raise garbled("choices that are none")
        for choice in choices:
            if not isinstance(choice, dict) or choice.get("index") not in (None, 0):
                raise garbled("a choice that was not asked for")
            if (error := _error_in(choice, None)) is not None:
                self._note_usage(usage, is_final=True)
                raise self._dialect.stream_error(error)
            self._delta = read_delta(choice)
            self._take_delta(self._delta, is_whole=is_whole)
            usage = usage or object_in(choice, "usage")
            self._note_stop_sequence(choice)
            if (reason := finish_reason_of(choice.get("finish_reason"))) is not None:
                self._finish_items(reason)
        return usage

    def _take_delta(self, delta: Delta, *, is_whole: bool) -> None:
        """Take a piece of the answer: what was thought comes before what is said, and that before calls."""
        if delta.reasoning or delta.details:
            self._reasoning().take(
                delta.reasoning_key, delta.reasoning, list(delta.details), is_whole=is_whole
            )
        if delta.text:
            self._text(TextItem.TEXT, delta.text)
        if delta.refusal:
            self._refusal += delta.refusal
            self._text(("refusal", 0), delta.refusal)
        for position, piece in enumerate(delta.tool_calls):
            index = position if is_whole else index_of(piece)
            previous = self._calls.last
            if (call := self._calls.take(piece, index=index)) is not None:
                self._begin(call, after_call=previous)
        if delta.annotations:
            self._sources.update(annotations_of(delta))
        self._write_all(self._queue.writes())

    def _reasoning(self) -> ReasoningItem:
        if not isinstance(self._open, ReasoningItem):
            item = ReasoningItem(self._terms, self.emitted, self._calls.client_ids)
            self._begin(item, after_call=self._calls.last)
            self._open = item
        return self._open

    def _text(self, part: Part, piece: str) -> None:
        if not isinstance(self._open, TextItem):
            item = TextItem(self._terms, self.emitted)
            self._begin(item, after_call=self._calls.last)
            self._open = item
        self._open.delta(part, piece)

    def _begin(self, item: OutputItem, *, after_call: Any) -> None:
        """Put an item behind the others. Text and reasoning are over when something else begins; a call is if it is
        whole by then, else more of it may come, and what is behind it waits."""
        self._close_open()
        if after_call is not None and not after_call.done and after_call.is_whole:
            after_call.finish({}, cut_off=False)
        self._queue.add(item)

    def _close_open(self, *, cut_off: bool = False) -> None:
        if self._open is not None:
            self._open.finish({}, cut_off=cut_off)
            if isinstance(self._open, ReasoningItem) and self._open.unasked is not None:
                self._unasked.append(self._open.unasked)
            self._open = None

    def _finish_items(self, reason: str) -> None:
        self._reason = reason
        cut_off = outcome_of(reason) != "ended"
        self._close_open(cut_off=cut_off)
        self._queue.finish_all(cut_off=cut_off)
        self._write_all(self._queue.writes())

    def _note_stop_sequence(self, choice: Chunk) -> None:
        """Take which stop sequence ended the answer: SGLang and vLLM say it where it is a text."""
        if not self._terms.stop_sequences:
            return
        for name in ("matched_stop", "stop_reason"):
            if (stop := choice.get(name)) in self._terms.stop_sequences:
                self._stop_sequence = stop

    def _end(self) -> None:
        """End by the finish reason. A call makes it `tool_use`, whatever else there is: a client runs tools for
        that reason alone; without a call that reason would leave it waiting."""
        reason = self._reason or ""
        self._finish_items(reason)  # more may have come after the finish reason
        if self.writer.ended:
            return
        outcome = outcome_of(reason)
        if outcome in (None, "failed"):
            raise UpstreamFailed(f"the upstream provider left the answer incomplete: {reason}")
        if outcome == "ended" and self._blocks.has_broken_call:
            raise broken_call()
        self._start()
        self._write_last_blocks()
        if outcome == "length":
            self._end_well("max_tokens")
        elif outcome == "filtered":
            self._end_well("refusal", explanation=self._refusal or _FILTERED)
        elif self._blocks.tool_calls:
            self._end_well("tool_use")
        elif self._refusal:
            self._end_well("refusal", explanation=self._refusal)
        elif self._stop_sequence is not None:
            self._end_well("stop_sequence", stop_sequence=self._stop_sequence)
        else:
            self._end_well("end_turn")

    def _write_last_blocks(self) -> None:
        """Write what is known at the end alone: the sources of a search, and reasoning without which the model
        would not go on after a call, where the client did not ask for thinking."""
        if self._terms.has_web_search and self._sources:
            search = Search(self._response_id or "", "", tuple(self._sources), self._sources)
            self._blocks.write([("search", search)])
        if self._blocks.tool_calls:
            for signature in self._unasked:
                self.writer.close_block()
                self.writer.signature(signature)
            self.writer.close_block()

    def _note_usage(self, usage: Mapping[str, Any], *, is_final: bool) -> None:
        searches = reported_web_searches(usage)
        seen = 1 if self._terms.has_web_search and self._sources else 0
        self.facts.web_searches = seen if searches is None else searches
        counts = token_counts(usage, searches=self.facts.web_searches)
        if counts is not None:
            self.facts.usage = counts
            wrote = bool(self.emitted.ascii_bytes or self.emitted.non_ascii_chars)
            self.facts.output_is_final = is_final and reports_output(usage, wrote=wrote)
        if is_final and (cost := self._dialect.reported_cost(usage)) is not None:
            self.facts.reported_cost = cost


def garbled(what: str) -> UpstreamFailed:
    """Return the error of a stream that says something which is not of its API."""
    return UpstreamFailed(f"the upstream provider sent something that is not a chat completion: {what}")


def index_of(piece: Chunk) -> int | None:
    """Return the index of a piece of `tool_calls`, or None."""
    value = piece.get("index")
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _error_in(chunk: Chunk, name: str | None) -> Mapping[str, Any] | None:
    """Return the error that a chunk holds, in the forms that servers were seen to use."""
    if error := chunk.get("error"):
        if isinstance(error, dict):
            return error
        if isinstance(error, str):
            return {"message": error}
    if chunk.get("object") == "error" or name == "error":
        return chunk
    return None
