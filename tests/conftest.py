"""What every suite may use: one embedded DynamoDB per run, and tables of its own per test."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from channeling.dynamodb import DynamoDB
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB, start_embedded_dynamodb
from tests.stand_ins.dynamodb_tables import create_tables
from tests.stand_ins.lean_store import LeanOnItsOwnLoop

_prefixes = (f"test-{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def embedded_dynamodb() -> Iterator[EmbeddedDynamoDB]:
    """A running embedded DynamoDB: `endpoint_url`, `client()`."""
    store = start_embedded_dynamodb()
    yield store
    store.close()


@pytest.fixture(scope="session")
def dynamodb_client(embedded_dynamodb: EmbeddedDynamoDB) -> Iterator[Any]:
    """botocore's low-level client of the embedded DynamoDB."""
    client = embedded_dynamodb.client()
    yield client
    client.close()


@pytest.fixture
def tables(dynamodb_client: Any) -> TableNames:
    """Three empty tables that no other test uses."""
    names = TableNames.with_prefix(next(_prefixes))
    create_tables(dynamodb_client, names)
    return names


@pytest.fixture
def dynamodb(embedded_dynamodb: EmbeddedDynamoDB) -> Iterator[DynamoDB]:
    """The product's DynamoDB door, on the embedded DynamoDB."""
    door = LeanOnItsOwnLoop(embedded_dynamodb.endpoint_url)
    yield door
    door.close()
