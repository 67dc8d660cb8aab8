"""A provider's stream of JSON events, read as bytes and written as Anthropic's."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from channeling.errors import GatewayError, UpstreamFailed
from channeling.providers.answer_stream import AnswerFacts, Emitted, StreamError
from channeling.providers.message_writer import MessageWriter
from channeling.providers.provider_json import read_json
from channeling.sse import RecordTooLong, SseSplitter, parse_record

# How chat completions end, and what some servers of other APIs add.
_END_MARK = b"[DONE]"


class AnswerTranslator(Protocol):
    """Turns the events of one answer into a message; it has ended when its writer has."""

    emitted: Emitted
    facts: AnswerFacts
    writer: MessageWriter

    def take(self, event: Mapping[str, Any], name: str | None = None, record: bytes = b"") -> None:
        """Take one event; `name` is that of its record, where it had one."""

    def take_plain(self, records: Sequence[bytes], start: int) -> int:
        """Take the records from `start` on that are more of what is being written, and nothing else, without
        parsing each; return how many. What comes of them is what comes of taking one by one."""

    def take_end_mark(self) -> None:
        """Take the mark that says that no event follows."""

    def finish(self) -> None:
        """Take the upstream's end, and end the message one way or the other."""

    def cut(self, stop_reason: str, output_tokens: int | None) -> None:
        """End in good order now."""

    def fail(self, error: GatewayError) -> None:
        """End with an error."""


class TranslatedStream:
    """`AnswerStream` of a provider whose events a translator takes."""

    def __init__(self, translator: AnswerTranslator, *, max_record_bytes: int = 32 * 1024 * 1024) -> None:
        self._translator = translator
        self._splitter = SseSplitter(max_record_bytes=max_record_bytes)

    @property
    def emitted(self) -> Emitted:
        """What the model has written so far, whether it was passed on or waits."""
        return self._translator.emitted

    @property
    def facts(self) -> AnswerFacts:
        """Usage, model and stop reason so far."""
        return self._translator.facts

    @property
    def started(self) -> bool:
        """Whether the client was given the beginning of a message."""
        return self._translator.writer.started

    @property
    def ended(self) -> bool:
        """Whether the client was given an ending, good or bad."""
        return self._translator.writer.ended

    @property
    def error(self) -> StreamError | None:
        """The error that the stream ended with."""
        return self._translator.writer.error

    @property
    def failure(self) -> GatewayError | None:
        """The error that the stream ended with, with the status that it has as an HTTP answer."""
        return self._translator.writer.failure

    def feed(self, chunk: bytes) -> bytes:
        """Return the events that this chunk completes. What follows the stream's end is dropped; a record that is
        no JSON event fails the stream, with everything before it passed on."""
        if self.ended:
            return b""
        try:
            records = self._splitter.feed(chunk)
        except RecordTooLong:
            return self.fail(UpstreamFailed("the upstream provider sent an event without an end"))
        return self._translate(records)

    def finish(self) -> bytes:
        """Return what is missing after the upstream's end: the ending, good or bad."""
        if self.ended:
            return b""
        out = self._translate(self._splitter.end())
        if not self.ended:
            self._translator.finish()
        return out + self._written()

    def cut(self, stop_reason: str = "max_tokens", output_tokens: int | None = None) -> bytes:
        """Return an orderly ending now; before `message_start` it is an `event: error`."""
        if self.ended:
            return b""
        self._translator.cut(stop_reason, output_tokens)
        return self._written()

    def fail(self, error: GatewayError) -> bytes:
        """Return an `event: error` as the ending. Usage and emitted counts stay: they will be billed."""
        if self.ended:
            return b""
        self._translator.fail(error)
        return self._written()

    def _translate(self, records: list[bytes]) -> bytes:
        translator, writer = self._translator, self._translator.writer
        position = 0
        while position < len(records) and not writer.ended:
            if plain := translator.take_plain(records, position):
                position += plain
            else:
                self._take_record(records[position])
                position += 1
        return self._written()

    def _take_record(self, record: bytes) -> None:
        translator = self._translator
        name, data = parse_record(record)
        if not data:
            return
        if data == _END_MARK:
            translator.take_end_mark()
            return
        try:
            event = read_json(data)
        except ValueError:
            event = None
        if isinstance(event, dict):
            translator.take(event, name, record)
        else:
            garbage = "the upstream provider sent something that is not an event of its API"
            translator.fail(UpstreamFailed(garbage))

    def _written(self) -> bytes:
        return self._translator.writer.take_encoded()
