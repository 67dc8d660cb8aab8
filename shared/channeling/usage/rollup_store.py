"""Rollups on DynamoDB: made from a partition of records, written where they changed, read by partition."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing

from msgspec import Struct

from channeling.dynamodb import ConditionFailed, DynamoDB, Item, Update, Value
from channeling.usage.record import RecordPartition, usage_record
from channeling.usage.rollup import Rollup, RollupTally, rollup_from_item, rollup_item, rollup_pk, user_digest
from channeling.usage.store import UsageStore

WRITES_AT_ONCE = 8

_log = logging.getLogger(__name__)


class RollupStore:
    """The rollups in the usage table."""

    def __init__(self, dynamodb: DynamoDB, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    async def read(self, partition: RecordPartition, user_id: str | None = None) -> list[Rollup]:
        """Return the rollups of a partition, or those of one user. Raises StoreUnavailable."""
        return [rollup_from_item(item) for item in await self._items(partition, user_id)]

    async def write(
        self, partition: RecordPartition, rollups: Sequence[Rollup], check_time: Callable[[], None]
    ) -> int:
        """Write the rollups that are not written yet; return how many were. Raises StoreUnavailable."""
        standing = {str(item["sk"]): item for item in await self._items(partition)} if rollups else {}
        changed = [item for item in map(rollup_item, rollups) if item != standing.get(str(item["sk"]))]
        written = 0
        for start in range(0, len(changed), WRITES_AT_ONCE):
            check_time()
            some = changed[start : start + WRITES_AT_ONCE]
            written += sum(await asyncio.gather(*(self._replace(item) for item in some)))
        return written

    async def _items(self, partition: RecordPartition, user_id: str | None = None) -> list[Item]:
        key = ("pk", rollup_pk(partition))
        if user_id is None:
            return await self._dynamodb.query(self._table, key)
        digest = user_digest(user_id)
        # "$" comes after "#", which ends the digest.
        return await self._dynamodb.query(self._table, key, sort_between=("sk", f"{digest}#", f"{digest}$"))

    async def _replace(self, item: Item) -> bool:
        """Write a rollup unless a later one stands. Records are only ever added: more of them are a later state."""
        attributes = {name: value for name, value in item.items() if name not in ("pk", "sk")}
        names = {f"#{name}": name for name in attributes}
        values: dict[str, Value] = {f":{name}": value for name, value in attributes.items()}
        update = Update(
            self._table,
            {"pk": item["pk"], "sk": item["sk"]},
            "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
            "attribute_not_exists(#records) OR #records <= :records",
            names,
            values,
        )
        try:
            await self._dynamodb.update(update)
        except ConditionFailed:
            return False
        return True


class Tallied(Struct, frozen=True):
    """The sums of a partition's records, and how many could not be read; `early` and `early_items` are those of the
    items before a sort key, where one was given."""

    tally: RollupTally
    unreadable: int
    early: RollupTally
    early_items: int


async def tally_records(
    usage: UsageStore,
    partition: RecordPartition,
    check_time: Callable[[], None] = lambda: None,
    *,
    after: str | None = None,
    before: str | None = None,
) -> Tallied:
    """Add up all records of a partition, or those after a sort key; those before one by themselves, too.

    What cannot be read is logged one by one. `check_time` is called before each page and may raise. Raises
    StoreUnavailable.
    """
    tally, early = RollupTally(partition), RollupTally(partition)
    unreadable = early_items = 0
    check_time()
    async with aclosing(usage.pages(partition, after=after)) as pages:
        async for items in pages:
            for item in items:
                is_readable = _added(tally, item)
                unreadable += not is_readable
                if before is not None and str(item["sk"]) < before:
                    early_items += 1
                    if is_readable:
                        _added(early, item)
            check_time()
    return Tallied(tally, unreadable, early, early_items)


def _added(tally: RollupTally, item: Item) -> bool:
    try:
        tally.add(usage_record(item))
    except (KeyError, TypeError, ValueError) as error:
        _log.error(
            "a usage record cannot be read; no rollup has it: %r",
            error,
            extra={"fields": {"pk": item["pk"], "sk": item["sk"]}},
        )
        return False
    return True
