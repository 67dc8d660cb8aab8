"""The Anthropic API's event stream, passed on byte for byte and read from the side.

Bytes go on up to the last complete event of what has come, so that a ping or an ending never lands inside one.
The only bytes made here are endings: of a stream that is cut, broke off, or turned to garbage.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from channeling.errors import GatewayError, Overloaded, UpstreamFailed
from channeling.providers.answer_stream import AnswerFacts, Emitted, StreamError
from channeling.providers.anthropic.plain_deltas import (
    PLAIN_DELTAS,
    RUN_MARK,
    is_delta,
    run_in,
    text_of_deltas,
    text_of_one,
)
from channeling.providers.anthropic.response import add_block
from channeling.providers.anthropic.usage import (
    billing_terms,
    has_count,
    merged,
    side_usages,
    token_counts,
)
from channeling.sse import RecordTooLong, SseSplitter, encode_event, parse_record

_DELTA_TEXTS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
# A signature and a citation are not written by the model token by token.
_UNWRITTEN = frozenset({"type", "signature", "citation"})
# OpenAI's habit, which some Anthropic-compatible upstreams have too; strict clients fail on it.
_FOREIGN_END = b"[DONE]"
_MESSAGE_STOP = encode_event("message_stop", {"type": "message_stop"})
_CUT_USAGE = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "server_tool_use")


def _no_cost(usage: Mapping[str, Any]) -> int | None:
    return None


class AnthropicStream:
    """`AnswerStream` of the byte-faithful route; `request_id` goes into the error events made here.

    `reported_cost` returns what the `usage` of `message_delta` says is billed (nanodollars), or None: Anthropic's
    says nothing of it, that of servers which speak its format may.
    """

    def __init__(
        self,
        request_id: str,
        *,
        max_record_bytes: int = 32 * 1024 * 1024,
        reported_cost: Callable[[Mapping[str, Any]], int | None] = _no_cost,
    ) -> None:
        self.emitted = Emitted()
        self.facts = AnswerFacts()
        self.started = False
        self.ended = False
        self.error: StreamError | None = None
        self.failure: GatewayError | None = None  # its own error events go on word for word
        self._request_id = request_id
        self._reported_cost = reported_cost
        self._splitter = SseSplitter(max_record_bytes=max_record_bytes, run=PLAIN_DELTAS, run_mark=RUN_MARK)
        self._usage: dict[str, Any] = {}
        self._open_block: int | None = None
        # What stood before the last delta's text; the next will most likely be like it.
        self._before_text = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return the events that this chunk completes, as they came. What follows the stream's end is dropped;
        a record that is no JSON event fails the stream, with everything before it passed on."""
        if self.ended:
            return b""
        if self._before_text and self._splitter.is_between_records:
            text = text_of_one(chunk, self._before_text)
            if text is not None:
                self.emitted.add(text)
                return chunk
        run = run_in(chunk)
        if run is None:
            return self._feed(chunk)
        self._before_text = run.before
        out = self._feed(chunk[: run.start]) if run.start else b""
        if not self._splitter.is_between_records or self.ended:
            # What looks like a run began in the middle of something, or comes after the end.
            return out + self._feed(chunk[run.start :])
        self.emitted.add(run.text)
        if run.end == len(chunk):
            return out + chunk[run.start :]
        return out + chunk[run.start : run.end] + self._feed(chunk[run.end :])

    def _feed(self, chunk: bytes) -> bytes:
        if self.ended:
            return b""
        try:
            records = self._splitter.feed(chunk)
        except RecordTooLong:
            return self.fail(UpstreamFailed("the upstream provider sent an event without an end"))
        return self._pass_on(records)

    def finish(self) -> bytes:
        """Return what is missing after the upstream's end. An event that was cut off is dropped; without a stop
        reason the answer is incomplete, and saying so is what makes a client try again."""
        out = self._pass_on(self._splitter.end())
        if self.ended:
            return out
        if self.facts.stop_reason is not None:
            self.ended = True
            return out + _MESSAGE_STOP
        return out + self.fail(
            UpstreamFailed("the upstream provider ended its answer before it was complete")
        )

    def cut(self, stop_reason: str = "max_tokens", output_tokens: int | None = None) -> bytes:
        """Return an orderly ending now: the open block closed, `message_delta` with the usage so far,
        `message_stop`. `output_tokens` is the meter's figure; without it the last one reported stands.

        Before `message_start` there is no message that could end well: then it is an `event: error`.
        """
        if self.ended:
            return b""
        if not self.started:
            return self.fail(Overloaded("the answer was cut off before it began"))
        out = b""
        if self._open_block is not None:
            stop = {"type": "content_block_stop", "index": self._open_block}
            out += encode_event("content_block_stop", stop)
        if self.facts.stop_reason is None:
            self.facts.stop_reason = stop_reason
            delta = {"stop_reason": stop_reason, "stop_sequence": None}
            usage = self._usage_at_cut(output_tokens)
            out += encode_event("message_delta", {"type": "message_delta", "delta": delta, "usage": usage})
        self.ended = True
        return out + _MESSAGE_STOP

    def fail(self, error: GatewayError) -> bytes:
        """Return an `event: error` as the ending. Usage and emitted counts stay: they will be billed."""
        if self.ended:
            return b""
        self.ended = True
        self.error = StreamError(error.error_type, error.message)
        return encode_event("error", error.body(self._request_id))

    def _pass_on(self, records: list[bytes]) -> bytes:
        passed: list[bytes] = []
        for record in records:
            if self.ended:
                break
            if not is_delta(record):
                passed.append(self._pass_one(record))
                continue
            text = text_of_deltas(record)
            if text is not None:
                self.emitted.add(text)
                passed.append(record)
                continue
            # A run that cannot be read at once, too: up to the event that is no JSON it goes on.
            for single in SseSplitter().feed(record) or [record]:
                if not self.ended:
                    passed.append(self._pass_one(single))
        return b"".join(passed)

    def _pass_one(self, record: bytes) -> bytes:
        event, data = parse_record(record)
        if data == _FOREIGN_END:
            return b""
        if self._read(event, data) if data else event is not None or _says_nothing(record):
            return record
        return self.fail(
            UpstreamFailed("the upstream provider sent something that is not an event of its API")
        )

    def _read(self, event: str | None, data: bytes) -> bool:
        """Take note of an event's data; return whether it is one."""
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            return False
        if not isinstance(document, dict):
            return False
        match document.get("type", event):
            case "content_block_delta":
                self._read_delta(_object(document, "delta"))
            case "content_block_start":
                index = document.get("index")
                self._open_block = index if isinstance(index, int) else None
                self._read_block(_object(document, "content_block"))
            case "content_block_stop":
                self._open_block = None
            case "message_start":
                self._read_message_start(_object(document, "message"))
            case "message_delta":
                self._read_message_delta(document)
            case "message_stop":
                self.ended = True
            case "error":
                self._read_error(_object(document, "error"))
        return True

    def _read_message_start(self, message: dict[str, Any]) -> None:
        self.started = True
        if isinstance(message.get("model"), str):
            self.facts.model = message["model"]
        self._note_usage(_object(message, "usage"))

    def _read_block(self, block: dict[str, Any]) -> None:
        add_block(self.emitted, block)
        if block.get("type") == "server_tool_use" and block.get("name") == "web_search":
            self.facts.web_searches += 1

    def _read_message_delta(self, document: dict[str, Any]) -> None:
        usage = _object(document, "usage")
        self._note_usage(usage)
        cost = self._reported_cost(usage)
        if cost is not None:
            self.facts.reported_cost = cost
        stop_reason = _object(document, "delta").get("stop_reason")
        if isinstance(stop_reason, str) and stop_reason:
            self.facts.stop_reason = stop_reason
            # The output count of message_start is a placeholder; this one is the bill.
            self.facts.output_is_final = has_count(usage, "output_tokens")

    def _read_delta(self, delta: dict[str, Any]) -> None:
        name = _DELTA_TEXTS.get(str(delta.get("type")))
        if name is not None:
            if isinstance(text := delta.get(name), str):
                self.emitted.add(text)
            return
        for name, value in delta.items():
            if name not in _UNWRITTEN and isinstance(value, str):
                self.emitted.add(value)  # a kind of delta newer than this code: count it, on the safe side

    def _read_error(self, error: dict[str, Any]) -> None:
        self.ended = True
        self.error = StreamError(
            str(error.get("type", "api_error")), str(error.get("message", "the upstream provider failed"))
        )

    def _note_usage(self, update: Mapping[str, Any]) -> None:
        self._usage = merged(self._usage, update)
        self.facts.usage = token_counts(self._usage)
        self.facts.terms = billing_terms(self._usage)
        self.facts.side_usages = side_usages(self._usage)

    def _usage_at_cut(self, output_tokens: int | None) -> dict[str, Any]:
        usage = {name: self._usage[name] for name in _CUT_USAGE if self._usage.get(name) is not None}
        reported = self.facts.usage.output_tokens if self.facts.usage is not None else 0
        usage["output_tokens"] = max(reported, output_tokens or 0)
        return usage


def _says_nothing(record: bytes) -> bool:
    return all(line.startswith((b":", b"id:", b"retry:", b"data:")) for line in record.splitlines() if line)


def _object(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}
