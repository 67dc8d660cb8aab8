"""A running gateway in front of the Anthropic stand-in, and an HTTP client to it."""

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from channeling import standing_hold
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.dynamodb_tables import create_tables
from tests.stand_ins.gateway_server import GatewayServer

_numbers = itertools.count()


@pytest.fixture(scope="module")
def standing_upstream() -> Iterator[AnthropicUpstream]:
    """The Anthropic stand-in that the tests of a module share."""
    with AnthropicUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def standing_gateway(
    embedded_dynamodb: EmbeddedDynamoDB, dynamodb_client: Any, standing_upstream: AnthropicUpstream
) -> Iterator[GatewayServer]:
    """The gateway that the tests of a module share: starting one takes longer than most tests."""
    names = TableNames.with_prefix(f"gateway-{next(_numbers)}")
    create_tables(dynamodb_client, names)
    with GatewayServer(embedded_dynamodb, names, standing_upstream.base_url) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def patient_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that needs more held waits for the store's answer, also where eight share two busy processors with
    it: after a second of silence it would be cut, which is not what these tests are about."""
    monkeypatch.setattr(standing_hold, "_ANSWER_TIMEOUT_S", 20.0)


@pytest.fixture
def upstream(standing_upstream: AnthropicUpstream) -> AnthropicUpstream:
    """The Anthropic stand-in with nothing seen, nothing released and its plain script."""
    standing_upstream.reset()
    return standing_upstream


@pytest.fixture
def gateway(standing_gateway: GatewayServer, upstream: AnthropicUpstream) -> GatewayServer:
    """The gateway, for a user whom no other test knows."""
    standing_gateway.user = f"user-{next(_numbers)}"
    standing_gateway.store_calls()
    return standing_gateway


@pytest.fixture
def own_gateway(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream
) -> Iterator[GatewayServer]:
    """A gateway that has seen nothing yet, where what it learned of models would matter."""
    with GatewayServer(embedded_dynamodb, tables, upstream.base_url) as gateway:
        yield gateway


@pytest.fixture
def client(gateway: GatewayServer) -> Iterator[httpx.Client]:
    """An HTTP client with a $5 token of the test's user."""
    headers = {"x-api-key": gateway.token(), "anthropic-version": "2023-06-01"}
    with httpx.Client(base_url=gateway.base_url, headers=headers, timeout=20) as client:
        yield client


def message(**changes: object) -> dict[str, object]:
    """The body of a small request for a message, with changes (None removes a key)."""
    body: dict[str, object] = {
        "model": "claude-sonnet-4-5-20250929",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": "Hello, Claude!"}],
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not None}
