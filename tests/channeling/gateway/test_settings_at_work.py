"""Prices, origins and rates that an operator sets hold on the very next request."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from channeling.projects.project_items import GLOBAL_PRICES_PARTITION
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.gateway.conftest import message
from tests.stand_ins.anthropic_script import Script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.gateway_server import PROJECT_ID, GatewayServer

USAGE = Script(usage={"input_tokens": 1_000}, final_usage={"output_tokens": 100})


def put_price(gateway: GatewayServer, partition: str, **rates: str) -> None:
    item = {"pk": partition, "sk": "price#1", "model": "claude-sonnet-4-5*", **rates}
    asyncio.run(gateway._dynamodb.put(gateway.tables.projects, item))  # type: ignore[arg-type]


@pytest.mark.parametrize("partition", [PROJECT_ID, GLOBAL_PRICES_PARTITION])
def test_a_price_that_cannot_be_read_refuses_its_own_models_alone(
    own_gateway: GatewayServer, upstream: AnthropicUpstream, dynamodb_client: Any, partition: str
) -> None:
    """A row typed into the console as a number: a 500 that names it, no provider called, and all else works."""
    dynamodb_client.put_item(
        TableName=own_gateway.tables.projects,
        Item={
            "pk": {"S": partition},
            "sk": {"S": "price#1"},
            "model": {"S": "claude-sonnet-4-5*"},
            "input": {"N": "2.5"},
            "output": {"S": "15"},
        },
    )
    url, headers = f"{own_gateway.base_url}/v1/messages", {"x-api-key": own_gateway.token()}
    refused = httpx.post(url, json=message(), headers=headers)
    assert (refused.status_code, refused.json()["error"]["type"]) == (500, "api_error")
    assert "'price#1', which may hold for model 'claude-sonnet-4-5" in refused.json()["error"]["message"]
    assert refused.headers["x-should-retry"] == "false"
    assert upstream.requests == []
    assert own_gateway.budget().window is None
    upstream.script = USAGE
    assert httpx.post(url, json=message(model="claude-opus-4-5"), headers=headers).status_code == 200
    assert own_gateway.assert_settled() > 0


@pytest.mark.parametrize(
    ("prices", "cost", "source"),
    [
        ({}, 1_000 * 3_000 + 100 * 15_000, "default"),
        ({PROJECT_ID: {"input": "1", "output": "2"}}, 1_000 * 1_000 + 100 * 2_000, "custom"),
        ({GLOBAL_PRICES_PARTITION: {"input": "4", "output": "8"}}, 1_000 * 4_000 + 100 * 8_000, "global"),
        (
            {
                PROJECT_ID: {"input": "1", "output": "2"},
                GLOBAL_PRICES_PARTITION: {"input": "4", "output": "8"},
            },
            1_000 * 1_000 + 100 * 2_000,
            "custom",
        ),
        ({PROJECT_ID: {"input": "0", "output": "0"}}, 0, "custom"),
    ],
    ids=["none", "project's", "for all", "both", "free"],
)
def test_a_custom_price_makes_the_bill(
    own_gateway: GatewayServer,
    upstream: AnthropicUpstream,
    prices: dict[str, dict[str, str]],
    cost: int,
    source: str,
) -> None:
    """The project's own price wins over one for all projects, and that over the default table's."""
    for partition, rates in prices.items():
        put_price(own_gateway, partition, **rates)
    upstream.script = USAGE
    answer = httpx.post(
        f"{own_gateway.base_url}/v1/messages", json=message(), headers={"x-api-key": own_gateway.token()}
    )
    assert answer.status_code == 200
    assert own_gateway.assert_settled() == cost
    assert own_gateway.records()[0].price_source.startswith(source)


@pytest.fixture
def cors_gateway(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream
) -> Iterator[GatewayServer]:
    settings = {"cors_origins": ("https://app.example.com",)}
    with GatewayServer(embedded_dynamodb, tables, upstream.base_url, settings_changes=settings) as gateway:
        yield gateway


def test_a_browser_of_an_allowed_origin_may_ask_and_read_the_budget(cors_gateway: GatewayServer) -> None:
    """The preflight allows the SDKs' headers; the answer, and a refusal too, may be read with its headers."""
    origin = {"origin": "https://app.example.com"}
    asked = "x-api-key,authorization,content-type,anthropic-version,anthropic-beta,x-stainless-lang"
    preflight = httpx.options(
        f"{cors_gateway.base_url}/v1/messages",
        headers=origin | {"access-control-request-method": "POST", "access-control-request-headers": asked},
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == origin["origin"]
    assert preflight.headers["access-control-allow-headers"] == asked
    for token, status in ((cors_gateway.token(), 200), ("nonsense", 401)):
        answer = httpx.post(
            f"{cors_gateway.base_url}/v1/messages",
            json=message(stream=True),
            headers=origin | {"x-api-key": token},
        )
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == origin["origin"]
        assert "x-channeling-budget-remaining" in answer.headers["access-control-expose-headers"]


def test_another_origin_and_a_deployment_without_cors_say_nothing(
    cors_gateway: GatewayServer, gateway: GatewayServer
) -> None:
    """Browsers of other origins are not told to go on."""
    for server, origin in ((cors_gateway, "https://evil.example"), (gateway, "https://app.example.com")):
        answer = httpx.get(f"{server.base_url}/healthz", headers={"origin": origin})
        assert "access-control-allow-origin" not in answer.headers


def test_counts_are_limited_by_user(gateway: GatewayServer, upstream: AnthropicUpstream) -> None:
    """An editor's burst of 50 passes; far more at once is a retryable 429, for this user alone."""
    url = f"{gateway.base_url}/v1/messages/count_tokens"
    with httpx.Client(headers={"x-api-key": gateway.token()}) as client:
        statuses = [client.post(url, json=message(max_tokens=None)).status_code for _ in range(160)]
        refused = client.post(url, json=message(max_tokens=None))
    assert statuses[:50] == [200] * 50
    assert 429 in statuses
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    other = {"x-api-key": gateway.token(user="somebody-else")}
    assert httpx.post(url, json=message(max_tokens=None), headers=other).status_code == 200


def test_a_hold_is_lowered_when_the_provider_says_what_the_input_is(
    gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """With less than half of the budget free, what the input did not need is given back during the stream."""
    text = "word " * 1_000  # 5,000 bytes, of which a fifth are tokens
    upstream.script = Script(gated=True, usage={"input_tokens": 1_000}, final_usage={"output_tokens": 10})
    token = gateway.token(limit_microusd=40_000)
    body = message(stream=True, max_tokens=1_024, messages=[{"role": "user", "content": text}])
    with httpx.stream(
        "POST", f"{gateway.base_url}/v1/messages", json=body, headers={"x-api-key": token}, timeout=30
    ) as response:
        chunks = response.iter_bytes()
        received = next(chunks)
        before = 5_000 * 3_000 + 1_024 * 15_000
        upstream.release(1)
        while received.count(b"text_delta") < 1:
            received += next(chunks)
        while (window := gateway.budget().window) is not None and window.held > before - 3_000_000:
            pass  # the lowering runs beside the stream
        assert window is not None
        assert window.held == 1_000 * 3_000 + 1_024 * 15_000
        upstream.release()
        b"".join(chunks)
    assert gateway.assert_settled() == 1_000 * 3_000 + 10 * 15_000


def test_with_half_of_the_budget_free_nothing_is_lowered(
    gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """A write costs, and nobody waits for the money."""
    upstream.script = USAGE
    headers = {"x-api-key": gateway.token()}
    url = f"{gateway.base_url}/v1/messages"
    httpx.post(url, json=message(), headers=headers)
    gateway.store_calls()
    httpx.post(url, json=message(stream=True), headers=headers)
    assert gateway.store_calls()["update", "budgets"] == 2
