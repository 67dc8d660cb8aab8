"""Nobody spends more than their budget: refusals, clamps and counts, through the wire."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.budgets.item import Adjustment, BudgetKey
from channeling.budgets.store import BudgetStore
from channeling.projects.project import ProjectRules
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.gateway.conftest import message
from tests.stand_ins.anthropic_script import Script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.clock import SetClock
from tests.stand_ins.gateway_server import PROJECT_ID, GatewayServer
from tests.stand_ins.strict_reader import read_strictly

DOLLAR = 1_000_000_000
SPENT = "AI budget exceeded for user"
HELD = "AI budget is held by requests in flight"


def auth(token: str) -> dict[str, str]:
    return {"x-api-key": token}


def post(gateway: GatewayServer, token: str, **changes: object) -> httpx.Response:
    return httpx.post(
        f"{gateway.base_url}/v1/messages", json=message(**changes), headers=auth(token), timeout=30
    )


def test_a_spent_budget_is_refused_as_documented(gateway: GatewayServer, upstream: AnthropicUpstream) -> None:
    """I4: the 429 has the documented body, the figures and Claude Code's headers; no provider is called."""
    token = gateway.token(limit_microusd=1_500)
    upstream.script = Script(usage={"input_tokens": 10}, final_usage={"output_tokens": 64})
    assert post(gateway, token, max_tokens=64).status_code == 200  # 10 × $3 + 64 × $15 per million: $0.00099
    calls = len(upstream.requests)
    refused = post(gateway, token, max_tokens=64)
    assert refused.status_code == 429
    assert len(upstream.requests) == calls
    body = refused.json()
    assert body["type"] == "error"
    assert body["error"]["type"] == "rate_limit_error"
    assert body["error"]["message"] == SPENT
    details = body["error"]["details"]
    assert details["error_code"] == "budget_exceeded"
    assert (details["limit_usd"], details["settled_usd"], details["held_usd"]) == ("0.0015", "0.00099", "0")
    assert details["resets_at"].endswith("Z")
    assert body["request_id"] == refused.headers["request-id"]
    assert refused.headers["x-should-retry"] == "false"
    assert 86_000 < int(refused.headers["retry-after"]) <= 86_400
    unified = "anthropic-ratelimit-unified"
    assert refused.headers[f"{unified}-status"] == "rejected"
    assert refused.headers[f"{unified}-overage-period"] == "daily"
    assert refused.headers[f"{unified}-overage-disabled-reason"] == "org_spend_cap_reached"
    assert f"{unified}-representative-claim" not in refused.headers
    assert f"{unified}-overage-status" not in refused.headers


def test_a_budget_of_zero_is_always_the_429(gateway: GatewayServer, upstream: AnthropicUpstream) -> None:
    """A token without money gets the same refusal, and nothing is written."""
    refused = post(gateway, gateway.token(limit_microusd=0))
    assert (refused.status_code, refused.json()["error"]["message"]) == (429, SPENT)
    assert upstream.requests == []
    assert gateway.budget().window is None


def test_money_held_by_others_is_another_refusal(gateway: GatewayServer, upstream: AnthropicUpstream) -> None:
    """While a request in flight holds the rest, the next is told to try again in a second, not that it is spent."""
    upstream.script = Script(gated=True)
    token = gateway.token(limit_microusd=20_000)
    url = f"{gateway.base_url}/v1/messages"
    with httpx.stream("POST", url, json=message(stream=True), headers=auth(token), timeout=30) as response:
        chunks = response.iter_bytes()
        next(chunks)
        refused = post(gateway, token, stream=True)
        assert refused.status_code == 429
        assert refused.json()["error"]["message"] == HELD
        assert refused.json()["error"]["details"]["error_code"] == "budget_held"
        assert refused.json()["error"]["details"]["requests_in_flight"] == 1
        assert refused.headers["retry-after"] == "1"
        assert "x-should-retry" not in refused.headers
        upstream.release()
        b"".join(chunks)
    assert post(gateway, token, stream=True).status_code == 200
    gateway.assert_settled()


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_what_does_not_fit_is_clamped_in_the_body_and_said_in_a_header(
    gateway: GatewayServer, upstream: AnthropicUpstream, stream: bool
) -> None:
    """With nothing else held, max_tokens is lowered to what is left, and the provider itself keeps the bound."""
    token = gateway.token(limit_microusd=10_000)
    upstream.script = Script(final_usage={"output_tokens": 300})
    answer = post(gateway, token, max_tokens=32_000, stream=stream)
    assert answer.status_code == 200
    clamped = int(answer.headers["x-channeling-max-tokens"])
    sent = orjson.loads(upstream.requests[-1].body)
    assert sent["max_tokens"] == clamped
    # $0.01 less the input at one token a byte, at $15 per million output tokens
    input_bound = len(orjson.dumps(message(max_tokens=32_000, stream=stream))) * 3_000
    assert clamped == pytest.approx((10_000_000 - input_bound) // 15_000, abs=10)
    assert gateway.records()[0].clamped
    assert gateway.assert_settled() <= 10_000_000


def test_thinking_budgets_stay_valid_when_clamped(
    gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """`budget_tokens` is lowered along, and stays at least 1,024 and below max_tokens."""
    token = gateway.token(limit_microusd=40_000)
    thinking = {"type": "enabled", "budget_tokens": 31_999}
    assert post(gateway, token, max_tokens=32_000, thinking=thinking).status_code == 200
    sent = orjson.loads(upstream.requests[-1].body)
    assert 1_024 <= sent["thinking"]["budget_tokens"] < sent["max_tokens"] < 32_000


def test_a_large_input_is_counted_before_it_is_refused(
    gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """Where a byte per token does not fit, the provider's own free count is asked, and then it does."""
    text = "word " * 20_000  # 100 kB: $0.30 at a byte a token, of which a quarter is true
    token = gateway.token(limit_microusd=200_000)
    upstream.script = Script(input_tokens=25_000)
    answer = post(gateway, token, messages=[{"role": "user", "content": text}], max_tokens=1_000, tools=[])
    assert answer.status_code == 200, answer.text
    counted, asked = upstream.requests
    assert counted.path == "/v1/messages/count_tokens"
    assert set(orjson.loads(counted.body)) == {"model", "messages", "tools"}
    assert asked.path == "/v1/messages"
    assert "x-channeling-max-tokens" not in answer.headers


def test_a_count_that_fails_leaves_the_bound(gateway: GatewayServer, upstream: AnthropicUpstream) -> None:
    """Without a count the bound stands, and the request is refused before it reaches the provider."""
    text = "word " * 20_000
    upstream.script = Script(status=500, body=b"broken")
    refused = post(
        gateway, gateway.token(limit_microusd=200_000), messages=[{"role": "user", "content": text}]
    )
    assert (refused.status_code, refused.json()["error"]["message"]) == (429, SPENT)
    assert [seen.path for seen in upstream.requests] == ["/v1/messages/count_tokens"]


@pytest.mark.parametrize(
    "tools",
    [
        [{"type": "web_search_20260318", "name": "web_search"}],
        [{"type": "code_execution_20260521", "name": "c"}],
    ],
)
def test_server_tools_without_a_bound_are_refused_by_name(
    client: httpx.Client, gateway: GatewayServer, upstream: AnthropicUpstream, tools: list[dict[str, Any]]
) -> None:
    """Nothing bounds what they bill, so the caller is told to set max_uses."""
    refused = client.post("/v1/messages", json=message(tools=tools))
    assert refused.status_code == 400
    assert tools[0]["type"] in refused.json()["error"]["message"]
    assert "max_uses" in refused.json()["error"]["message"]
    assert upstream.requests == []
    assert gateway.budget().window is None


def test_server_tools_hold_their_rounds_and_fees(gateway: GatewayServer, upstream: AnthropicUpstream) -> None:
    """Each use may bill the whole context again, and a fee: it is held, then settled at what was billed."""
    token = gateway.token(limit_microusd=50_000_000)
    upstream.script = Script(gated=True, final_usage={"server_tool_use": {"web_search_requests": 2}})
    tools = [{"type": "web_search_20260318", "name": "web_search", "max_uses": 2}]
    url = f"{gateway.base_url}/v1/messages"
    body = message(stream=True, tools=tools)
    with httpx.stream("POST", url, json=body, headers=auth(token), timeout=30) as response:
        chunks = response.iter_bytes()
        next(chunks)
        window = gateway.budget().window
        assert window is not None
        # A context of 200,000 tokens in three rounds, at $3 per million at least, and two searches at $0.01.
        assert window.held >= 3 * 200_000 * 3_000 + 2 * 10_000_000
        upstream.release()
        b"".join(chunks)
    [record] = gateway.records()
    assert record.counts.web_search_requests == 2
    assert gateway.assert_settled() >= 2 * 10_000_000


async def test_64_streams_racing_for_a_budget_of_10(
    gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """I1, I4: what is settled stays within the limit to the nanodollar, and every refusal says which it is."""
    body = message(max_tokens=64, stream=True)
    per_request = 64 * 15_000 + len(orjson.dumps(body)) * 3_000
    limit_microusd = -(-per_request * 10 // 1_000)
    token = gateway.token(limit_microusd=limit_microusd)
    upstream.script = Script(gated=True, final_usage={"output_tokens": 64}, usage={"input_tokens": 50})
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(base_url=gateway.base_url, timeout=60, limits=limits) as client:

        async def send() -> httpx.Response:
            return await client.post("/v1/messages", json=body, headers=auth(token))

        requests = [asyncio.ensure_future(send()) for _ in range(64)]
        while sum(request.done() for request in requests) < 54:
            waiting = [request for request in requests if not request.done()]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        upstream.release()
        answers = await asyncio.gather(*requests)
    admitted = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(admitted) + len(refused) == 64
    assert len(admitted) == 10
    assert len(upstream.requests) == len(admitted)
    for answer in admitted:
        read_strictly(answer.content)
    for answer in refused:
        spent = answer.json()["error"]["details"]["error_code"] == "budget_exceeded"
        assert answer.json()["error"]["message"] == (SPENT if spent else HELD)
        assert answer.headers.get("x-should-retry") == ("false" if spent else None)
    settled = await asyncio.to_thread(gateway.assert_settled)
    assert settled == 10 * (50 * 3_000 + 64 * 15_000) <= limit_microusd * 1_000
    records = await asyncio.to_thread(gateway.records)
    assert [record.uncollected for record in records] == [0] * 10


async def test_a_budget_is_spent_to_its_end_by_callers_who_wait(
    gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """Callers who try again when money is held use the budget up, and then all are told that it is spent."""
    limit = 12_000_000
    token = gateway.token(limit_microusd=limit // 1_000)
    upstream.script = Script(final_usage={"output_tokens": 40}, usage={"input_tokens": 60})

    async def worker(client: httpx.AsyncClient) -> None:
        while True:
            answer = await client.post(
                "/v1/messages", json=message(max_tokens=100, stream=True), headers=auth(token)
            )
            if answer.status_code == 429 and answer.headers.get("x-should-retry") == "false":
                return

    async with httpx.AsyncClient(base_url=gateway.base_url, timeout=60) as client:
        await asyncio.gather(*(worker(client) for _ in range(8)))
    settled = await asyncio.to_thread(gateway.assert_settled)
    assert limit - 64 * 15_000 - 700 * 3_000 < settled <= limit


def test_soft_enforcement_lets_one_request_pass_the_limit(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream
) -> None:
    """Under soft enforcement nothing is clamped; the request that crosses the limit is the last."""
    upstream.script = Script(final_usage={"output_tokens": 5_000}, usage={"input_tokens": 10})
    rules = ProjectRules("Demo", enforcement="soft")
    with GatewayServer(embedded_dynamodb, tables, upstream.base_url, rules) as gateway:
        token = gateway.token(limit_microusd=10_000)
        answer = post(gateway, token, max_tokens=32_000)
        assert answer.status_code == 200
        assert "x-channeling-max-tokens" not in answer.headers
        assert gateway.assert_settled() == 10 * 3_000 + 5_000 * 15_000
        assert post(gateway, token).json()["error"]["message"] == SPENT


def test_the_concurrency_limit_is_the_project_s(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream
) -> None:
    """One request too many is told how many are in flight, and that a retry will do."""
    upstream.script = Script(gated=True)
    rules = ProjectRules("Demo", max_concurrent=1)
    with GatewayServer(embedded_dynamodb, tables, upstream.base_url, rules) as gateway:
        token = gateway.token()
        url = f"{gateway.base_url}/v1/messages"
        with httpx.stream("POST", url, json=message(stream=True), headers=auth(token)) as response:
            chunks = response.iter_bytes()
            next(chunks)
            refused = post(gateway, token)
            assert refused.status_code == 429
            assert refused.json()["error"]["details"]["error_code"] == "too_many_concurrent_requests"
            assert refused.headers["retry-after"] == "1"
            upstream.release()
            b"".join(chunks)
        assert post(gateway, token).status_code == 200


def test_a_revoked_token_is_refused_everywhere(gateway: GatewayServer, upstream: AnthropicUpstream) -> None:
    """Messages, counts, models and the budget refuse it with 401; a token issued after it works."""
    token = gateway.token()
    assert post(gateway, token).status_code == 200
    now_ms = gateway.clock.now_ms()
    budgets = BudgetStore(gateway._dynamodb, gateway.tables.budgets)
    asyncio.run(budgets.revoke(PROJECT_ID, gateway.user, now_ms))
    for method, path in (
        ("POST", "/v1/messages"),
        ("POST", "/v1/messages/count_tokens"),
        ("GET", "/v1/models"),
        ("GET", "/v1/budget"),
    ):
        body = message() if method == "POST" else None
        refused = httpx.request(method, gateway.base_url + path, json=body, headers=auth(token))
        assert refused.status_code == 401, path
        assert "revoked" in refused.json()["error"]["message"]
        assert refused.headers["x-should-retry"] == "false"
    later = gateway.token(issued_s=now_ms // 1000 + 1)
    assert post(gateway, later).status_code == 200


def test_each_window_kind_is_a_budget_of_its_own(gateway: GatewayServer) -> None:
    """What is spent of the day's budget does not touch the month's."""
    for window in ("hour", "day", "week", "month"):
        token = gateway.token(window=window)
        answer = post(gateway, token)
        assert answer.status_code == 200
        budget = httpx.get(f"{gateway.base_url}/v1/budget", headers=auth(token)).json()
        assert budget["window"] == window
        assert float(budget["settled"]) * DOLLAR == pytest.approx(gateway.assert_settled(kind=window), abs=1)


def test_the_store_unreachable_fails_closed(gateway: GatewayServer, upstream: AnthropicUpstream) -> None:
    """DynamoDB down: 529 with retry-after, and nothing is sent to the provider."""
    token = gateway.token()
    assert post(gateway, token).status_code == 200
    calls = len(upstream.requests)
    gateway.dynamodb.is_down = True
    refused = post(gateway, token)
    gateway.dynamodb.is_down = False
    assert refused.status_code == 529
    assert refused.json()["error"]["type"] == "overloaded_error"
    assert refused.headers["retry-after"] == "2"
    assert len(upstream.requests) == calls
    gateway.assert_settled()


def test_a_hold_whose_answer_was_lost_is_released_at_nothing(
    gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """I3: the hold landed and we did not hear of it: refused, no provider called, and nothing to pay."""
    gateway.dynamodb.answers_to_lose = 1
    refused = post(gateway, gateway.token())
    assert refused.status_code == 529
    assert upstream.requests == []
    assert gateway.assert_settled() == 0
    [record] = gateway.records()
    assert (record.status, record.cost) == ("refused", 0)
    assert post(gateway, gateway.token()).status_code == 200


@pytest.mark.parametrize("lost", [1, 2])
def test_a_settle_whose_answer_was_lost_is_asked_again(
    gateway: GatewayServer, upstream: AnthropicUpstream, lost: int
) -> None:
    """I3: the settle was applied; asking again finds the hold gone, and charges nothing more."""
    upstream.script = Script(gated=True, usage={"input_tokens": 10}, final_usage={"output_tokens": 5})
    url = f"{gateway.base_url}/v1/messages"
    headers = auth(gateway.token())
    with httpx.stream("POST", url, json=message(stream=True), headers=headers, timeout=30) as response:
        chunks = response.iter_bytes()
        next(chunks)
        gateway.dynamodb.answers_to_lose = lost
        upstream.release()
        assert b"message_stop" in b"".join(chunks)
    gateway.dynamodb.answers_to_lose = 0
    assert gateway.assert_settled() == 10 * 3_000 + 5 * 15_000


def test_an_answer_whose_settle_fails_still_reaches_the_client(
    gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """The client has its answer; the hold stays until it expires, so that nothing is spent unrecorded."""
    upstream.script = Script(gated=True)
    token = gateway.token()
    url = f"{gateway.base_url}/v1/messages"
    with httpx.stream("POST", url, json=message(stream=True), headers=auth(token), timeout=30) as response:
        chunks = response.iter_bytes()
        next(chunks)
        gateway.dynamodb.is_down = True
        upstream.release()
        assert b"message_stop" in b"".join(chunks)
    gateway.dynamodb.is_down = False
    window = gateway.budget().window
    assert window is not None
    assert len(window.holds) == 1
    assert gateway.records() == []


def test_the_budget_page_writes_nothing(client: httpx.Client, gateway: GatewayServer) -> None:
    """GET /v1/budget shows a fresh window without laying it, and what is settled after a request."""
    fresh = client.get("/v1/budget").json()
    assert {key: fresh[key] for key in ("limit", "settled", "held", "remaining", "window")} == {
        "limit": "5",
        "settled": "0",
        "held": "0",
        "remaining": "5",
        "window": "day",
    }
    assert gateway.budget().window is None
    assert not {operation for operation, _ in gateway.store_calls()} & {"put", "update", "transact"}
    client.post("/v1/messages", json=message())
    after = client.get("/v1/budget").json()
    assert float(after["settled"]) * DOLLAR == pytest.approx(gateway.assert_settled(), abs=1)
    assert after["start"] < after["end"]


def test_an_order_left_by_a_command_that_died_is_carried_out_before_the_window_rolls(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream
) -> None:
    """An adjustment was written down and its command died: the user's next request finishes it, and is answered."""
    clock = SetClock()
    upstream.script = Script(usage={"input_tokens": 100}, final_usage={"output_tokens": 100})
    with GatewayServer(embedded_dynamodb, tables, upstream.base_url, clock=clock) as gateway:
        assert post(gateway, gateway.token()).status_code == 200
        spent = gateway.assert_settled()
        window = gateway.budget().window
        assert window is not None
        store = BotocoreDynamoDB(embedded_dynamodb.client())
        order = Adjustment("t00000000000ab", -1_000, window.start_s, "adjustment", "ana", "by mistake")
        key = BudgetKey(PROJECT_ID, gateway.user, "day")
        asyncio.run(BudgetStore(store, tables.budgets).intend_adjustment(key, order))
        store.close()
        clock.now_s += 86_400
        assert post(gateway, gateway.token()).status_code == 200
        item = gateway.budget()
        assert item.previous is not None
        assert item.previous.settled == spent - 1_000
        assert sorted(record.cost for record in gateway.records()) == [-1_000, spent, spent]
