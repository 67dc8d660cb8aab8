"""Nobody spends more than their budget on OpenRouter's models; free ones need only that something is left."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.gateway.openrouter.conftest import message, openrouter_gateway
from tests.stand_ins.chat_named_scripts import LONG_TEXT
from tests.stand_ins.chat_script import Script, Text
from tests.stand_ins.chat_upstream import ChatUpstream
from tests.stand_ins.gateway_server import GatewayServer
from tests.stand_ins.strict_reader import read_strictly

FREE = "or:mistralai/devstral-2512:free"


def post(gateway: GatewayServer, limit_microusd: int, **changes: Any) -> httpx.Response:
    return httpx.post(
        f"{gateway.base_url}/v1/messages",
        json=message(**changes),
        headers={"x-api-key": gateway.token(limit_microusd=limit_microusd)},
        timeout=30,
    )


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_a_free_model_costs_nothing_while_anything_is_left(
    gateway: GatewayServer, upstream: ChatUpstream, stream: bool
) -> None:
    """However long its answer; and a budget that is spent, or is none, reaches no provider."""
    upstream.script = Script((Text(LONG_TEXT),), cost=0.0)
    answer = post(gateway, 1, model=FREE, stream=stream, max_tokens=64_000)
    assert answer.status_code == 200, answer.text
    assert gateway.assert_settled() == 0
    upstream.script = Script(cost=0.000_001)
    assert post(gateway, 5_000).status_code == 200
    assert gateway.assert_settled() == 1_000
    assert post(gateway, 1, model=FREE, stream=stream).status_code == 429
    assert post(gateway, 0, model=FREE, stream=stream).status_code == 429
    assert len(upstream.requests) == 2


def test_a_model_without_a_price_is_held_at_the_ceiling(
    gateway: GatewayServer, upstream: ChatUpstream
) -> None:
    """$150 for a million tokens of output: 8,000 of them are $1.20, and what it cost is what is said."""
    upstream.script = Script(cost=0.000_2)
    asked: dict[str, Any] = {"model": "some/unknown-model", "max_tokens": 8_000}
    assert post(gateway, 1_500_000, **asked).status_code == 200
    assert gateway.assert_settled() == 200_000
    clamped = post(gateway, 200_000, **asked)
    assert clamped.status_code == 200
    assert 1_088 < int(clamped.headers["x-channeling-max-tokens"]) < 1_334
    assert upstream.completions()[-1]["max_tokens"] == int(clamped.headers["x-channeling-max-tokens"])


def test_a_bill_above_the_hold_never_passes_the_budget(
    gateway: GatewayServer, upstream: ChatUpstream
) -> None:
    """OpenRouter may have had it served dearer than was held for: what is beyond the budget is ours to bear."""
    upstream.script = Script(cost=2.5)
    assert post(gateway, 1_000_000).status_code == 200
    assert gateway.assert_settled() == 1_000_000_000
    [record] = gateway.records()
    assert record.uncollected == 1_500_000_000


def test_a_stream_past_the_budget_is_cut(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: ChatUpstream
) -> None:
    upstream.script = Script((Text(LONG_TEXT),), ending="hang")
    with openrouter_gateway(embedded_dynamodb, tables, upstream) as gateway:
        answer = post(gateway, 2_000, stream=True, max_tokens=32_000, model="or:some/unknown-model")
        assert answer.status_code == 429  # nothing useful fits
        answer = post(gateway, 200_000, stream=True, max_tokens=32_000, model="or:some/unknown-model")
        assert read_strictly(answer.content).message["stop_reason"] == "max_tokens"
        upstream.wait_until(lambda requests: requests[-1].client_left)
        assert 0 < gateway.assert_settled() <= 200_000_000
        [record] = [record for record in gateway.records() if record.cost]
        assert (record.cut, record.uncollected) == (True, 0)


def test_a_race_keeps_the_limit(gateway: GatewayServer, upstream: ChatUpstream) -> None:
    """Each costs all that it may; together they stay within the budget, and the rest is refused."""
    upstream.script = Script((Text("word " * 100),), input_tokens=10, cost=0.015)
    token = gateway.token(limit_microusd=100_000)
    body = message(model="or:some/unknown-model", max_tokens=100)

    async def race() -> list[int]:
        async with httpx.AsyncClient(base_url=gateway.base_url, timeout=30) as client:
            answers = await asyncio.gather(
                *(client.post("/v1/messages", json=body, headers={"x-api-key": token}) for _ in range(16))
            )
        return [answer.status_code for answer in answers]

    statuses = Counter(asyncio.run(race()))
    assert statuses.keys() == {200, 429}
    assert gateway.assert_settled() == statuses[200] * 15_000_000 <= 100_000_000
    assert len(upstream.requests) == statuses[200]


def test_compaction_is_held_for_where_it_goes_up(gateway: GatewayServer, upstream: ChatUpstream) -> None:
    """Claude in its own format is asked for it, and reads a context window for it; what is translated is not."""
    edits = {"edits": [{"type": "compact_20260112"}]}
    asked: dict[str, Any] = {"max_tokens": 100, "context_management": edits}
    assert post(gateway, 100_000, model="or:anthropic/claude-sonnet-4.5", **asked).status_code == 429
    assert upstream.requests == []
    assert post(gateway, 100_000, **asked).status_code == 200
    assert "context_management" not in upstream.completions()[-1]
