"""A token shows its own user's use, live, and no one else's; Claude Code's path shows the budget in its shape."""

import asyncio

import httpx
import pytest

from channeling.budgets.store import BudgetStore
from channeling.money import dollars
from tests.channeling.gateway.conftest import message
from tests.stand_ins.gateway_server import PROJECT_ID, GatewayServer


def test_what_was_just_asked_is_in_the_figures(client: httpx.Client, gateway: GatewayServer) -> None:
    """The total, its day and its model say what the usage record says."""
    assert client.post("/v1/messages", json=message()).status_code == 200
    answer = client.get("/v1/usage")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    [record] = gateway.records()
    body = answer.json()
    assert body["total"]["requests"] == 1
    assert body["total"]["cost_usd"] == dollars(record.cost) != "0"
    assert body["total"]["output_tokens"] == record.counts.output_tokens > 0
    assert len(body["by_day"]) == 7
    assert body["by_day"][-1]["day"] == body["to"]
    assert body["by_day"][-1]["cost_usd"] == dollars(record.cost)
    [model] = body["by_model"]
    assert (model["provider"], model["model"]) == ("anthropic", record.model_used)


def test_nobody_sees_anothers(client: httpx.Client, gateway: GatewayServer) -> None:
    """Neither another user, nor one whose id holds the separators that keys are made with."""
    assert client.post("/v1/messages", json=message()).status_code == 200
    for other in (f"{gateway.user}2", f"{gateway.user}#day", f"x#{gateway.user}", "*", "<script>alert(1)"):
        headers = {"x-api-key": gateway.token(user=other)}
        body = httpx.get(f"{gateway.base_url}/v1/usage", headers=headers).json()
        assert body["total"]["requests"] == 0
        assert body["by_model"] == []
        usage = httpx.get(f"{gateway.base_url}/api/oauth/usage", headers=headers).json()
        assert usage["extra_usage"]["used_credits"] == 0
    # No parameter names a user.
    own = client.get("/v1/usage", params={"user_id": "somebody", "user": "somebody", "sub": "somebody"})
    assert own.json()["total"]["requests"] == 1


def test_it_writes_nothing_and_reads_one_partition_an_hour(
    client: httpx.Client, gateway: GatewayServer
) -> None:
    client.get("/v1/usage")
    gateway.store_calls()
    today = client.get("/v1/usage").json()["to"]
    assert client.get("/v1/usage", params={"from": today}).status_code == 200
    calls = gateway.store_calls()
    assert {operation for operation, _ in calls} == {"get", "query"}
    assert calls["get", "usage"] == 4
    assert 6 * 24 + 2 <= calls["query", "usage"] <= 6 * 24 + 2 * 24


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("from=soon", "from:"),
        ("to=2026-02-30", "to:"),
        ("from=2026-02-02&to=2026-02-01", "from:"),
        ("from=2020-01-01", "at most 31 days"),
        ("from=%00&to=%ff", "to:"),
    ],
)
def test_wrong_parameters_are_named(client: httpx.Client, query: str, words: str) -> None:
    answer = client.get(f"/v1/usage?{query}")
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert words in answer.json()["error"]["message"]


def test_asking_for_too_much_at_once_is_slowed_down(client: httpx.Client, gateway: GatewayServer) -> None:
    """Four months may be asked for at once; then the store is spared, for this user alone."""
    statuses = [client.get("/v1/usage?from=2999-01-01&to=2999-01-31").status_code for _ in range(4)]
    assert statuses == [200] * 4
    refused = client.get("/v1/usage?from=2999-01-01&to=2999-01-31")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    assert refused.headers.get("x-should-retry") != "false"
    other = {"x-api-key": gateway.token(user=f"{gateway.user}-other")}
    assert httpx.get(f"{gateway.base_url}/v1/usage", headers=other).status_code == 200
    assert client.post("/v1/messages", json=message()).status_code == 200


@pytest.mark.parametrize("path", ["/v1/usage", "/api/oauth/usage", "/v1/budget"])
def test_only_a_token_that_holds_opens_it(gateway: GatewayServer, path: str) -> None:
    """No token, a foreign one, an expired one: 401, at once, in Anthropic's shape."""
    now_s = gateway.clock.now_ms() // 1000
    headers: list[dict[str, str]] = [
        {},
        {"x-api-key": "sk-ant-key"},
        {"authorization": f"Bearer {gateway.token()}x"},
        {"x-api-key": gateway.token(issued_s=now_s - 7_200)},
    ]
    for sent in headers:
        answer = httpx.get(gateway.base_url + path, headers=sent)
        assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")
        assert answer.headers["x-should-retry"] == "false"
    post = httpx.post(gateway.base_url + path, headers={"x-api-key": gateway.token()})
    assert post.status_code == 405


def test_a_revoked_token_shows_nothing(gateway: GatewayServer) -> None:
    token = gateway.token()
    budgets = BudgetStore(gateway.dynamodb, gateway.tables.budgets)
    asyncio.run(budgets.revoke(PROJECT_ID, gateway.user, gateway.clock.now_ms()))
    for path in ("/v1/usage", "/api/oauth/usage", "/v1/budget"):
        answer = httpx.get(gateway.base_url + path, headers={"x-api-key": token})
        assert answer.status_code == 401
        assert "revoked" in answer.json()["error"]["message"]


def test_claude_code_is_told_dollars_that_agree_with_the_headers(gateway: GatewayServer) -> None:
    """The reset is the same second as the header's: without that the client does not pair them."""
    token = gateway.token(limit_microusd=10_000, window="month")
    headers = {"authorization": f"Bearer {token}"}
    path = f"{gateway.base_url}/api/oauth/usage"
    before = httpx.get(path, headers=headers).json()
    assert before["extra_usage"] == {
        "is_enabled": True,
        "monthly_limit": 1,
        "used_credits": 0,
        "utilization": 0,
        "currency": "USD",
    }
    asked = httpx.post(f"{gateway.base_url}/v1/messages", json=message(max_tokens=64), headers=headers)
    assert asked.status_code == 200, asked.text
    [limit] = httpx.get(path, headers=headers).json()["limits"]
    assert limit["resets_at"] == asked.headers["x-channeling-budget-reset"]
    utilization = float(asked.headers["anthropic-ratelimit-unified-overage-utilization"])
    assert 0 < limit["percent"] == round(utilization * 100)
    assert limit["group"] == "monthly"
