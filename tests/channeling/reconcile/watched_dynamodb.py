"""A DynamoDB whose every call can be preceded by something: another run, a crash, a while."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from channeling.dynamodb import DynamoDB, Item, Page, Update


class WatchedDynamoDB:
    """Awaits `before(number of the call, its operation)` ahead of each call."""

    def __init__(self, store: DynamoDB, before: Callable[[int, str], Awaitable[None]]) -> None:
        self._store = store
        self._before = before
        self.calls = 0

    async def _note(self, operation: str) -> None:
        self.calls += 1
        await self._before(self.calls, operation)

    async def get(self, table: str, key: Item) -> Item | None:
        await self._note("get")
        return await self._store.get(table, key)

    async def put(self, table: str, item: Item, *, unless_exists: str | None = None) -> None:
        await self._note("put")
        await self._store.put(table, item, unless_exists=unless_exists)

    async def update(self, update: Update) -> Item:
        await self._note("update")
        return await self._store.update(update)

    async def query(self, table: str, partition: tuple[str, str], **options: Any) -> list[Item]:
        await self._note("query")
        return await self._store.query(table, partition, **options)

    async def delete(self, table: str, key: Item) -> Item | None:
        await self._note("delete")
        return await self._store.delete(table, key)

    async def transact(self, updates: Sequence[Update]) -> None:
        await self._note("transact")
        await self._store.transact(updates)

    async def scan_page(self, table: str, *, after: Item | None, limit: int) -> Page:
        await self._note("scan")
        return await self._store.scan_page(table, after=after, limit=limit)
