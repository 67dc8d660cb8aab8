"""The simulated provider: Anthropic's API as one environment reaches it, well or badly, as the seed says.

Events are shaped as the official SDK's types (`anthropic` 2.12.0, `types/raw_message_stream_event.py`).
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import orjson

from channeling.errors import UpstreamFailed
from channeling.upstream import UpstreamRequest, UpstreamUnreachable
from simulation.environment import Environment

_BEHAVIOURS = (
    *("well",) * 10,
    "slow",
    "silent",
    "never",
    "cut off",
    "eof",
    "error event",
    "late error event",
    "error status",
    "unreachable",
    "lost",
)
_ERROR_STATUSES = (400, 401, 413, 429, 500, 529)


@dataclass
class Served:
    """What the provider knows of one request that reached it."""

    request: str
    behaviour: str
    input_tokens: int
    output_tokens: int
    whole: bool = False  # the answer went out to its end


@dataclass
class Response:
    """A response of the simulated provider, in `channeling.upstream.UpstreamResponse`'s form."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]
    closed: list[bool] = field(default_factory=list)

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        return self.body

    async def aclose(self) -> None:
        """Note that nobody reads any more."""
        self.closed.append(True)


class SimulatedProvider:
    """`UpstreamClient` of one environment; `served` is the provider's own knowledge, shared by all of them."""

    def __init__(self, environment: Environment, served: list[Served]) -> None:
        self._environment = environment
        self._served = served

    async def send(self, request: UpstreamRequest) -> Response:
        """Answer a request, once it has travelled."""
        environment, rng = self._environment, self._environment.rng
        await environment.rest()
        document = orjson.loads(request.body)
        name = str(document["messages"][0]["content"]).split()[0]
        input_tokens = max(1, len(request.body) * rng.randint(10, 30) // 100)
        if request.url.split("?")[0].endswith("/count_tokens"):
            await asyncio.sleep(rng.uniform(0.01, 0.2))
            await environment.rest()
            return _json(200, {"input_tokens": input_tokens})
        behaviour = rng.choice(_BEHAVIOURS)
        if behaviour == "unreachable":
            raise UpstreamUnreachable("no connection could be made")
        output_tokens = rng.randint(1, min(int(document["max_tokens"]), rng.choice((20, 200, 2_000))))
        served = Served(name, behaviour, input_tokens, output_tokens)
        self._served.append(served)
        environment.trace.note("provider", f"{name}: {behaviour}, {input_tokens} in, {output_tokens} out")
        await asyncio.sleep(3_000.0 if behaviour == "never" else rng.uniform(0.05, 3.0))
        await environment.rest()
        if behaviour == "lost":
            raise UpstreamFailed("the connection was lost")
        if behaviour == "error status":
            status = rng.choice(_ERROR_STATUSES)
            error = {"type": "error", "error": {"type": "api_error", "message": "no"}, "request_id": "req_up"}
            return _json(status, error)
        if document.get("stream"):
            events = _events(environment, rng, served, document["model"])
            return Response(200, {"content-type": "text/event-stream"}, events)
        return Response(
            200, {"content-type": "application/json"}, _whole(environment, rng, served, document["model"])
        )

    async def aclose(self) -> None:
        """There is nothing to close."""


def _json(status: int, document: object) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield orjson.dumps(document)

    return Response(status, {"content-type": "application/json"}, body())


def _message(served: Served, model: str, output_tokens: int) -> dict[str, object]:
    return {
        "id": "msg_simulated",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": served.input_tokens, "output_tokens": output_tokens},
    }


async def _whole(
    environment: Environment, rng: random.Random, served: Served, model: str
) -> AsyncIterator[bytes]:
    message = _message(served, model, served.output_tokens)
    message["content"] = [{"type": "text", "text": "word" * served.output_tokens}]
    message["stop_reason"] = "end_turn"
    body = orjson.dumps(message)
    await asyncio.sleep(served.output_tokens / rng.choice((20, 80, 200)))
    await environment.rest()
    if served.behaviour in ("cut off", "eof"):
        yield body[: len(body) // 2]
        raise UpstreamFailed("the connection was cut")
    served.whole = True
    yield body


async def _events(
    environment: Environment, rng: random.Random, served: Served, model: str
) -> AsyncIterator[bytes]:
    if served.behaviour == "error event":
        yield _event("error", {"error": {"type": "overloaded_error", "message": "Overloaded"}})
        return
    tokens_per_s = 2 if served.behaviour == "slow" else rng.choice((20, 60, 150))
    yield _event("message_start", {"message": _message(served, model, 1)})
    block: object = {"type": "text", "text": ""}
    yield _event("content_block_start", {"index": 0, "content_block": block})
    left, breaks_at = served.output_tokens, served.output_tokens // 2
    piece_tokens = max(1, left // 6)
    while left > 0:
        tokens = min(piece_tokens, left)
        left -= tokens
        await asyncio.sleep(tokens / tokens_per_s + (40.0 if served.behaviour == "silent" else 0.0))
        await environment.rest()
        delta = {"type": "text_delta", "text": "word" * tokens}
        yield _event("content_block_delta", {"index": 0, "delta": delta})
        if left <= breaks_at and served.behaviour == "cut off":
            raise UpstreamFailed("the connection was cut")
        if left <= breaks_at and served.behaviour == "eof":
            return
        if left <= breaks_at and served.behaviour == "late error event":
            yield _event("error", {"error": {"type": "overloaded_error", "message": "Overloaded"}})
            return
    yield _event("content_block_stop", {"index": 0})
    usage = {"output_tokens": served.output_tokens}
    yield _event(
        "message_delta", {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage}
    )
    served.whole = True
    yield _event("message_stop", {})


def _event(name: str, data: dict[str, object]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps({"type": name, **data}) + b"\n\n"
