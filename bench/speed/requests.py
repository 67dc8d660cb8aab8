"""The requests that are sent to every target, as whole HTTP requests in files: small, large, streamed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

Kind = Literal["json", "big", "sse"]
# What stands near the end of a whole answer of /v1/messages, whatever made it.
ENDINGS: Mapping[Kind, str] = {"json": "stop_reason", "big": "stop_reason", "sse": "message_stop"}
SMALL_TEXT_BYTES = 900
_TURNS, _TOOLS = 41, 20


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: headers beside those of every request."""

    headers: Mapping[str, str]


def write_requests(
    folder: Path, kind: Kind, model: str, callers: Sequence[Caller], *, path: str = "/v1/messages"
) -> list[Path]:
    """Write one file a caller; return them."""
    return write_bodies(folder, kind, body_of(kind, model), callers, path=path)


def write_bodies(
    folder: Path, name: str, body: bytes, callers: Sequence[Caller], *, path: str = "/v1/messages"
) -> list[Path]:
    """Write one request with this body for each caller; return the files."""
    files = []
    for number, caller in enumerate(callers):
        file = folder / f"request-{name}-{number}"
        file.write_bytes(_http_request(path, caller.headers, body))
        files.append(file)
    return files


def body_of(kind: Kind, model: str) -> bytes:
    """Return a request of /v1/messages: 1 kB, or 93 kB as an agent sends it."""
    if kind == "big":
        return orjson.dumps({**_head(model, stream=False), "tools": _tools(), "messages": _turns()})
    return small_body(model, stream=kind == "sse", text_bytes=SMALL_TEXT_BYTES)


def small_body(model: str, *, stream: bool, text_bytes: int, max_tokens: int = 1024) -> bytes:
    """Return a request of one message of that many bytes."""
    content = _words(random.Random(1), text_bytes)
    head = {**_head(model, stream=stream), "max_tokens": max_tokens}
    return orjson.dumps({**head, "messages": [{"role": "user", "content": content}]})


def _head(model: str, *, stream: bool) -> dict[str, Any]:
    return {"model": model, "max_tokens": 1024, **({"stream": True} if stream else {})}


def _http_request(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "host: 127.0.0.1",
        "user-agent: bench",
        "accept: */*",
        "content-type: application/json",
        "anthropic-version: 2023-06-01",
        *(f"{name}: {value}" for name, value in headers.items()),
        f"content-length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _words(chance: random.Random, count: int) -> str:
    words: list[str] = []
    length = 0
    while length < count:
        words.append("".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))))
        length += len(words[-1]) + 1
    return " ".join(words)[:count]


def _turns() -> list[dict[str, Any]]:
    chance = random.Random(2)
    return [
        {
            "role": "assistant" if number % 2 else "user",
            "content": [{"type": "text", "text": _words(chance, 1_750)}],
        }
        for number in range(_TURNS)
    ]


def _tools() -> list[dict[str, Any]]:
    chance = random.Random(3)
    properties = {
        f"argument_{number}": {"type": "string", "description": _words(chance, 60)} for number in range(4)
    }
    return [
        {
            "name": f"tool_{number}",
            "description": _words(chance, 400),
            "input_schema": {"type": "object", "properties": properties, "required": ["argument_0"]},
        }
        for number in range(_TOOLS)
    ]
