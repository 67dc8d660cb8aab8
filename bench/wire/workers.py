"""Users' workers: real HTTP clients that each send the next streamed request as soon as the last one ended."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from bench.budget_study import RETRY_S
from bench.wire.gateway import Gateway

_TAIL_BYTES = 256


@dataclass(slots=True)
class Seen:
    """What one user's clients saw. `failures`: answers that are neither a stream nor a budget refusal."""

    answers: int = 0
    spent: int = 0
    refusals: int = 0
    failures: int = 0
    broken: int = 0
    seconds: float = 0.0
    unfinished: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """How users press: streams each, and whether each worker goes on until the budget is spent."""

    streams: int
    goes_on: bool
    seed: int
    at_most_s: float
    retry_s: tuple[float, float] = RETRY_S


async def press(gateway: Gateway, load: Load) -> dict[str, Seen]:
    """Run every user's workers to their end, or until `at_most_s`; return what they saw."""
    seen = {user: Seen() for user in gateway.headers}
    start = asyncio.Event()
    async with httpx.AsyncClient(
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        timeout=httpx.Timeout(load.at_most_s, connect=30),
        trust_env=False,
    ) as client:
        works = [
            asyncio.ensure_future(
                _work(
                    client, gateway, load, user, seen[user], random.Random(f"{load.seed}/{user}/{n}"), start
                )
            )
            for user in seen
            for n in range(load.streams)
        ]
        start.set()
        _, unfinished = await asyncio.wait(works, timeout=load.at_most_s)
        for work in unfinished:
            work.cancel()
        outcomes = await asyncio.gather(*works, return_exceptions=True)
    for user, outcome in zip([user for user in seen for _ in range(load.streams)], outcomes, strict=True):
        if isinstance(outcome, asyncio.CancelledError):
            seen[user].unfinished += 1
        elif outcome is not None:
            raise outcome
    return seen


async def _work(
    client: httpx.AsyncClient,
    gateway: Gateway,
    load: Load,
    user: str,
    seen: Seen,
    chance: random.Random,
    start: asyncio.Event,
) -> None:
    await start.wait()
    began_s = time.monotonic()
    if load.goes_on:
        await asyncio.sleep(chance.uniform(0, 0.05))
    headers = {**gateway.headers[user], "content-type": "application/json", "anthropic-version": "2023-06-01"}
    while True:
        with _timed(seen, began_s):
            async with client.stream(
                "POST", gateway.url, headers=headers, content=gateway.bodies[user]
            ) as answer:
                if answer.status_code == 200:
                    tail = b""
                    async for chunk in answer.aiter_raw():
                        tail = (tail + chunk)[-_TAIL_BYTES:]
                    seen.answers += 1
                    seen.broken += gateway.ending not in tail
                    if load.goes_on:
                        continue
                    return
                meaning = gateway.refusal(answer.status_code, await answer.aread())
        match meaning:
            case "spent":
                seen.spent += 1
                return
            case "held":
                seen.refusals += 1
            case "failed":
                seen.failures += 1
        await asyncio.sleep(chance.uniform(*load.retry_s))


@contextmanager
def _timed(seen: Seen, began_s: float) -> Iterator[None]:
    """Note when the last answer ended."""
    yield
    seen.seconds = max(seen.seconds, time.monotonic() - began_s)
