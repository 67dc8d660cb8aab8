"""The built-in demo upstream: it answers like a model, at a human pace, and says that it is none.

`DemoUpstream` answers inside the process, so that nothing listens. For a gateway in another process:
`python -m channeling_cli.demo_upstream --port 8081` (port 0: any), which prints its base URL as one JSON line.
"""

import argparse
import asyncio
import itertools
import re
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from channeling.errors import GatewayError, NotFound
from channeling.message_request import MessageRequest, parse_count_tokens_request, parse_message_request
from channeling.sse import PING, encode_event
from channeling.upstream import UpstreamRequest

Sleep = Callable[[float], Awaitable[None]]

PIECES_PER_S = 25.0
LONGEST_SILENCE_S = 1.5
BYTES_PER_TOKEN = 4
_LONGEST_QUOTE = 80
_WORD = re.compile(r"\s*\S+")


class DemoUpstream:
    """`UpstreamClient` that needs no account and no network: Messages (streamed or whole) and count_tokens."""

    def __init__(self, *, sleep: Sleep = asyncio.sleep) -> None:
        self._sleep = sleep
        self._numbers = itertools.count(1)

    async def send(self, request: UpstreamRequest) -> "DemoResponse":
        """Answer a request of the Anthropic API; nonsense gets the API's kind of error."""
        number = next(self._numbers)
        try:
            return self._answer(urlsplit(request.url).path, request.body, number)
        except GatewayError as error:
            return DemoResponse(
                error.status, number, "application/json", _whole(error.body(_request_id(number)))
            )

    async def aclose(self) -> None:
        """Nothing is open."""

    def _answer(self, path: str, body: bytes, number: int) -> "DemoResponse":
        if path.endswith("/v1/messages/count_tokens"):
            counted = {"input_tokens": _input_tokens(parse_count_tokens_request(body))}
            return DemoResponse(200, number, "application/json", _whole(counted))
        if not path.endswith("/v1/messages"):
            raise NotFound("The demo upstream answers /v1/messages and /v1/messages/count_tokens alone")
        request = parse_message_request(body)
        if request.stream:
            content_type = "text/event-stream; charset=utf-8"
            return DemoResponse(200, number, content_type, self._paced(request, number))
        return DemoResponse(200, number, "application/json", self._whole_message(request, number))

    async def _paced(self, request: MessageRequest, number: int) -> AsyncIterator[bytes]:
        for event, data in message_events(request, f"msg_demo_{number:06}"):
            if event == "content_block_delta":
                await self._sleep(1 / PIECES_PER_S)
            yield encode_event(event, data)
            if event == "message_start":
                yield PING

    async def _whole_message(self, request: MessageRequest, number: int) -> AsyncIterator[bytes]:
        message, pieces = _message(request, f"msg_demo_{number:06}")
        await self._sleep(min(pieces / PIECES_PER_S, LONGEST_SILENCE_S))
        yield orjson.dumps(message)


class DemoResponse:
    """`UpstreamResponse` of the demo."""

    def __init__(self, status: int, number: int, content_type: str, body: AsyncIterator[bytes]) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {"content-type": content_type, "request-id": _request_id(number)}
        self._body = body

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        return self._body

    async def aclose(self) -> None:
        """Nothing is open."""


def demo_text(request: MessageRequest) -> str:
    """Return what the demo says to a request."""
    asked = _last_words(request)
    quote = f"You wrote \u201c{asked}\u201d. " if asked else ""
    return (
        f"This is Channeling's built-in demo, not {request.model}: no model was asked and nothing was paid. {quote}"
        "What you see is real all the same: these words come through your gateway, their tokens are priced, and "
        "the price is held and settled against your budget. "
        "For real answers set your own key: run `.venv/bin/channeling key set anthropic` in a second terminal, "
        "or start again with `ANTHROPIC_API_KEY=\u2026 make run`."
    )


def message_events(request: MessageRequest, message_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events of the demo's answer, one word a token, at most `max_tokens` of them."""
    words = _WORD.findall(demo_text(request))
    most = len(words) if request.max_tokens is None else request.max_tokens
    usage = {
        "input_tokens": _input_tokens(request),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 1,
        "service_tier": "standard",
    }
    message: dict[str, Any] = {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    yield "message_start", {"type": "message_start", "message": message}
    block = {"type": "text", "text": ""}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": block}
    for word in words[:most]:
        delta = {"type": "text_delta", "text": word}
        yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    yield (
        "message_delta",
        {
            "type": "message_delta",
            "delta": {
                "stop_reason": "max_tokens" if most < len(words) else "end_turn",
                "stop_sequence": None,
            },
            "usage": {"output_tokens": min(most, len(words))},
        },
    )
    yield "message_stop", {"type": "message_stop"}


def _message(request: MessageRequest, message_id: str) -> tuple[dict[str, Any], int]:
    """Return the message that the events make, and of how many pieces its text is."""
    message: dict[str, Any] = {}
    words: list[str] = []
    for event, data in message_events(request, message_id):
        match event:
            case "message_start":
                message = data["message"]
            case "content_block_delta":
                words.append(data["delta"]["text"])
            case "message_delta":
                message |= data["delta"]
                message["usage"] |= data["usage"]
    message["content"] = [{"type": "text", "text": "".join(words)}]
    return message, len(words)


def _last_words(request: MessageRequest) -> str:
    """The beginning of the last text in the conversation, on one line."""
    content = request.document["messages"][-1].get("content")
    texts = [content] if isinstance(content, str) else []
    if isinstance(content, list):
        texts = [
            block["text"]
            for block in content
            if isinstance(block, dict) and isinstance(block.get("text"), str)
        ]
    line = " ".join(texts[-1].split()) if texts else ""
    return line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 1] + "\u2026"


def _input_tokens(request: MessageRequest) -> int:
    counted = ("messages", "system", "tools")
    spans = [request.spans[key] for key in counted if key in request.spans]
    return max(1, sum(span.end - span.start for span in spans) // BYTES_PER_TOKEN)


def _request_id(number: int) -> str:
    return f"req_demo_{number:06}"


async def _whole(document: Mapping[str, Any]) -> AsyncIterator[bytes]:
    yield orjson.dumps(document)


class DemoApp:
    """The demo as an ASGI app; it stops when the client leaves."""

    def __init__(self, upstream: DemoUpstream) -> None:
        self._upstream = upstream

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        request = UpstreamRequest(scope["method"], scope["path"], [], body)
        answer, left = asyncio.ensure_future(self._answer(request, send)), asyncio.ensure_future(receive())
        await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
        for task in (answer, left):
            task.cancel()
        results = await asyncio.gather(answer, left, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]

    async def _answer(self, request: UpstreamRequest, send: Any) -> None:
        response = await self._upstream.send(request)
        headers = [(name.encode(), value.encode()) for name, value in response.headers.items()]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        async for chunk in response.chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def main() -> None:
    """Serve the demo over HTTP on loopback until stopped."""
    import uvicorn

    arguments = argparse.ArgumentParser(description="Channeling's demo upstream on a loopback port")
    arguments.add_argument("--port", type=int, default=0)
    with socket.create_server(("127.0.0.1", arguments.parse_args().port)) as listener:
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        sys.stdout.write(orjson.dumps({"base_url": base_url}).decode() + "\n")
        sys.stdout.flush()
        config = uvicorn.Config(
            DemoApp(DemoUpstream()), lifespan="off", log_level="warning", access_log=False
        )
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
