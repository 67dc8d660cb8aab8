"""The simulated provider: Anthropic's API as one environment reaches it, well or badly, as the plan says.

Events are shaped as the official SDK's types (`anthropic` 2.12.0, `types/raw_message_stream_event.py`).
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import orjson

from channeling.errors import UpstreamFailed
from channeling.upstream import UpstreamRequest, UpstreamUnreachable
from simulation.environment import Environment

Behaviour = Literal[
    "well",
    "slow",  # 2 tokens a second
    "silent",  # 40 s without a byte, and without a token, between all pieces
    "never",  # an answer that does not come in 3,000 s
    "cut off",  # the connection breaks half-way
    "torn",  # the same, in the middle of an event
    "eof",  # it just ends half-way
    "error event",  # a stream that begins with an error
    "late error event",  # an error half-way
    "error in 200",  # a whole answer that is an error under the status 200
    "error status",
    "unreachable",
    "lost",  # the connection breaks before any answer
]
Script = Literal["words", "code", "cjk", "emoji"]

_BEHAVIOURS: tuple[Behaviour, ...] = (
    *("well",) * 12,
    "slow",
    "silent",
    "never",
    "cut off",
    "torn",
    "eof",
    "error event",
    "late error event",
    "error in 200",
    "error status",
    "unreachable",
    "lost",
)
_ERROR_STATUSES = (400, 401, 413, 429, 500, 529)
# What a token is in each script, and how many tokens: an emoji is several.
_TEXT: Mapping[Script, tuple[str, int]] = {
    "words": ("word", 1),
    "code": ("x={", 1),
    "cjk": ("字", 1),
    "emoji": ("🦊", 2),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the provider does with one request. `hidden_tokens`, of the output, are thinking that is not shown."""

    behaviour: Behaviour
    input_per_1000_bytes: int
    output_tokens: int
    tokens_per_s: int
    hidden_tokens: int = 0
    script: Script = "words"
    pieces: int = 6
    first_byte_s: float = 0.5
    # It goes on writing so long after we left.
    notices_after_s: float = 0.3


@dataclass
class Served:
    """What the provider knows of one request that reached it; `written_bytes` is text that it sent, three for a
    character beyond ASCII."""

    request: str
    plan: Plan
    max_tokens: int
    body_bytes: int
    input_tokens: int
    began_s: float | None = None
    left_s: float | None = None
    told_input: bool = False
    told_all: bool = False
    written_bytes: int = 0

    @property
    def output_tokens(self) -> int:
        """How much it writes if nobody stops it."""
        return self.plan.output_tokens

    def generated_tokens(self, *, until_noticed: bool = True) -> int:
        """Return how much it wrote until it noticed that nobody reads any more, or until nobody did."""
        if self.began_s is None:
            return 0
        if self.left_s is None or self.told_all:
            return self.output_tokens
        writing_s = self.left_s + (self.plan.notices_after_s if until_noticed else 0.0) - self.began_s
        return min(self.output_tokens, int(writing_s * self.plan.tokens_per_s))


@dataclass
class Response:
    """A response of the simulated provider, in `channeling.upstream.UpstreamResponse`'s form."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]
    on_close: Callable[[], None] = field(default=lambda: None)

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        return self.body

    async def aclose(self) -> None:
        """Note that nobody reads any more."""
        self.on_close()


def draw_plan(rng: random.Random, max_tokens: int) -> Plan:
    """Return what a provider of everyday misfortune does with a request."""
    behaviour = rng.choice(_BEHAVIOURS)
    output_tokens = rng.randint(1, min(max_tokens, rng.choice((20, 200, 2_000, 8_000))))
    return Plan(
        behaviour,
        input_per_1000_bytes=rng.randint(100, 300),
        output_tokens=output_tokens,
        tokens_per_s=2 if behaviour == "slow" else rng.choice((20, 60, 150, 240)),
        hidden_tokens=rng.choice((0, 0, 0, output_tokens // 2, output_tokens * 9 // 10)),
        script=rng.choice(("words", "words", "words", "code", "cjk", "emoji")),
        pieces=rng.choice((2, 6, 6)) + output_tokens // 400,
        first_byte_s=rng.uniform(0.05, 3.0),
    )


class SimulatedProvider:
    """`UpstreamClient` of one environment; `served` is the provider's own knowledge, shared by all of them."""

    def __init__(
        self,
        environment: Environment,
        served: list[Served],
        plan_answer: Callable[[random.Random, int], Plan],
    ) -> None:
        self._environment = environment
        self._served = served
        self._plan_answer = plan_answer

    async def send(self, request: UpstreamRequest) -> Response:
        """Answer a request, once it has travelled."""
        environment, rng = self._environment, self._environment.rng
        await environment.rest()
        document = orjson.loads(request.body)
        name = str(document["messages"][0]["content"]).split()[0]
        if request.url.split("?")[0].endswith("/count_tokens"):
            await asyncio.sleep(rng.uniform(0.01, 0.2))
            await environment.rest()
            return _json(200, {"input_tokens": max(1, len(request.body) * rng.randint(280, 300) // 1000)})
        plan = self._plan_answer(rng, int(document["max_tokens"]))
        if plan.behaviour == "unreachable":
            raise UpstreamUnreachable("no connection could be made")
        input_tokens = max(1, len(request.body) * plan.input_per_1000_bytes // 1000)
        served = Served(name, plan, int(document["max_tokens"]), len(request.body), input_tokens)
        self._served.append(served)
        environment.trace.note("provider", f"{name}: {plan}, {input_tokens} in")
        await asyncio.sleep(3_000.0 if plan.behaviour == "never" else plan.first_byte_s)
        await environment.rest()
        if plan.behaviour == "lost":
            raise UpstreamFailed("the connection was lost")
        if plan.behaviour == "error status":
            return _json(rng.choice(_ERROR_STATUSES), _error())
        served.began_s = asyncio.get_running_loop().time()
        if document.get("stream"):
            return self._stream(served, document["model"])
        if plan.behaviour == "error in 200":
            return _json(200, _error())
        return Response(200, {"content-type": "application/json"}, self._whole(served, document["model"]))

    async def aclose(self) -> None:
        """There is nothing to close."""

    def _stream(self, served: Served, model: str) -> Response:
        def closed() -> None:
            if served.left_s is None:
                served.left_s = asyncio.get_running_loop().time()

        events = self._events(served, model)
        return Response(200, {"content-type": "text/event-stream"}, events, closed)

    async def _whole(self, served: Served, model: str) -> AsyncIterator[bytes]:
        message = _message(served, model, served.output_tokens)
        text = _text(served.plan, served.output_tokens - served.plan.hidden_tokens)
        body = orjson.dumps(
            message | {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
        )
        await asyncio.sleep(served.output_tokens / served.plan.tokens_per_s)
        await self._environment.rest()
        if served.plan.behaviour in ("cut off", "torn", "eof"):
            yield body[: len(body) // 2]
            raise UpstreamFailed("the connection was cut")
        served.written_bytes = _bytes(text)
        served.told_input = served.told_all = True
        yield body

    async def _events(self, served: Served, model: str) -> AsyncIterator[bytes]:
        plan, loop = served.plan, asyncio.get_running_loop()
        if plan.behaviour == "error event":
            yield _event("error", _overloaded())
            return
        served.told_input = True
        yield _event("message_start", {"message": _message(served, model, 1)})
        yield _event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
        left, ready_s = served.output_tokens, loop.time() + plan.hidden_tokens / plan.tokens_per_s
        left -= plan.hidden_tokens
        breaks_at, piece_tokens = left // 2, max(1, left // plan.pieces)
        while left > 0:
            tokens = min(piece_tokens, left)
            left -= tokens
            # On its own clock: it writes whether it is read or not.
            ready_s += tokens / plan.tokens_per_s + (40.0 if plan.behaviour == "silent" else 0.0)
            await asyncio.sleep(max(0.0, ready_s - loop.time()))
            await self._environment.rest()
            text = _text(plan, tokens)
            event = _event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text}})
            breaks = left <= breaks_at
            if breaks and plan.behaviour == "torn":
                yield event[: len(event) // 2]
                raise UpstreamFailed("the connection was cut")
            served.written_bytes += _bytes(text)
            yield event
            if breaks and plan.behaviour == "cut off":
                raise UpstreamFailed("the connection was cut")
            if breaks and plan.behaviour == "eof":
                return
            if breaks and plan.behaviour == "late error event":
                yield _event("error", _overloaded())
                return
        yield _event("content_block_stop", {"index": 0})
        ending = {"stop_reason": "end_turn", "stop_sequence": None}
        served.told_all = True
        yield _event("message_delta", {"delta": ending, "usage": {"output_tokens": served.output_tokens}})
        yield _event("message_stop", {})


def _text(plan: Plan, tokens: int) -> str:
    piece, tokens_per_piece = _TEXT[plan.script]
    return piece * max(1, tokens // tokens_per_piece)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else 3 * len(text)


def _json(status: int, document: object) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield orjson.dumps(document)

    return Response(status, {"content-type": "application/json"}, body())


def _error() -> dict[str, object]:
    return {"type": "error", "error": {"type": "api_error", "message": "no"}, "request_id": "req_up"}


def _overloaded() -> dict[str, object]:
    return {"error": {"type": "overloaded_error", "message": "Overloaded"}}


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


def _event(name: str, data: dict[str, object]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps({"type": name, **data}) + b"\n\n"
