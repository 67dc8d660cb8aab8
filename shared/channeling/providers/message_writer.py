"""Writes one Anthropic message as a sequence of events that every reader of that API takes.

It opens, closes and numbers the blocks: one value says which block is open, an empty block is never opened, and one
guarded function writes the ending, after which nothing is written. Translators say what the model wrote, in order.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from channeling.errors import GatewayError
from channeling.providers.answer_stream import StreamError
from channeling.sse import encode_event

Event = dict[str, Any]
BlockKind = Literal["text", "thinking", "tool"]


class MessageWriter:
    """One message in the making. Source of the events: `anthropic` 2.12.0, `types/raw_message_stream_event.py`.

    Whatever is written waits until `take` or `take_encoded` fetches it. `failure` is the error that the message
    ended with.
    """

    def __init__(self, request_id: str) -> None:
        self.started = False
        self.ended = False
        self.failure: GatewayError | None = None
        self.blocks = 0
        self._request_id = request_id
        self._open: BlockKind | None = None
        self._events: list[Event | bytes] = []

    @property
    def error(self) -> StreamError | None:
        """The error that the message ended with, as the meter's side of the pipeline wants it."""
        return None if self.failure is None else StreamError(self.failure.error_type, self.failure.message)

    @property
    def open_block(self) -> BlockKind | None:
        """The kind of the block that is open."""
        return self._open

    def take(self) -> list[Event]:
        """Return the events that were written since the last time; raise ValueError where bodies were written."""
        written, self._events = self._events, []
        events = [event for event in written if not isinstance(event, bytes)]
        if len(events) != len(written):
            raise ValueError("pieces that were written as bytes are no events")
        return events

    def take_encoded(self) -> bytes:
        """Return what was written since the last time as server-sent events."""
        written, self._events = self._events, []
        return encode_events(written)

    def start(self, *, message_id: str, model: str, usage: Mapping[str, Any]) -> None:
        """Begin the message; only the first time counts."""
        if self.started or self.ended:
            return
        self.started = True
        message: Event = {
            "id": message_id,
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": dict(usage),
        }
        self._events.append({"type": "message_start", "message": message})

    def text(self, piece: str) -> None:
        """Write text, in the open text block or a new one."""
        if piece:
            self._to("text", {"type": "text", "text": ""})
            self._delta({"type": "text_delta", "text": piece})

    def thinking(self, piece: str) -> None:
        """Write thinking, in the open thinking block or a new one."""
        if piece:
            self._to("thinking", _EMPTY_THINKING)
            self._delta({"type": "thinking_delta", "thinking": piece})

    def signature(self, signature: str) -> None:
        """Sign the open thinking block, or a new one without text."""
        self._to("thinking", _EMPTY_THINKING)
        self._delta({"type": "signature_delta", "signature": signature})

    def citation(self, citation: Mapping[str, Any]) -> None:
        """Add a citation to the open text block; there has to be one."""
        self._require("text")
        self._delta({"type": "citations_delta", "citation": dict(citation)})

    def open_tool(self, block: Mapping[str, Any]) -> None:
        """Begin a `tool_use` or `server_tool_use` block; its `input` is empty and comes with `tool_input`."""
        self.close_block()
        self._to("tool", block)

    def tool_input(self, piece: str) -> None:
        """Write a piece of the open tool block's input, JSON text."""
        if piece:
            self._require("tool")
            self._delta({"type": "input_json_delta", "partial_json": piece})

    def bodies(self, bodies: Sequence[bytes]) -> None:
        """Write pieces of the open block's text, thinking or input, at least one: each a delta of its own, given
        as the body of its string in orjson's JSON."""
        if self._open is None:
            raise ValueError("pieces while no block is open")
        start = _DELTA_STARTS[self._open] % (self.blocks - 1)
        self._events.append(start + (_DELTA_END + start).join(bodies) + _DELTA_END)

    def whole_block(self, block: Mapping[str, Any]) -> None:
        """Write a block that has no deltas, such as the result of a tool at the provider."""
        self.close_block()
        if self.ended:
            return
        self._start_block(block)
        self._stop_block()

    def close_block(self) -> None:
        """Close the open block, if there is one: what follows goes into a new one."""
        if self._open is not None:
            self._open = None
            self._stop_block()

    def end(
        self,
        stop_reason: str,
        usage: Mapping[str, Any],
        *,
        stop_sequence: str | None = None,
        stop_details: Mapping[str, Any] | None = None,
    ) -> None:
        """End the message well; `usage` must hold `output_tokens`. Only the first ending is written."""
        if self.ended:
            return
        if not self.started:
            raise ValueError("a message that has not started cannot end well")
        self.close_block()
        self.ended = True
        delta: Event = {"stop_reason": stop_reason, "stop_sequence": stop_sequence}
        if stop_details is not None:
            delta["stop_details"] = dict(stop_details)
        self._events.append({"type": "message_delta", "delta": delta, "usage": dict(usage)})
        self._events.append({"type": "message_stop"})

    def fail(self, error: GatewayError) -> None:
        """End with an `error` event, whatever is open. Only the first ending is written."""
        if self.ended:
            return
        self.ended = True
        self._open = None
        self.failure = error
        self._events.append(error.body(self._request_id))

    def _to(self, kind: BlockKind, block: Mapping[str, Any]) -> None:
        if self._open == kind or self.ended:
            return
        self.close_block()
        self._open = kind
        self._start_block(block)

    def _start_block(self, block: Mapping[str, Any]) -> None:
        if not self.started:
            raise ValueError("a block before the message has started")
        self._events.append(
            {"type": "content_block_start", "index": self.blocks, "content_block": dict(block)}
        )
        self.blocks += 1

    def _stop_block(self) -> None:
        self._events.append({"type": "content_block_stop", "index": self.blocks - 1})

    def _delta(self, delta: Event) -> None:
        if not self.ended:
            self._events.append({"type": "content_block_delta", "index": self.blocks - 1, "delta": delta})

    def _require(self, kind: BlockKind) -> None:
        if self._open != kind and not self.ended:
            raise ValueError(f"a delta of a {kind} block while {self._open or 'no block'} is open")


_EMPTY_THINKING: Mapping[str, Any] = {"type": "thinking", "thinking": "", "signature": ""}


# What `encode_event` writes before and after the text of a delta.
_DELTA_START = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'
_DELTA_STARTS: Mapping[BlockKind, bytes] = {
    "text": _DELTA_START + b'{"type":"text_delta","text":"',
    "thinking": _DELTA_START + b'{"type":"thinking_delta","thinking":"',
    "tool": _DELTA_START + b'{"type":"input_json_delta","partial_json":"',
}
_DELTA_END = b'"}}\n\n'


def encode_events(events: Iterable[Event | bytes]) -> bytes:
    """Return the events as server-sent events; some may have been encoded before."""
    return b"".join(
        [event if isinstance(event, bytes) else encode_event(event["type"], event) for event in events]
    )
