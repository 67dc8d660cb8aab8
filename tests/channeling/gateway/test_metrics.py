"""Each request is counted once, whatever becomes of it: answered, refused before or after money was held for it."""

from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from channeling.clock import SystemClock
from channeling.metrics import EmbeddedMetrics
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.gateway.conftest import message
from tests.stand_ins.anthropic_script import Script, error_script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.gateway_server import GatewayServer


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def counted(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream, lines: list[str]
) -> Iterator[GatewayServer]:
    metrics = EmbeddedMetrics("prod", SystemClock(), lines.append)
    with GatewayServer(embedded_dynamodb, tables, upstream.base_url, metrics=metrics) as gateway:
        yield gateway


def post(gateway: GatewayServer, token: str, **body: Any) -> httpx.Response:
    return httpx.post(
        f"{gateway.base_url}/v1/messages", json=message(**body), headers={"x-api-key": token}, timeout=30
    )


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_an_answer_is_counted_with_its_bill(
    counted: GatewayServer, upstream: AnthropicUpstream, lines: list[str], stream: bool
) -> None:
    upstream.script = Script(usage={"input_tokens": 100}, final_usage={"output_tokens": 20})
    assert post(counted, counted.token(), stream=stream).status_code == 200
    [values] = map(orjson.loads, lines)
    [record] = counted.records()
    assert values["Requests"] == 1
    assert (values["InputTokens"], values["OutputTokens"]) == (100, 20)
    assert values["CostUsd"] == record.cost / 1e9
    assert (values["Provider"], values["status"]) == ("anthropic", "ok")
    assert ("TimeToFirstToken" in values) == (record.first_token_ms is not None)
    assert "user" not in " ".join(values)
    assert record.user_id not in lines[0]


def test_a_provider_that_refuses_is_counted_as_such(
    counted: GatewayServer, upstream: AnthropicUpstream, lines: list[str]
) -> None:
    upstream.script = error_script(400, "invalid_request_error", "no")
    assert post(counted, counted.token()).status_code == 400
    [values] = map(orjson.loads, lines)
    assert (values["Requests"], values["ProviderFailures"]) == (1, 1)


def test_refusals_are_counted_by_reason(counted: GatewayServer, lines: list[str]) -> None:
    assert post(counted, "nonsense").status_code == 401
    assert post(counted, counted.token(limit_microusd=1)).status_code == 429
    assert post(counted, counted.token(), model="").status_code == 400
    reasons = [orjson.loads(line)["Reason"] for line in lines]
    assert reasons == ["authentication_failed", "budget_exceeded", "invalid_request"]


def test_a_bill_that_could_not_be_written_is_counted(
    counted: GatewayServer, upstream: AnthropicUpstream, lines: list[str]
) -> None:
    upstream.script = Script(gated=True)
    with httpx.stream(
        "POST",
        f"{counted.base_url}/v1/messages",
        json=message(stream=True),
        headers={"x-api-key": counted.token()},
        timeout=30,
    ) as response:
        chunks = response.iter_bytes()
        next(chunks)
        counted.dynamodb.is_down = True
        upstream.release()
        for _ in chunks:
            pass
    [values] = map(orjson.loads, lines)
    assert (values["Requests"], values["Unsettled"]) == (1, 1)
