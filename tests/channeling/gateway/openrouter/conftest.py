"""A running gateway in front of the stand-in for OpenRouter, and clients to it."""

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.stand_ins.chat_upstream import ChatUpstream
from tests.stand_ins.dynamodb_tables import create_tables
from tests.stand_ins.gateway_server import GatewayServer
from tests.stand_ins.upstream_server import closed_port_url

OPENROUTER_KEY = "sk-or-v1-of-the-project-0123456789"

_numbers = itertools.count()


@pytest.fixture(scope="module")
def standing_upstream() -> Iterator[ChatUpstream]:
    """The stand-in that the tests of a module share."""
    with ChatUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def standing_gateway(
    embedded_dynamodb: EmbeddedDynamoDB, dynamodb_client: Any, standing_upstream: ChatUpstream
) -> Iterator[GatewayServer]:
    """The gateway that the tests of a module share: starting one takes longer than most tests."""
    names = TableNames.with_prefix(f"openrouter-gateway-{next(_numbers)}")
    create_tables(dynamodb_client, names)
    with openrouter_gateway(embedded_dynamodb, names, standing_upstream) as gateway:
        yield gateway


@pytest.fixture
def upstream(standing_upstream: ChatUpstream) -> Iterator[ChatUpstream]:
    """The stand-in with nothing seen; it fails the test if the gateway sent what the API does not take."""
    standing_upstream.reset()
    yield standing_upstream
    standing_upstream.assert_nothing_refused()


@pytest.fixture
def gateway(standing_gateway: GatewayServer, upstream: ChatUpstream) -> GatewayServer:
    """The gateway, for a user whom no other test knows."""
    standing_gateway.user = f"user-{next(_numbers)}"
    return standing_gateway


@pytest.fixture
def client(gateway: GatewayServer) -> Iterator[httpx.Client]:
    """An HTTP client with a $5 token of the test's user."""
    headers = {"x-api-key": gateway.token(), "anthropic-version": "2023-06-01"}
    with httpx.Client(base_url=gateway.base_url, headers=headers, timeout=20) as client:
        yield client


def openrouter_gateway(
    store: EmbeddedDynamoDB, tables: TableNames, upstream: ChatUpstream, **changes: Any
) -> GatewayServer:
    """Return a gateway whose project has an OpenRouter key and no other."""
    return GatewayServer(
        store,
        tables,
        closed_port_url(),
        openrouter_base_url=upstream.sdk_base_url,
        **{"provider_keys": {"openrouter": OPENROUTER_KEY}, **changes},
    )


def message(**changes: object) -> dict[str, object]:
    """The body of a small request for a message, with changes (None removes a key)."""
    body: dict[str, object] = {
        "model": "or:deepseek/deepseek-chat",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": "Hello, Claude!"}],
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not None}
