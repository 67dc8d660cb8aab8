"""One environment's door to DynamoDB: late, refused, lost after taking effect, delivered twice, or cut by death."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from channeling.dynamodb import ConditionFailed, DynamoDB, Item, Page, TransactionRefused, Update
from channeling.errors import StoreUnavailable
from simulation.environment import Environment

T = TypeVar("T")

_FAULTS = ("refused", "throttled", "answer lost", "delivered twice", "lands late")
_LATENCIES_S = (0.002, 0.004, 0.006, 0.03, 0.4)


class FaultyDynamoDB:
    """`DynamoDB` through a network that the environment's random numbers drive."""

    def __init__(self, store: DynamoDB, environment: Environment) -> None:
        self._store = store
        self._environment = environment
        self._under_way: set[asyncio.Task[Any]] = set()

    async def get(self, table: str, key: Item) -> Item | None:
        return await self._call(f"get {_place(key)}", lambda: self._store.get(table, key))

    async def put(self, table: str, item: Item, *, unless_exists: str | None = None) -> None:
        what = f"put {_place(item)} cost={item.get('cost')!s} {item.get('status', '')!s}"
        await self._call(what, lambda: self._store.put(table, item, unless_exists=unless_exists))

    async def update(self, update: Update) -> Item:
        shown = " ".join(
            f"{name}={value!r}" for name, value in update.values.items() if type(value) is not bytes
        )
        what = f"update {_place(update.key)} {update.expression[:56]} | {shown}"
        return await self._call(what, lambda: self._store.update(update))

    async def query(self, table: str, partition: tuple[str, str], **options: Any) -> list[Item]:
        return await self._call(
            f"query {partition[1]}", lambda: self._store.query(table, partition, **options)
        )

    async def delete(self, table: str, key: Item) -> Item | None:
        return await self._call(f"delete {_place(key)}", lambda: self._store.delete(table, key))

    async def transact(self, updates: Sequence[Update]) -> None:
        await self._call("transact", lambda: self._store.transact(updates))

    async def scan_page(self, table: str, *, after: Item | None, limit: int) -> Page:
        return await self._call("scan", lambda: self._store.scan_page(table, after=after, limit=limit))

    async def _call(self, what: str, operation: Callable[[], Awaitable[T]]) -> T:
        # On its way an operation is out of its sender's hands: a cancelled request does not call it back.
        task = asyncio.ensure_future(self._carry_out(what, operation))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: its sender may have gone

    async def _carry_out(self, what: str, operation: Callable[[], Awaitable[T]]) -> T:
        environment = self._environment
        await environment.rest()
        rng = environment.rng
        environment.operations += 1
        dies_here = environment.operations == environment.dies_at_operation
        lands = rng.random() < 0.5 if environment.lands is None else environment.lands
        fault = rng.choice(_FAULTS) if rng.random() < environment.fault_rate else None
        await asyncio.sleep(rng.choice(_LATENCIES_S))
        if dies_here:
            environment.die()
        if environment.is_dead and not lands:
            await environment.rest()
        if fault in ("refused", "throttled"):
            environment.trace.note(environment.name, f"{what} -> {fault}")
            await environment.rest()
            raise StoreUnavailable(f"the budget store refused a call ({fault})")
        if fault == "lands late":
            environment.trace.note(environment.name, f"{what} -> no answer yet")
            later = asyncio.ensure_future(self._land(what, operation, rng.uniform(0.5, 8.0)))
            self._under_way.add(later)
            later.add_done_callback(self._ended)
            await asyncio.sleep(0.4)
            await environment.rest()
            raise StoreUnavailable("the budget store did not answer")
        if fault == "delivered twice":
            with suppress(ConditionFailed, TransactionRefused):  # the second delivery is what is answered
                await operation()
        try:
            answer = await operation()
        except (ConditionFailed, TransactionRefused):
            environment.trace.note(environment.name, f"{what} -> condition failed ({fault or 'no fault'})")
            await environment.rest()
            raise
        environment.trace.note(environment.name, f"{what} -> applied ({fault or 'no fault'})")
        await environment.rest()
        if fault == "answer lost":
            raise StoreUnavailable("the budget store did not answer")
        return answer

    async def _land(self, what: str, operation: Callable[[], Awaitable[T]], after_s: float) -> None:
        await asyncio.sleep(after_s)
        try:
            await operation()
        except (ConditionFailed, TransactionRefused):
            self._environment.trace.note(self._environment.name, f"{what} -> landed late, condition failed")
        else:
            self._environment.trace.note(self._environment.name, f"{what} -> landed late")


def _place(item: Item) -> str:
    return f"{item['pk']!s}/{item['sk']!s}"
