"""What the stand-in for the Anthropic API says: scripts of content and misbehaviour, turned into its events.

Events are shaped as the official SDK's types (`anthropic` 2.12.0, `types/raw_message_stream_event.py` and below).
One piece of content (a word, eight characters of tool input) counts as one output token.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

SIGNATURE = "EqQBCkYIBxgCKkDstandin/signature+of/thinking=="
MESSAGE_ID = "msg_standin0000000000000000"

Event = tuple[str, dict[str, Any]]
Ending = Literal[
    "complete",
    "reset",  # the connection is reset
    "eof",  # the body ends properly, the message does not
    "hang",  # nothing more comes, ever
    "garbage",  # bytes that are no events
    "error",  # event: error, overloaded
]


@dataclass(frozen=True, slots=True)
class Text:
    """A text block."""

    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """A thinking block, signed."""

    text: str
    signature: str = SIGNATURE


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of one of the client's tools."""

    name: str
    input: Mapping[str, Any]
    id: str = "toolu_standin00000000000000"


@dataclass(frozen=True, slots=True)
class Script:
    """One answer: its content, how it travels, and how it ends.

    An answer that is not 200, or has a `body`, is sent as it stands. `records_before_ending` is how many events
    come before an ending other than `complete` (None: all but message_delta and message_stop). `bytes_per_write`
    0 writes each event by itself. A `gated` answer sends one piece of content for each one released, or, when it
    is not streamed, waits for one. Not streamed, `reset` and `hang` come half-way; other endings are for streams.
    """

    blocks: tuple[Text | Thinking | ToolUse, ...] = (
        Text("Hello from the stand-in, with a smile: \u00e9\u4f60\U0001f600."),
    )
    stop_reason: str = "end_turn"
    usage: Mapping[str, Any] = field(default_factory=dict)
    final_usage: Mapping[str, Any] = field(default_factory=dict)
    input_tokens: int | None = None
    tokens_per_piece: int = 1
    status: int = 200
    body: bytes | None = None
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    answers: bool = True
    gated: bool = False
    line_end: bytes = b"\n"
    bytes_per_write: int = 0
    compress: bool = False
    ending: Ending = "complete"
    records_before_ending: int | None = None


def error_script(status: int, error_type: str, message: str, *headers: tuple[str, str]) -> Script:
    """Return an answer in Anthropic's error shape."""
    body = {
        "type": "error",
        "error": {"type": error_type, "message": message},
        "request_id": "req_standin",
    }
    return Script(status=status, body=orjson.dumps(body), headers=headers)


LONG_TEXT = "word " * 2_000
OVERLOADED = error_script(529, "overloaded_error", "Overloaded")

# By name, for a stand-in in another process: chosen with the header `anthropic-stand-in: NAME` or the model
# `claude-stand-in-NAME`. Several in a row answer one request each; the last one stays.
NAMED_SCRIPTS: Mapping[str, tuple[Script, ...]] = {
    "text": (Script(),),
    "long": (Script(blocks=(Text(LONG_TEXT),)),),
    "paced": (Script(blocks=(Text(LONG_TEXT),), gated=True),),
    "thinking": (Script(blocks=(Thinking("Let me think about that."), Text("Done thinking."))),),
    "tool": (
        Script(
            blocks=(
                Text("I will look."),
                ToolUse("get_weather", {"city": "K\u00f8benhavn", "days": 3}),
                ToolUse("get_time", {}, id="toolu_standin00000000000001"),
            ),
            stop_reason="tool_use",
        ),
    ),
    "cached": (
        Script(
            input_tokens=7,
            usage={
                "cache_creation_input_tokens": 300,
                "cache_read_input_tokens": 2_000,
                "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
                "service_tier": "standard",
            },
        ),
    ),
    "byte-by-byte": (Script(bytes_per_write=1),),
    "crlf": (Script(line_end=b"\r\n", bytes_per_write=7),),
    "silent": (Script(ending="hang", records_before_ending=3),),
    "never-answers": (Script(answers=False),),
    "dies": (Script(blocks=(Text(LONG_TEXT),), ending="reset", records_before_ending=40),),
    "clean-eof": (Script(ending="eof"),),
    "eof-after-delta": (Script(ending="eof", records_before_ending=-1),),
    "garbage": (Script(ending="garbage", records_before_ending=5),),
    "error-event": (Script(ending="error", records_before_ending=5),),
    "html": (Script(body=b"<html><body>It works!</body></html>", content_type="text/html"),),
    "empty": (Script(body=b"", content_type="text/plain"),),
    "gzip": (Script(compress=True),),
    "400": (
        error_script(400, "invalid_request_error", "prompt is too long: 210883 tokens > 199999 maximum"),
    ),
    "401": (error_script(401, "authentication_error", "invalid x-api-key"),),
    "402": (error_script(402, "billing_error", "Your payment method was declined"),),
    "403": (error_script(403, "permission_error", "Your API key may not use this resource"),),
    "404": (error_script(404, "not_found_error", "model: claude-nowhere"),),
    "413": (error_script(413, "request_too_large", "Request exceeds the maximum size"),),
    "429": (error_script(429, "rate_limit_error", "Slow down", ("retry-after", "17")),),
    "500": (error_script(500, "api_error", "Internal server error"),),
    "503": (Script(status=503, body=b"<html>upstream connect error</html>", content_type="text/html"),),
    "529": (OVERLOADED,),
    "busy-once": (OVERLOADED, Script()),
    "credit": (
        error_script(
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.",
        ),
    ),
}


def events_of(script: Script, *, model: str, max_tokens: int, input_tokens: int) -> Iterator[Event]:
    """Yield the events of a whole answer, cut at `max_tokens` as a model would be."""
    usage = {
        "input_tokens": input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 1,
        "service_tier": "standard",
        **script.usage,
    }
    message: dict[str, Any] = {
        "id": MESSAGE_ID,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    yield "message_start", {"type": "message_start", "message": message}
    yield "ping", {"type": "ping"}
    tokens, was_cut = 0, False
    for index, block in enumerate(script.blocks):
        yield (
            "content_block_start",
            {
                "type": "content_block_start",
                "index": index,
                "content_block": _empty_block(block),
            },
        )
        for delta in _deltas(block):
            if tokens + script.tokens_per_piece > max_tokens:
                was_cut = True
                break
            tokens += script.tokens_per_piece
            yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        if isinstance(block, Thinking) and not was_cut:
            signature = {"type": "signature_delta", "signature": block.signature}
            yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": signature}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
        if was_cut:
            break
    stop_reason = "max_tokens" if was_cut else script.stop_reason
    yield (
        "message_delta",
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop_reason, "stop_sequence": None},
            "usage": {"output_tokens": max(1, tokens), **script.final_usage},
        },
    )
    yield "message_stop", {"type": "message_stop"}


def message_of(events: Iterator[Event]) -> dict[str, Any]:
    """Return the message that a client without `stream` gets for these events."""
    message: dict[str, Any] = {}
    partial_json = ""
    for _, data in events:
        match data["type"]:
            case "message_start":
                message = data["message"]
            case "content_block_start":
                message["content"].append(dict(data["content_block"]))
                partial_json = ""
            case "content_block_delta":
                delta, block = data["delta"], message["content"][-1]
                match delta["type"]:
                    case "text_delta":
                        block["text"] += delta["text"]
                    case "thinking_delta":
                        block["thinking"] += delta["thinking"]
                    case "signature_delta":
                        block["signature"] = delta["signature"]
                    case "input_json_delta":
                        partial_json += delta["partial_json"]
            case "content_block_stop":
                if message["content"][-1]["type"] == "tool_use" and _is_json(partial_json):
                    message["content"][-1]["input"] = orjson.loads(partial_json)
            case "message_delta":
                message |= data["delta"]
                message["usage"] |= data["usage"]
    return message


def encoded(event: Event, line_end: bytes = b"\n") -> bytes:
    """Return an event as it goes over the wire."""
    name, data = event
    lines = (b"event: " + name.encode(), b"data: " + orjson.dumps(data), b"", b"")
    return line_end.join(lines)


def _empty_block(block: Text | Thinking | ToolUse) -> dict[str, Any]:
    match block:
        case Text():
            return {"type": "text", "text": ""}
        case Thinking():
            return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "tool_use", "id": block.id, "name": block.name, "input": {}}


def _deltas(block: Text | Thinking | ToolUse) -> Iterator[dict[str, Any]]:
    match block:
        case Text():
            for piece in _words(block.text):
                yield {"type": "text_delta", "text": piece}
        case Thinking():
            for piece in _words(block.text):
                yield {"type": "thinking_delta", "thinking": piece}
        case ToolUse():
            text = orjson.dumps(dict(block.input)).decode()
            for start in range(0, len(text), 8):
                yield {"type": "input_json_delta", "partial_json": text[start : start + 8]}


def _words(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
