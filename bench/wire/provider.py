"""The provider's stand-in as a process: Anthropic's streamed Messages API, generating on its own clock.

    python -m bench.wire.provider --answers '{"max_tokens": 1024}' --seed 1

It prints `{"base_url": ...}`, keeps the truth of what each user cost (GET /truth), and ends with its standard
input. Users are told apart by `metadata.user_id`, or by the header that hardcap sends. For the gateway that wants
an identity provider at its start it serves the two documents of one, without anybody in it.
"""

import argparse
import asyncio
import contextlib
import random
import socket
import sys
from dataclasses import asdict
from typing import Any

import orjson
import uvicorn

from bench.budget_study import MODEL, NOTICE_S
from bench.wire.generation import Answers, Draws, Generation
from channeling.sse import encode_event

TENANT_HEADER = b"x-hardcap-tenant"


class Provider:
    """The ASGI application."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self.base_url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body = await _body(receive)
        match scope["method"], scope["path"]:
            case "POST", "/v1/messages":
                await self._message(scope, orjson.loads(body), receive, send)
            case "POST", "/v1/messages/count_tokens":
                await _send_json(send, 200, {"input_tokens": self._draws.answers.input_tokens})
            case "GET", "/truth":
                await _send_json(send, 200, {user: asdict(one) for user, one in self._draws.truths.items()})
            case "GET", "/.well-known/openid-configuration":
                await _send_json(send, 200, _identity_provider(self.base_url))
            case "GET", "/jwks":
                await _send_json(send, 200, {"keys": []})
            case _:
                await _send_json(send, 404, _error("not_found_error", "no such endpoint"))

    async def _message(self, scope: Any, asked: Any, receive: Any, send: Any) -> None:
        if not asked.get("stream"):
            await _send_json(send, 400, _error("invalid_request_error", "this stand-in only streams"))
            return
        headers = dict(scope["headers"])
        named = (asked.get("metadata") or {}).get("user_id")
        user = headers[TENANT_HEADER].decode() if TENANT_HEADER in headers else str(named)
        generation, truth = self._draws.begin(user, asked["max_tokens"])
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        left = asyncio.ensure_future(_left(receive))
        billed = generation.tokens
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
            if not await self._stream(generation, began_s, asked["max_tokens"], left, send):
                # A moment passes between our leaving and the end of the generation, which bills until then.
                billed = generation.generated(loop.time() - began_s + NOTICE_S)
        finally:
            left.cancel()
            generation.bill(truth, billed)
            truth.running -= 1

    async def _stream(
        self, generation: Generation, began_s: float, asked: int, left: "asyncio.Future[None]", send: Any
    ) -> bool:
        """Send what is generated as it is; return whether the client stayed to the end."""
        loop, answers = asyncio.get_running_loop(), generation.answers

        async def write(data: bytes, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": more})

        if await _is_done_by(left, began_s + answers.first_token_s):
            return False
        await write(_beginning(answers.input_tokens))
        sent, turn = 0, 0
        while sent < generation.tokens:
            turn += 1
            if await _is_done_by(left, began_s + answers.first_token_s + turn * answers.event_s):
                return False
            now = generation.generated(loop.time() - began_s)
            text = generation.text(sent, now)
            sent = now
            if text:
                delta = {"type": "text_delta", "text": text}
                data = {"type": "content_block_delta", "index": 0, "delta": delta}
                await write(encode_event("content_block_delta", data))
        await write(_ending(generation.tokens, asked), more=False)
        return True


_STREAM_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


def _beginning(input_tokens: int) -> bytes:
    message: dict[str, Any] = {"id": "msg_study", "type": "message", "role": "assistant", "model": MODEL}
    message |= {"content": [], "stop_reason": None, "stop_sequence": None}
    message |= {"usage": {"input_tokens": input_tokens, "output_tokens": 1}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    start = encode_event("message_start", {"type": "message_start", "message": message})
    return start + encode_event("content_block_start", block)


def _ending(tokens: int, asked: int) -> bytes:
    delta = {"stop_reason": "max_tokens" if tokens >= asked else "end_turn", "stop_sequence": None}
    last = {"type": "message_delta", "delta": delta, "usage": {"output_tokens": tokens}}
    return (
        encode_event("content_block_stop", {"type": "content_block_stop", "index": 0})
        + encode_event("message_delta", last)
        + encode_event("message_stop", {"type": "message_stop"})
    )


def _identity_provider(base_url: str) -> dict[str, Any]:
    return {
        "issuer": base_url,
        "authorization_endpoint": f"{base_url}/authorize",
        "token_endpoint": f"{base_url}/token",
        "jwks_uri": f"{base_url}/jwks",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


async def _body(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _is_done_by(left: "asyncio.Future[None]", at_s: float) -> bool:
    """Wait until a moment; return at once, and True, when the client leaves before."""
    rest_s = at_s - asyncio.get_running_loop().time()
    done, _ = await asyncio.wait({left}, timeout=max(0.0, rest_s))
    return bool(done)


async def _send_json(send: Any, status: int, content: Any) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(content)})


async def _serve(provider: Provider) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(
            1024
        )  # before the address is told: whoever connects at once waits, and is not refused
        provider.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(provider, log_level="warning", access_log=False, lifespan="off", backlog=1024)
        server = uvicorn.Server(config)
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        sys.stdout.write(orjson.dumps({"base_url": provider.base_url}).decode() + "\n")
        sys.stdout.flush()
        ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.buffer.read))
        await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = server.force_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await serving


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.wire.provider")
    parser.add_argument("--answers", required=True, help="the fields of Answers as JSON")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draws = Draws(Answers(**orjson.loads(options.answers)), random.Random(options.seed))
    asyncio.run(_serve(Provider(draws)))


if __name__ == "__main__":
    main()
