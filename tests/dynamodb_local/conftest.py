"""The fixtures of the embedded DynamoDB, on AWS's DynamoDB Local instead. All tests here are marked java."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.channeling.budgets.conftest import protocol
from tests.dynamodb_local.dynamodb_local import DynamoDBLocal, running_dynamodb_local
from tests.fetched_tools import ToolMissing, dynamodb_local
from tests.money.books import books

__all__ = ["books", "protocol"]


@pytest.fixture(scope="session")
def jar_folder() -> Path:
    """The folder of DynamoDB Local's jar."""
    try:
        return dynamodb_local()
    except ToolMissing as missing:
        pytest.fail(f"to run this: {missing}")


@pytest.fixture(scope="session")
def embedded_dynamodb(jar_folder: Path) -> Iterator[DynamoDBLocal]:
    """A DynamoDB Local with its items in memory."""
    with running_dynamodb_local(jar_folder) as store:
        yield store


# Here again: a session's fixture is made once, and that of tests/conftest.py belongs to the embedded DynamoDB.
@pytest.fixture(scope="session")
def dynamodb_client(embedded_dynamodb: DynamoDBLocal) -> Iterator[Any]:
    """botocore's low-level client of DynamoDB Local."""
    client = embedded_dynamodb.client()
    yield client
    client.close()
