"""A reader of Anthropic's event stream that forgives nothing: official SDKs forgive too much.

Rules: every record has `event:` and JSON data of the same type; one message_start first; block indexes dense
from 0, one block open at a time, a delta only inside its block and of its kind; message_delta with a usage after
the last block; then message_stop, or at any time `event: error`, and not a byte after it. Pings may stand anywhere.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson

DELTAS_OF = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "redacted_thinking": set(),
    "tool_use": {"input_json_delta"},
    "server_tool_use": {"input_json_delta"},
}


class StrictnessError(AssertionError):
    """The stream breaks a rule."""


@dataclass(slots=True)
class ReadStream:
    """What a well-formed stream said."""

    message: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    pings: int = 0
    events: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text blocks, joined."""
        return "".join(block["text"] for block in self.message["content"] if block["type"] == "text")


def read_strictly(stream: bytes, *, may_be_unfinished: bool = False) -> ReadStream:
    """Read a whole stream; raise StrictnessError."""
    if not may_be_unfinished and not stream.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")):
        raise StrictnessError(f"the stream ends inside a record: {stream[-80:]!r}")
    reader = _StrictReader()
    for record in _records(stream):
        reader.read(record)
    if not may_be_unfinished and not reader.ended:
        raise StrictnessError("the stream has no ending")
    return reader.result


def _records(stream: bytes) -> list[list[bytes]]:
    """Read line by line, independently of the product's own splitter."""
    records: list[list[bytes]] = []
    lines: list[bytes] = []
    for line in stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line:
            lines.append(line)
        elif lines:
            records.append(lines)
            lines = []
    return records


class _StrictReader:
    def __init__(self) -> None:
        self.result = ReadStream()
        self.ended = False
        self._open: dict[str, Any] | None = None
        self._json = ""
        self._delta_seen = False

    def read(self, lines: list[bytes]) -> None:
        if all(line.startswith(b":") for line in lines):
            return
        fields = dict(line.split(b": ", 1) for line in lines if not line.startswith(b":"))
        self._check(fields.keys() == {b"event", b"data"}, f"not one event and one data line: {lines}")
        event, data = fields[b"event"].decode(), orjson.loads(fields[b"data"])
        self._check(data.get("type") == event, f"event {event} holds data of type {data.get('type')}")
        self._check(not self.ended, f"{event} after the ending")
        self.result.events.append(event)
        if event == "ping":
            self.result.pings += 1
            return
        handler = getattr(self, f"_{event}", None)
        if handler is None:
            raise StrictnessError(f"unknown event {event}")
        if event not in ("message_start", "error"):
            self._check(bool(self.result.message), f"{event} before message_start")
        handler(data)

    def _message_start(self, data: dict[str, Any]) -> None:
        self._check(not self.result.message, "a second message_start")
        message = data["message"]
        self._check(message["content"] == [] and message["stop_reason"] is None, "message_start is not empty")
        self._check(isinstance(message["usage"]["input_tokens"], int), "message_start without usage")
        self.result.message = message

    def _content_block_start(self, data: dict[str, Any]) -> None:
        self._check(self._open is None, "a block starts inside another")
        self._check(not self._delta_seen, "a block starts after message_delta")
        content = self.result.message["content"]
        self._check(data["index"] == len(content), f"index {data['index']}, not {len(content)}")
        self._open = dict(data["content_block"])
        self._json = ""
        content.append(self._open)

    def _content_block_delta(self, data: dict[str, Any]) -> None:
        self._check_open(data)
        block, delta = self._block(), data["delta"]
        kind = delta["type"]
        self._check(kind in DELTAS_OF.get(block["type"], {kind}), f"{kind} in a {block['type']} block")
        match kind:
            case "text_delta":
                block["text"] += delta["text"]
            case "thinking_delta":
                block["thinking"] += delta["thinking"]
            case "signature_delta":
                block["signature"] = delta["signature"]
            case "input_json_delta":
                self._json += delta["partial_json"]
            case "citations_delta":
                block["citations"] = [*(block.get("citations") or []), delta["citation"]]

    def _content_block_stop(self, data: dict[str, Any]) -> None:
        self._check_open(data)
        block = self._block()
        if self._json:
            try:
                block["input"] = orjson.loads(self._json)
            except orjson.JSONDecodeError:
                block["partial_input"] = self._json
        self._open = None

    def _message_delta(self, data: dict[str, Any]) -> None:
        self._check(self._open is None, "message_delta inside a block")
        self._check(isinstance(data["usage"]["output_tokens"], int), "message_delta without usage")
        for block in self.result.message["content"]:
            # The length, or a classifier, may end an answer in the middle of a call.
            may_break = data["delta"]["stop_reason"] in ("max_tokens", "refusal")
            self._check(may_break or "partial_input" not in block, f"tool input that is no JSON: {block}")
        self._delta_seen = True
        self.result.message |= data["delta"]
        self.result.message["usage"] |= {
            key: value for key, value in data["usage"].items() if value is not None
        }

    def _message_stop(self, data: dict[str, Any]) -> None:
        self._check(self._delta_seen, "message_stop without message_delta")
        self._check(self.result.message["stop_reason"] is not None, "message_stop without a stop reason")
        self.ended = True

    def _error(self, data: dict[str, Any]) -> None:
        error = data["error"]
        self._check(isinstance(error["type"], str) and isinstance(error["message"], str), f"bad error {data}")
        self._check(isinstance(data.get("request_id"), str), "an error without request_id")
        self.result.error = error
        self.ended = True

    def _check_open(self, data: dict[str, Any]) -> None:
        last = len(self.result.message["content"]) - 1
        self._check(self._open is not None and data["index"] == last, f"block {data['index']} is not open")

    def _block(self) -> dict[str, Any]:
        if self._open is None:
            raise StrictnessError("no block is open")
        return self._open

    def _check(self, holds: bool, complaint: str) -> None:
        if not holds:
            raise StrictnessError(f"{complaint} (after {self.result.events[-5:]})")
