"""Clients: each mints tokens as a backend would, asks once or more often, and reads, leaves or tries again."""

import asyncio
import random
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import orjson

from channeling.answer import Answer, ClientGone
from channeling.auth.mint import mint_token
from channeling.call import Call, Limits, Stop
from channeling.errors import GatewayError
from channeling.pipeline import answer_message, run_to_its_end
from channeling.window_kind import WindowKind
from simulation.asked import Asked, current_request
from simulation.environment import running_in
from simulation.world import MODEL, PROJECT_ID, TOKEN_SECRET, Process, World


@dataclass(frozen=True, slots=True)
class Wish:
    """What one request is: a token's limit, when it was minted, its window's start; and the body it comes with."""

    limit_microusd: int
    minted_s: int
    window_start_s: int
    max_tokens: int
    stream: bool
    padding: int = 1
    read_s: float = 0.0
    leaves_after_s: float | None = None
    leaves: Stop = Stop.CLIENT_LEFT


async def client(world: World, name: str, user: str, kind: WindowKind, limit: int) -> None:
    """Ask at a moment of the seed's choice, and where no whole answer came perhaps again, as SDKs do."""
    rng = random.Random(world.rng.random())
    await asyncio.sleep(rng.uniform(0, world.duration_s))
    wish = _wish(world, rng, limit)
    tries = rng.choice((1, 1, 2, 3))
    for number in range(tries):
        asked = Asked(name if number == 0 else f"{name}.{number}", user, kind, 0, 0)
        world.asked.append(asked)
        await ask(world, rng.choice(world.serving), asked, wish)
        if asked.outcome == "answered 200" or asked.outcome.startswith("refused before the provider: 40"):
            return
        await asyncio.sleep(rng.choice((0.0, 0.5, 2.0)))


async def ask(world: World, process: Process, asked: Asked, wish: Wish) -> None:
    """Send one request to a process and wait for all of the answer; `asked` has what became of it."""
    environment = process.environment
    asked.environment = environment.name
    if environment.is_dead:
        asked.outcome = "refused before: its environment was dead"
        return
    asked.limit, asked.issued_at_ms = wish.limit_microusd * 1000, wish.minted_s * 1000
    asked.started_s, asked.streamed = world.loop.time(), wish.stream
    request = asyncio.ensure_future(_request(world, process, asked, wish))
    await asyncio.wait({request, environment.death}, return_when=asyncio.FIRST_COMPLETED)
    if request.done():
        request.result()


def _wish(world: World, rng: random.Random, limit: int) -> Wish:
    now_s = world.now_ms() // 1000
    minted_s = now_s - rng.choice((0, 5, 100, 1_000))
    return Wish(
        limit_microusd=int(limit * rng.choice((0.5, 1, 1, 1, 2))),
        minted_s=minted_s,
        window_start_s=rng.choice((minted_s, now_s - now_s % 3_600, now_s + 100)),
        max_tokens=rng.choice((16, 256, 1_024, 8_000, 32_000, 32_000)),
        stream=rng.random() < 0.7,
        padding=rng.choice((1, 500, 5_000)),
        read_s=rng.choice((0.0, 0.0, 0.0, 0.2)),
        leaves_after_s=rng.choice((0.001, 0.05, 2.0, 20.0)) if rng.random() < 0.2 else None,
        leaves=rng.choice((Stop.CLIENT_LEFT, Stop.SERVER_STOPS)),
    )


async def _request(world: World, process: Process, asked: Asked, wish: Wish) -> None:
    environment = process.environment
    running_in.set(environment)
    stop: asyncio.Future[Stop] = world.loop.create_future()
    call = _call(world, process, asked, wish, stop)
    asked.call_started_ms = call.started_ms

    async def send(message: MutableMapping[str, Any]) -> None:
        await environment.rest()
        if wish.read_s:
            await asyncio.sleep(wish.read_s)
        if message["type"] == "http.response.start":
            asked.outcome = f"answered {message['status']}"
            world.trace.note(environment.name, f"{asked.name} answered {message['status']}")

    def leave() -> None:
        if not stop.done():
            world.trace.note("client", f"{asked.name} leaves")
            stop.set_result(wish.leaves)

    if wish.leaves_after_s is not None:
        world.loop.call_later(wish.leaves_after_s, leave)
    world.trace.note(
        environment.name, f"{asked.name} asks: {asked.user} {asked.kind} {asked.limit} {wish.stream}"
    )
    answer = Answer(send, request_id=call.request_id, deadline_s=call.limits.deadline_s + 5.0)
    current_request.set(asked)
    try:
        await run_to_its_end(answer_message(process.gateway, call, answer), stop)
    except GatewayError as error:
        asked.outcome = f"refused before the provider: {error.status}"
        world.trace.note(environment.name, f"{asked.name} {asked.outcome} {error.message}")
    except ClientGone:
        pass
    asked.ended = not environment.is_dead
    if asked.outcome == "not answered":
        asked.outcome = "ended without an answer"


def _call(world: World, process: Process, asked: Asked, wish: Wish, stop: asyncio.Future[Stop]) -> Call:
    token = mint_token(
        user_id=asked.user,
        project_id=PROJECT_ID,
        secret=TOKEN_SECRET,
        limit_microusd=wish.limit_microusd,
        window=asked.kind,
        window_start_s=wish.window_start_s,
        now_s=wish.minted_s,
    )
    body = {
        "model": MODEL,
        "max_tokens": wish.max_tokens,
        "messages": [{"role": "user", "content": f"{asked.name} {'x' * wish.padding}"}],
        "stream": wish.stream,
    }
    max_request_s = world.settings.max_request_s
    return Call(
        headers=[(b"x-api-key", token.encode())],
        query="",
        body=orjson.dumps(body),
        request_id=f"req_{asked.name}",
        started_ms=process.gateway.doors.clock.now_ms(),
        limits=Limits(stop, world.loop.time() + max_request_s, max_request_s, 15.0),
    )
