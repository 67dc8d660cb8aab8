"""The completion that a stream's chunks are the pieces of, as the API says it when it is not streamed."""

from collections.abc import Sequence
from typing import Any

# Fields of a delta that grow; the others are lists, or stand as they are.
_TEXTS = ("content", "reasoning", "reasoning_content", "refusal")


def whole_completion(chunks: Sequence[Any]) -> dict[str, Any]:
    """Return the completion of plain chunks: one choice, pieces of a call by its index or the id that begins it."""
    message: dict[str, Any] = {"role": "assistant", "content": None}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": None, "logprobs": None}
    whole: dict[str, Any] = {"object": "chat.completion", "choices": [choice], "system_fingerprint": None}
    for chunk in chunks:
        whole |= {key: value for key, value in chunk.items() if key not in ("object", "choices")}
        for piece in chunk["choices"]:
            choice |= {
                key: value
                for key, value in piece.items()
                if key not in ("delta", "index") and value is not None
            }
            _add(message, piece["delta"])
    return whole


def _add(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        if key in _TEXTS and isinstance(value, str):
            message[key] = (message.get(key) or "") + value
        elif key == "reasoning_details":
            for detail in value or ():
                _add_detail(message.setdefault(key, []), detail)
        elif key == "annotations":
            message.setdefault(key, []).extend(value or ())
        elif key == "tool_calls":
            for piece in value or ():
                _add_call(message.setdefault(key, []), piece)


def _add_detail(details: list[dict[str, Any]], piece: dict[str, Any]) -> None:
    last = details[-1] if details else {}
    grows = next((key for key in ("text", "summary") if key in last), None)
    if grows is None or any(last[name] != piece[name] for name in ("type", "index")):
        details.append(dict(piece))
        return
    details[-1] = {**last, **piece, grows: last[grows] + piece.get(grows, "")}


def _add_call(calls: list[dict[str, Any]], piece: dict[str, Any]) -> None:
    function = piece.get("function") or {}
    if piece.get("id") is not None:
        arguments = function.get("arguments", "")
        calls.append(
            {"id": piece["id"], "type": "function", "function": {**function, "arguments": arguments}}
        )
    elif function:
        calls[piece["index"]]["function"]["arguments"] += function["arguments"]
