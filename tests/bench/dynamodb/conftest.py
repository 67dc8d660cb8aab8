"""The stand-in of the benchmarks and moto side by side: a door that asks both and insists on one answer."""

import asyncio
import itertools
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import orjson
import pytest

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.dynamodb import ConditionFailed, DynamoDB, Item, Page, TransactionRefused, Update
from channeling.errors import StoreUnavailable
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB, local_client
from tests.stand_ins.dynamodb_tables import create_tables

_prefixes = (f"side-by-side-{number}" for number in itertools.count())


class SideBySide:
    """`DynamoDB` on two stores, one operation at a time, so that both see the same order."""

    def __init__(self, one: DynamoDB, other: DynamoDB) -> None:
        self._stores = (one, other)
        self._lock = asyncio.Lock()

    async def get(self, table: str, key: Item) -> Any:
        return await self._both(lambda store: store.get(table, key))

    async def put(self, table: str, item: Item, *, unless_exists: str | None = None) -> Any:
        return await self._both(lambda store: store.put(table, item, unless_exists=unless_exists))

    async def update(self, update: Update) -> Any:
        return await self._both(lambda store: store.update(update))

    async def query(self, table: str, partition: tuple[str, str], **how: Any) -> Any:
        return await self._both(lambda store: store.query(table, partition, **how))

    async def delete(self, table: str, key: Item) -> Any:
        return await self._both(lambda store: store.delete(table, key))

    async def transact(self, updates: Sequence[Update]) -> Any:
        return await self._both(lambda store: store.transact(updates))

    async def scan_page(self, table: str, *, after: Item | None, limit: int) -> Page:
        """Only of the stand-in: the two need not scan in one order."""
        return await self._stores[1].scan_page(table, after=after, limit=limit)

    async def _both(self, operation: Callable[[DynamoDB], Awaitable[Any]]) -> Any:
        async with self._lock:
            (kind, one), (other_kind, other) = [await _outcome(operation, store) for store in self._stores]
        assert (kind, _comparable(one)) == (other_kind, _comparable(other))
        if isinstance(other, Exception):
            raise other
        return other


async def _outcome(operation: Callable[[DynamoDB], Awaitable[Any]], store: DynamoDB) -> tuple[str, Any]:
    try:
        return "answered", await operation(store)
    except (ConditionFailed, TransactionRefused, StoreUnavailable) as error:
        return type(error).__name__, error


def _comparable(outcome: Any) -> Any:
    match outcome:
        case ConditionFailed():
            return outcome.item
        case TransactionRefused():
            return outcome.reasons
        case StoreUnavailable():
            return None
    return outcome


@pytest.fixture(scope="session")
def stand_in_url() -> Iterator[str]:
    """The benchmarks' DynamoDB, running."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.dynamodb", "--ends-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    yield f"http://127.0.0.1:{orjson.loads(process.stdout.readline())['port']}"
    process.stdin.close()
    process.stdout.close()
    process.wait(60)


@pytest.fixture(scope="session")
def stand_in_client(stand_in_url: str) -> Iterator[Any]:
    """botocore's low-level client of it."""
    client = local_client(stand_in_url)
    yield client
    client.close()


@pytest.fixture
def tables(dynamodb_client: Any, stand_in_client: Any) -> TableNames:
    """Three empty tables in both stores."""
    names = TableNames.with_prefix(next(_prefixes))
    create_tables(dynamodb_client, names)
    create_tables(stand_in_client, names)
    return names


@pytest.fixture
def dynamodb(embedded_dynamodb: EmbeddedDynamoDB, stand_in_url: str) -> Iterator[SideBySide]:
    """The door to both."""
    one = BotocoreDynamoDB(embedded_dynamodb.client())
    other = BotocoreDynamoDB(local_client(stand_in_url))
    yield SideBySide(one, other)
    one.close()
    other.close()
