"""Whoever's settle takes a budget across 50, 80 or 100 percent tells of it: once, with no write, harming nobody."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import httpx
import orjson
import pytest

from channeling.budgets.alert import BudgetAlert
from channeling.budgets.decide import HoldAsk
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import BudgetKey
from channeling.budgets.operations import Order, raise_limit
from channeling.budgets.store import BudgetStore
from channeling.tables import TableNames
from channeling.usage.store import UsageStore
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.gateway.conftest import message
from tests.stand_ins.anthropic_script import Script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.clock import SetClock
from tests.stand_ins.gateway_server import PROJECT_ID, GatewayServer

RACERS = 64
RATE = 3_000  # nanodollars for a token of input


class Told:
    """An alert door that keeps what it is told of, and fails when asked to."""

    def __init__(self) -> None:
        self.alerts: list[BudgetAlert] = []
        self.fails = False

    async def tell(self, alerts: Sequence[BudgetAlert]) -> None:
        self.alerts += alerts
        if self.fails:
            raise RuntimeError("the door is broken")


@pytest.fixture
def told() -> Told:
    return Told()


NewGateway = Callable[[], GatewayServer]


@pytest.fixture
def new_gateway(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream, told: Told
) -> NewGateway:
    """A gateway to be started and ended: marks are told of after answers, so that its end shows all."""
    return lambda: GatewayServer(embedded_dynamodb, tables, upstream.base_url, alerts=told)


def costing(nanousd: int) -> Script:
    """An answer that costs about so much."""
    return Script(usage={"input_tokens": nanousd // RATE}, final_usage={"output_tokens": 0})


def post(gateway: GatewayServer, token: str, *, stream: bool = False, max_tokens: int = 64) -> httpx.Response:
    body = message(max_tokens=max_tokens, stream=stream)
    return httpx.post(f"{gateway.base_url}/v1/messages", json=body, headers={"x-api-key": token}, timeout=30)


def percents(told: Told) -> list[int]:
    return [alert.percent for alert in told.alerts]


def test_64_that_end_at_once_tell_of_each_mark_once(
    new_gateway: NewGateway, upstream: AnthropicUpstream, told: Told
) -> None:
    """All are held before the first ends; their bills come to more than the limit, of which no more is taken."""
    body = message(max_tokens=64)
    per_request = 64 * 15_000 + (len(orjson.dumps(body)) + 50) * RATE
    limit = per_request * RACERS // 1_000 * 1_000
    upstream.script = Script(gated=True, usage={"input_tokens": per_request * 5 // 4 // RATE})
    with new_gateway() as gateway:
        answers = asyncio.run(race(gateway, upstream, gateway.token(limit_microusd=limit // 1_000), body))
        assert gateway.assert_settled() == limit
    assert Counter(answers) == {200: RACERS}
    assert sorted(percents(told)) == [50, 80, 100]
    assert {alert.limit for alert in told.alerts} == {limit}
    assert len({alert.alert_id for alert in told.alerts}) == 3


async def race(
    gateway: GatewayServer, upstream: AnthropicUpstream, token: str, body: dict[str, object]
) -> list[int]:
    """Have all racers wait for their answers, then answer them at once; return the statuses."""
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=RACERS)) as client:
        url, headers = f"{gateway.base_url}/v1/messages", {"x-api-key": token}
        asked = [asyncio.ensure_future(client.post(url, json=body, headers=headers)) for _ in range(RACERS)]
        await asyncio.to_thread(upstream.wait_until, lambda seen: len(seen) == RACERS)
        upstream.release(RACERS)
        return [answer.status_code for answer in await asyncio.gather(*asked)]


@pytest.mark.parametrize("stream", [False, True])
def test_one_request_may_pass_several_and_no_mark_is_told_again(
    new_gateway: NewGateway, upstream: AnthropicUpstream, told: Told, stream: bool
) -> None:
    """JSON and streams alike, in the words of the user's own window."""
    with new_gateway() as gateway:
        token = gateway.token(limit_microusd=100_000, window="month")
        for cost in (85_000_000, 1_000_000):
            upstream.script = costing(cost)
            assert post(gateway, token, stream=stream).status_code == 200
        window = gateway.budget(kind="month").window
        costs = [record.cost for record in gateway.records()]
    assert percents(told) == [50, 80]
    half, most = told.alerts
    assert window is not None
    assert half.key == most.key == BudgetKey(PROJECT_ID, gateway.user, "month")
    assert (half.window_start_s, half.window_end_s) == (window.start_s, window.end_s)
    assert half.settled == most.settled == max(costs)


def test_it_costs_no_write(new_gateway: NewGateway, upstream: AnthropicUpstream, told: Told) -> None:
    with new_gateway() as gateway:
        token = gateway.token(limit_microusd=100_000)
        upstream.script = costing(1_000_000)
        post(gateway, token)
        gateway.store_calls()
        post(gateway, token)
        usual = gateway.store_calls()
        upstream.script = costing(85_000_000)
        post(gateway, token)
        dear = gateway.store_calls()
    assert percents(told) == [50, 80]
    # The bill was far above the hold, which is therefore raised first, as it would be without any mark.
    assert dear - usual == {("update", "budgets"): 1}


def test_a_raise_lays_marks_of_its_own(
    new_gateway: NewGateway, upstream: AnthropicUpstream, told: Told
) -> None:
    with new_gateway() as gateway:
        token = gateway.token(limit_microusd=100_000)
        upstream.script = costing(60_000_000)
        post(gateway, token)
        key = BudgetKey(PROJECT_ID, gateway.user, "day")
        now_s = gateway.clock.now_ms() // 1000
        order = Order(new_hold_id(now_s, bytes), "ops", "launch day")
        budgets = BudgetStore(gateway.dynamodb, gateway.tables.budgets)
        usage = UsageStore(gateway.dynamodb, gateway.tables.usage, gateway.clock)
        asyncio.run(raise_limit(budgets, usage, key, order, 100_000_000, now_s))
        post(gateway, token)
    assert [(alert.percent, alert.limit) for alert in told.alerts] == [(50, 100_000_000), (50, 200_000_000)]


def test_a_door_that_fails_harms_no_request(
    new_gateway: NewGateway, upstream: AnthropicUpstream, told: Told
) -> None:
    """Both answers are whole, the bills stand, and the next request is answered."""
    told.fails = True
    with new_gateway() as gateway:
        token = gateway.token(limit_microusd=100_000)
        upstream.script = costing(60_000_000)
        whole = post(gateway, token)
        upstream.script = costing(25_000_000)
        stream = post(gateway, token, stream=True)
        again = post(gateway, gateway.token(user="another"))
        assert len(gateway.records()) == 2
        gateway.assert_settled()
    assert [answer.status_code for answer in (whole, stream, again)] == [200] * 3
    assert whole.json()["content"][0]["text"].startswith("Hello from the stand-in")
    assert stream.text.rstrip().endswith('{"type":"message_stop"}')
    assert percents(told) == [50, 80]


def test_who_reclaims_a_hold_tells_of_it(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream, told: Told
) -> None:
    """A request that died is charged what it held by the user's next one, which then tells in its place."""
    clock = SetClock()
    with GatewayServer(embedded_dynamodb, tables, upstream.base_url, alerts=told, clock=clock) as gateway:
        token = gateway.token(limit_microusd=100_000)
        upstream.script = costing(1_000_000)
        post(gateway, token)
        key = BudgetKey(PROJECT_ID, gateway.user, "day")
        now_s = int(clock.now_s)
        ask = HoldAsk(key, new_hold_id(now_s, bytes), 100_000_000, now_s, now_s * 1000, 9, 960, "strict")
        budgets = BudgetStore(gateway.dynamodb, gateway.tables.budgets)
        asyncio.run(budgets.hold(ask, 90_000_000, now_s, raise_counted=0))
        clock.now_s += 961
        # There is no room for it, so that it looks for what has expired.
        post(gateway, token, max_tokens=1_000)
    assert percents(told) == [50, 80]
