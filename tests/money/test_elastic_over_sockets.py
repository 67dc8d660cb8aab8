"""128 streams of the official SDK at once, over real sockets, on a budget for twenty: never over, each ends in good
order, each refusal says whether the money is spent or held by others, and admission writes once."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import orjson
import pytest
from anthropic import AsyncAnthropic, RateLimitError

from bench.wire.generation import Truth
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.gateway.conftest import message
from tests.fetched_tools import ROOT
from tests.stand_ins.gateway_server import GatewayServer

STREAMS = 128
INPUT_RATE, OUTPUT_RATE = 3_000, 15_000  # claude-sonnet-4-5, nanodollars a token
EXPECTED_TOKENS = 1_024 + 150  # of a model of which nothing is known, and how far ahead a hold is
LIMIT_MICROUSD = 20 * (EXPECTED_TOKENS * OUTPUT_RATE + 400 * INPUT_RATE) // 1_000
# Longer than expected, so that every stream has to hold more while it runs: all of the first could not be paid.
ANSWERS = {"max_tokens": 4_096, "fixed_tokens": 1_500, "tokens_per_s": 200.0}
MOST_WAVES = 20
UNNOTICED_S = 1.0  # the provider's own 0.1 s, and what a busy machine adds


@contextmanager
def generating_provider() -> Iterator[str]:
    """Run the study's stand-in, which generates on its own clock and keeps the truth; yield its address."""
    command = [sys.executable, "-m", "bench.wire.provider", "--answers", orjson.dumps(ANSWERS).decode()]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield orjson.loads(process.stdout.readline())["base_url"]
        finally:
            process.communicate(timeout=20)  # it ends with its standard input


@dataclass(frozen=True)
class Told:
    """What a client was told: "ok", or why it was refused, with that answer as the SDK gives it."""

    outcome: str
    refusal: Any = None


@dataclass(frozen=True)
class Wave:
    """What 128 clients were told, and how the gateway called its store meanwhile."""

    told: Sequence[Told]
    calls: Counter[tuple[str, str]]

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(one.outcome for one in self.told)

    def refusals(self, error_code: str) -> list[Any]:
        return [one.refusal for one in self.told if one.outcome == error_code]


async def ask(client: AsyncAnthropic, user: str) -> Told:
    """Stream one answer as the SDK's users do; whatever breaks its rules raises here."""
    body: Any = message(model="claude-sonnet-4-6", max_tokens=4_096, metadata={"user_id": user})
    try:
        async with client.messages.stream(**body) as stream:
            final = await stream.get_final_message()
    except RateLimitError as refused:
        return Told(refused.response.json()["error"]["details"]["error_code"], refused.response)
    assert final.stop_reason in ("end_turn", "max_tokens")
    return Told("ok")


async def spend_it_all(gateway: GatewayServer, token: str) -> list[Wave]:
    """Ask 128 times at once, again and again, until the budget is spent for every one of them."""
    waves: list[Wave] = []
    while not waves or waves[-1].outcomes.keys() != {"budget_exceeded"}:
        assert len(waves) < MOST_WAVES, [wave.outcomes for wave in waves]
        # New connections each time: one kept from the wave before may be closed just as it is used again, and the
        # retry that hides this elsewhere is turned off, so that every refusal is seen.
        async with AsyncAnthropic(
            api_key=token, base_url=gateway.base_url, max_retries=0, timeout=90
        ) as client:
            told = await asyncio.gather(*(ask(client, gateway.user) for _ in range(STREAMS)))
        waves.append(Wave(told, gateway.store_calls()))
    return waves


@pytest.mark.timeout(300)
def test_128_streams_on_a_budget_for_twenty(embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames) -> None:
    limit = LIMIT_MICROUSD * 1_000
    changes = {"max_concurrent": STREAMS}
    with (
        generating_provider() as provider_url,
        GatewayServer(embedded_dynamodb, tables, provider_url, settings_changes=changes) as gateway,
    ):
        waves = asyncio.run(spend_it_all(gateway, gateway.token(limit_microusd=LIMIT_MICROUSD)))
        settled = gateway.assert_settled()
        records = gateway.records()
        truths = httpx.get(f"{provider_url}/truth", trust_env=False).json()
    truth = Truth(**truths[gateway.user])
    answered = sum(wave.outcomes["ok"] for wave in waves)
    # Never over, and used up: what is left is less than any answer needs.
    assert 0.95 * limit < settled <= limit
    assert not any(record.uncollected for record in records)
    assert {record.status for record in records} == {"ok"}
    # Nothing reached the provider that was refused, and it generated what was billed, but for the moment in which
    # it notices that a stream was cut.
    assert len(records) == answered == truth.requests
    cuts = sum(record.cut for record in records)
    generated = truth.input_tokens * INPUT_RATE + truth.output_tokens * OUTPUT_RATE
    assert generated - settled <= cuts * UNNOTICED_S * ANSWERS["tokens_per_s"] * OUTPUT_RATE
    first, last = waves[0], waves[-1]
    # At once as many as their holds fit, less what those may yet need: the rest is told that others hold the money.
    assert first.outcomes.keys() == {"ok", "budget_held"}
    assert 16 <= first.outcomes["ok"] <= 21
    for wave in waves[:-1]:
        for refusal in wave.refusals("budget_held"):
            assert refusal.headers["retry-after"] == "1"
            assert "x-should-retry" not in refusal.headers
            details = refusal.json()["error"]["details"]
            assert Decimal(details["held_usd"]) > 0
            assert Decimal(details["settled_usd"]) + Decimal(details["held_usd"]) <= Decimal(limit) / 10**9
            assert 0 < details["requests_in_flight"] <= STREAMS
    for refusal in last.refusals("budget_exceeded"):
        assert refusal.headers["x-should-retry"] == "false"
        details = refusal.json()["error"]["details"]
        assert (details["held_usd"], Decimal(details["settled_usd"])) == ("0", Decimal(settled) / 10**9)
    # A refusal is one write and nothing else; an answer one to hold, one to settle, and those that extend it.
    assert last.calls == {("update", "budgets"): STREAMS}
    assert all(wave.calls["put", "usage"] == wave.outcomes["ok"] for wave in waves)
