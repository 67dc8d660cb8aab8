"""A message as one object, put together from the events of its stream, for a client that asked for no stream."""

from collections.abc import Iterable
from typing import Any

import orjson

from channeling.providers.message_writer import Event

_TEXT_DELTAS = {"text_delta": "text", "thinking_delta": "thinking"}


def message_of(events: Iterable[Event]) -> dict[str, Any]:
    """Return the message that a `MessageWriter` wrote, from its first event to `message_stop`.

    Tool input that was cut off, and so is no JSON, becomes `{}`: an object cannot hold half of one.
    """
    message: dict[str, Any] = {}
    content: list[dict[str, Any]] = []
    pieces: dict[str, list[str]] = {}
    for event in events:
        match event["type"]:
            case "message_start":
                message = dict(event["message"])
            case "content_block_start":
                content.append(dict(event["content_block"]))
            case "content_block_delta":
                _take_delta(content[-1], pieces, event["delta"])
            case "content_block_stop":
                _close(content[-1], pieces)
                pieces = {}
            case "message_delta":
                message |= event["delta"]
                message["usage"] = message["usage"] | event["usage"]
    message["content"] = content
    return message


def _take_delta(block: dict[str, Any], pieces: dict[str, list[str]], delta: dict[str, Any]) -> None:
    kind = delta["type"]
    if kind in _TEXT_DELTAS:
        name = _TEXT_DELTAS[kind]
        pieces.setdefault(name, []).append(delta[name])
    elif kind == "input_json_delta":
        pieces.setdefault("input", []).append(delta["partial_json"])
    elif kind == "signature_delta":
        block["signature"] = delta["signature"]
    else:
        block.setdefault("citations", []).append(delta["citation"])


def _close(block: dict[str, Any], pieces: dict[str, list[str]]) -> None:
    for name, texts in pieces.items():
        block[name] = _input_of("".join(texts)) if name == "input" else "".join(texts)


def _input_of(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
