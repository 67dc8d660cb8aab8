"""The lean door to a store on this machine, on a loop of its own: tests call it from whatever loops they run."""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from channeling.dynamodb import Item, Page, Update
from channeling_cli.lean_store import open_lean_store

Result = TypeVar("Result")


class LeanOnItsOwnLoop:
    """`DynamoDB` for fixtures: the lean door in a thread, called from tests with a loop of their own or several."""

    def __init__(self, endpoint_url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="store", daemon=True)
        self._thread.start()
        self._store = open_lean_store(endpoint_url)

    def close(self) -> None:
        """Close the connections and end the thread."""
        asyncio.run_coroutine_threadsafe(self._store.aclose(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def get(self, table: str, key: Item) -> Item | None:
        return await self._there(self._store.dynamodb.get(table, key))

    async def put(self, table: str, item: Item, *, unless_exists: str | None = None) -> None:
        await self._there(self._store.dynamodb.put(table, item, unless_exists=unless_exists))

    async def update(self, update: Update) -> Item:
        return await self._there(self._store.dynamodb.update(update))

    async def query(self, table: str, partition: tuple[str, str], **options: Any) -> list[Item]:
        return await self._there(self._store.dynamodb.query(table, partition, **options))

    async def delete(self, table: str, key: Item) -> Item | None:
        return await self._there(self._store.dynamodb.delete(table, key))

    async def transact(self, updates: Sequence[Update]) -> None:
        await self._there(self._store.dynamodb.transact(updates))

    async def scan_page(self, table: str, *, after: Item | None, limit: int) -> Page:
        return await self._there(self._store.dynamodb.scan_page(table, after=after, limit=limit))

    async def _there(self, work: Coroutine[Any, Any, Result]) -> Result:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
