"""The events of an OpenAI response turned into those of one Anthropic message, up to an honest end.

Source: `openai` 3.54.0, `types/responses/response_stream_event.py`. A response that comes whole is taken as if its
last event were all that came, so that there is one translation.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from channeling.errors import GatewayError, Overloaded, UpstreamFailed
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.openai.answer_items import AnswerItems, garbled, index_of
from channeling.providers.openai.errors import stream_error
from channeling.providers.openai.event_types import PASSED_OVER_EVENTS, REFUSED_EVENT_PREFIXES
from channeling.providers.openai.output_items import MessageItem, ReasoningItem
from channeling.providers.openai.plain_deltas import BLOCK_KINDS, Place, place_of, plain_deltas
from channeling.providers.openai.usage import reports_output, token_counts
from channeling.providers.output_items import FunctionCallItem, OutputItem, Part, broken_call
from channeling.providers.translated_answer import TranslatedAnswer
from channeling.providers.usage_fields import billing_terms, count_in, object_in

Event = Mapping[str, Any]

_OUTCOMES = ("completed", "incomplete", "failed", "cancelled")
_FILTERED = "the provider's content filter stopped the answer"


class AnswerTranslator(TranslatedAnswer):
    """`AnswerTranslator` of a response."""

    def __init__(self, request_id: str, terms: AnswerTerms) -> None:
        super().__init__(request_id, terms)
        self._items = AnswerItems(terms, self.emitted)
        self._place: tuple[OutputItem, Part, Place] | None = None
        self._place_is_known = False

    def take_plain(self, records: Sequence[bytes], start: int) -> int:
        """Take at once what is more of the part that is being written."""
        if not self._place_is_known:
            self._place, self._place_is_known = self._plain_place(), True
        if self._place is None:
            return 0
        item, part, place = self._place
        return self._take_bodies(item, part, plain_deltas(records, start, place))

    def _plain_place(self) -> tuple[OutputItem, Part, Place] | None:
        """Return the part that is being written, and where its deltas say that they belong, where those can be
        written without a look at anything else. Only events change that which are taken singly."""
        writing = self._items.writing
        if writing is None or (part := writing[1].open_part) is None or part[0] not in BLOCK_KINDS:
            return None
        index, item = writing
        return (item, part, place_of(index, part)) if self._blocks.takes_as_is(BLOCK_KINDS[part[0]]) else None

    def take(self, event: Event, name: str | None = None, record: bytes = b"") -> None:
        """Take one event of the response's stream; `name` is its kind where it does not say so itself."""
        self._place_is_known = False
        kind = event.get("type", name)
        try:
            if not isinstance(kind, str):
                if error := object_in(event, "error"):
                    raise stream_error(error)  # as proxies say it in the middle of a stream
                raise garbled("an event without a type")
            handler = HANDLERS.get(kind)
            if handler is not None:
                handler(self, event)
            else:
                self._pass_over(kind, event)
        except GatewayError as error:
            self.fail(error)

    def take_whole(self, response: Event) -> None:
        """Take a response that came whole."""
        try:
            self._end(response, "completed")
        except GatewayError as error:
            self.fail(error)

    def take_end_mark(self) -> None:
        """Take `[DONE]`, which means nothing here: the API ends with the response's last event."""

    def finish(self) -> None:
        """Take the upstream's end: without its last event a response is incomplete, and saying so is what makes a
        client try again."""
        self.fail(UpstreamFailed("the upstream provider ended its answer before it was complete"))

    def cut(self, stop_reason: str, output_tokens: int | None) -> None:
        """End in good order now, with all that has come; before OpenAI has taken the request, it is an error.

        `output_tokens` is the meter's figure, None where nobody metered.
        """
        if not self.writer.started and self._response_id is None:
            self.fail(Overloaded("the answer was cut off before it began"))
            return
        self._start()
        try:
            self._items.finish_all((), cut_off=True)
            self._write()
        except GatewayError as error:
            self.fail(error)
        self._end_well(stop_reason, output_tokens=output_tokens)

    def _pass_over(self, kind: str, event: Event) -> None:
        if kind.startswith(REFUSED_EVENT_PREFIXES):
            raise UpstreamFailed(f"the upstream provider sent output that was not asked for: {kind}")
        if kind not in PASSED_OVER_EVENTS and isinstance(delta := event.get("delta"), str):
            self.emitted.add(delta)  # a kind of output newer than this code: count it, on the safe side

    def _response(self, event: Event) -> None:
        """The message does not begin yet, so that an error which comes first can still be an HTTP status."""
        self._note_response(object_in(event, "response"))

    def _note_response(self, response: Event) -> None:
        if self._response_id is None and isinstance(response_id := response.get("id"), str):
            self._response_id = response_id
        if isinstance(model := response.get("model"), str):
            self.facts.model = model

    def _item_added(self, event: Event) -> None:
        self._items.begin(event)
        self._start()
        self._write()

    def _item_done(self, event: Event) -> None:
        self._items.finish(event)
        self.facts.web_searches = self._items.searches
        self._write()

    def _annotation(self, event: Event) -> None:
        item = self._items.item(event, MessageItem)
        item.annotation(index_of(event, "content_index") or 0, event.get("annotation"))
        self._write()

    def _content_part_done(self, event: Event) -> None:
        part, index = object_in(event, "part"), index_of(event, "content_index") or 0
        if part.get("type") == "reasoning_text":
            self._items.item(event, ReasoningItem).whole_part(("reasoning", index), part.get("text"))
        else:
            self._items.item(event, MessageItem).whole_content(index, part)
        self._write()

    def _summary_part_done(self, event: Event) -> None:
        part = ("summary", index_of(event, "summary_index") or 0)
        self._items.item(event, ReasoningItem).whole_part(part, object_in(event, "part").get("text"))
        self._write()

    def take_delta(self, event: Event, kind: type[OutputItem], part: str, index_name: str) -> None:
        """Take an event that holds a piece of a part."""
        piece = event.get("delta")
        if not isinstance(piece, str):
            if piece is None:
                return  # more than one server sends nulls, and means nothing by them
            raise garbled("a piece of output that is no text")
        self._items.item(event, kind).delta((part, index_of(event, index_name) or 0), piece)
        self._write()

    def take_part(self, event: Event, kind: type[OutputItem], part: str, index_name: str, whole: str) -> None:
        """Take an event that holds all of a part, under the name `whole`."""
        self._items.item(event, kind).whole_part((part, index_of(event, index_name) or 0), event.get(whole))
        self._write()

    def _write(self) -> None:
        self._write_all(self._items.writes())

    def _error(self, event: Event) -> None:
        """The type has its fields at the top; the API itself has nested them, as error answers do."""
        raise stream_error(object_in(event, "error") or event)

    def _ending(self, event: Event) -> None:
        self._end(object_in(event, "response"), str(event["type"]).removeprefix("response."))

    def _end(self, response: Event, outcome: str) -> None:
        self._note_response(response)
        if (status := response.get("status")) in _OUTCOMES:
            outcome = str(status)
        if outcome in ("failed", "cancelled"):
            self._note_usage(response)
            if outcome == "cancelled":
                raise UpstreamFailed("the upstream provider cancelled the answer")
            raise stream_error(object_in(response, "error"))
        self._start()
        try:
            self._items.finish_all(response.get("output"), cut_off=outcome == "incomplete")
        finally:
            self._note_usage(response)
        self._write()
        if self.writer.ended:
            return
        if outcome == "completed":
            self._end_completed()
        else:
            self._end_incomplete(response)

    def _end_completed(self) -> None:
        """A call makes it `tool_use`, whatever else there is: a client runs tools for that reason alone."""
        if self._blocks.has_broken_call:
            raise broken_call()
        if self._blocks.tool_calls:
            self._end_well("tool_use")
        elif refusal := self._items.refusal:
            self._end_well("refusal", explanation=refusal)
        elif self._items.unknown_kinds and not self.writer.blocks:
            kinds = ", ".join(self._items.unknown_kinds)
            raise UpstreamFailed(f"the answer is of a kind that this gateway does not know: {kinds}")
        else:
            self._end_well("end_turn")

    def _end_incomplete(self, response: Event) -> None:
        match reason := object_in(response, "incomplete_details").get("reason"):
            case "max_output_tokens":
                self._end_well("max_tokens")
            case "content_filter":
                self._end_well("refusal", explanation=self._items.refusal or _FILTERED)
            case None if self.writer.blocks and not _ended_below_its_bound(response):
                self._end_well("max_tokens")  # as servers that copy the API say it
            case _:
                raise UpstreamFailed(f"the upstream provider left the answer incomplete: {reason}")

    def _note_usage(self, response: Event) -> None:
        self.facts.web_searches = self._items.searches
        self.facts.usage = token_counts(response, searches=self.facts.web_searches)
        self.facts.output_is_final = reports_output(response)
        self.facts.terms = billing_terms(response)


def _ended_below_its_bound(response: Event) -> bool:
    """Say whether a response itself tells that it was not ended by the bound that it was asked under."""
    bound = count_in(response, "max_output_tokens")
    written = count_in(object_in(response, "usage"), "output_tokens")
    return bound is not None and written is not None and written < bound


def _takes_delta(kind: type[OutputItem], part: str, index_name: str) -> "Handler":
    return lambda translator, event: translator.take_delta(event, kind, part, index_name)


def _takes_part(kind: type[OutputItem], part: str, index_name: str, whole: str) -> "Handler":
    return lambda translator, event: translator.take_part(event, kind, part, index_name, whole)


Handler = Callable[[AnswerTranslator, Event], None]

HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "response.created": AnswerTranslator._response,
        "response.in_progress": AnswerTranslator._response,
        "response.queued": AnswerTranslator._response,
        "response.output_item.added": AnswerTranslator._item_added,
        "response.output_item.done": AnswerTranslator._item_done,
        "response.content_part.done": AnswerTranslator._content_part_done,
        "response.output_text.delta": _takes_delta(MessageItem, "text", "content_index"),
        "response.output_text.done": _takes_part(MessageItem, "text", "content_index", "text"),
        "response.output_text.annotation.added": AnswerTranslator._annotation,
        "response.refusal.delta": _takes_delta(MessageItem, "refusal", "content_index"),
        "response.refusal.done": _takes_part(MessageItem, "refusal", "content_index", "refusal"),
        "response.reasoning_summary_part.done": AnswerTranslator._summary_part_done,
        "response.reasoning_summary_text.delta": _takes_delta(ReasoningItem, "summary", "summary_index"),
        "response.reasoning_summary_text.done": _takes_part(
            ReasoningItem, "summary", "summary_index", "text"
        ),
        "response.reasoning_text.delta": _takes_delta(ReasoningItem, "reasoning", "content_index"),
        "response.reasoning_text.done": _takes_part(ReasoningItem, "reasoning", "content_index", "text"),
        "response.function_call_arguments.delta": _takes_delta(FunctionCallItem, "arguments", ""),
        "response.function_call_arguments.done": _takes_part(FunctionCallItem, "arguments", "", "arguments"),
        "response.completed": AnswerTranslator._ending,
        "response.incomplete": AnswerTranslator._ending,
        "response.failed": AnswerTranslator._ending,
        # Not in the union of the package, but a status of responses.
        "response.cancelled": AnswerTranslator._ending,
        "error": AnswerTranslator._error,
    }
)
