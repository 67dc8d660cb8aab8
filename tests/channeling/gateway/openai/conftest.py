"""A running gateway in front of the stand-in for the Responses API, and clients to it."""

import itertools
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest

from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.stand_ins.dynamodb_tables import create_tables
from tests.stand_ins.gateway_server import GatewayServer
from tests.stand_ins.openai_upstream import OpenAIUpstream
from tests.stand_ins.upstream_server import closed_port_url

OPENAI_KEY = "sk-proj-of-the-project-0123456789"

_numbers = itertools.count()


@pytest.fixture(scope="module")
def standing_upstream() -> Iterator[OpenAIUpstream]:
    """The stand-in that the tests of a module share."""
    with OpenAIUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def standing_gateway(
    embedded_dynamodb: EmbeddedDynamoDB, dynamodb_client: Any, standing_upstream: OpenAIUpstream
) -> Iterator[GatewayServer]:
    """The gateway that the tests of a module share: starting one takes longer than most tests."""
    names = TableNames.with_prefix(f"openai-gateway-{next(_numbers)}")
    create_tables(dynamodb_client, names)
    with openai_gateway(embedded_dynamodb, names, standing_upstream) as gateway:
        yield gateway


@pytest.fixture
def upstream(standing_upstream: OpenAIUpstream) -> Iterator[OpenAIUpstream]:
    """The stand-in with nothing seen; it fails the test if the gateway sent what the API does not take."""
    standing_upstream.reset()
    yield standing_upstream
    standing_upstream.assert_nothing_refused()


@pytest.fixture
def gateway(standing_gateway: GatewayServer, upstream: OpenAIUpstream) -> GatewayServer:
    """The gateway, for a user whom no other test knows."""
    standing_gateway.user = f"user-{next(_numbers)}"
    standing_gateway.store_calls()
    return standing_gateway


@pytest.fixture
def own_gateway(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: OpenAIUpstream
) -> Iterator[GatewayServer]:
    """A gateway that has seen nothing yet, where what it learned of models would matter."""
    with openai_gateway(embedded_dynamodb, tables, upstream) as gateway:
        yield gateway


@pytest.fixture
def client(gateway: GatewayServer) -> Iterator[httpx.Client]:
    """An HTTP client with a $5 token of the test's user."""
    headers = {"x-api-key": gateway.token(), "anthropic-version": "2023-06-01"}
    with httpx.Client(base_url=gateway.base_url, headers=headers, timeout=20) as client:
        yield client


@pytest.fixture
def sdk(gateway: GatewayServer) -> Iterator[anthropic.Anthropic]:
    """Anthropic's own SDK with a $5 token of the test's user."""
    with anthropic.Anthropic(api_key=gateway.token(), base_url=gateway.base_url, max_retries=0) as sdk:
        yield sdk


def openai_gateway(
    store: EmbeddedDynamoDB, tables: TableNames, upstream: OpenAIUpstream, **changes: Any
) -> GatewayServer:
    """Return a gateway whose project has an OpenAI key and no other."""
    return GatewayServer(
        store,
        tables,
        closed_port_url(),
        provider_keys={"openai": OPENAI_KEY},
        openai_base_url=upstream.sdk_base_url,
        **changes,
    )


def message(**changes: object) -> dict[str, object]:
    """The body of a small request for a message, with changes (None removes a key)."""
    body: dict[str, object] = {
        "model": "gpt-5.2",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": "Hello, Claude!"}],
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not None}
