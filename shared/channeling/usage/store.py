"""Usage records on DynamoDB: put once, never edited."""

import logging
from collections.abc import AsyncGenerator, Iterator, Sequence

from channeling.clock import Clock
from channeling.dynamodb import ConditionFailed, DynamoDB, Item
from channeling.tables import USAGE_BY_USER
from channeling.usage.late_hours import LateHours, late_from_s
from channeling.usage.record import RecordKey, RecordPartition, UsageRecord, record_item, usage_record

PAGE_ITEMS = 1_000
_log = logging.getLogger(__name__)
_LAST_SORT_KEY = "~"  # after every hold id and digest


class UsageStore:
    """The records of the usage table. The clock tells which puts are late (`late_hours`)."""

    def __init__(self, dynamodb: DynamoDB, table: str, clock: Clock) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock
        self._late_hours = LateHours(dynamodb, table)

    async def put(self, record: UsageRecord) -> UsageRecord:
        """Put a record unless one stands under its key; return the one that stands there now.

        A put that is late marks the record's hour. Raises StoreUnavailable; the record may stand without its mark
        then, so put it again before anything follows from it.
        """
        standing = await self._put(record)
        # By the time after the put: a process may have slept before it. And also where the record stood already,
        # since whoever put it may have died before the mark.
        key = record.key
        if self._clock.now_ms() // 1000 >= late_from_s(key.hour):
            await self._late_hours.mark(key.partition)
        return standing

    async def get(self, key: RecordKey) -> UsageRecord | None:
        """Return the record under a key, read consistently, or None."""
        item = await self._dynamodb.get(self._table, {"pk": key.pk, "sk": key.sk})
        return None if item is None else usage_record(item)

    async def of_user(self, project_id: str, user_id: str, *, limit: int | None = None) -> list[UsageRecord]:
        """Return a user's records, oldest first (from the index: a moment behind)."""
        items = await self._dynamodb.query(
            self._table, ("user_key", f"{project_id}#{user_id}"), index=USAGE_BY_USER, limit=limit
        )
        return [usage_record(item) for item in items]

    async def pages(
        self, partition: RecordPartition, *, page_items: int = PAGE_ITEMS, after: str | None = None
    ) -> AsyncGenerator[Sequence[Item], None]:
        """Yield the record items of a partition, or those from a sort key on, page by page, read consistently.

        `page_items` is 2 or more.
        """
        items = await self._dynamodb.query(
            self._table,
            ("pk", partition.pk),
            sort_between=None if after is None else ("sk", after, _LAST_SORT_KEY),
            limit=page_items,
        )
        while items:
            yield items
            if len(items) < page_items - 1:
                return
            after = str(items[-1]["sk"])
            found = await self._dynamodb.query(
                self._table,
                ("pk", partition.pk),
                sort_between=("sk", after, _LAST_SORT_KEY),
                limit=page_items,
            )
            # The range is closed, so it begins with the item that was last.
            items = [item for item in found if item["sk"] != after]

    async def newest(
        self, partition: RecordPartition, *, before: str | None, limit: int
    ) -> list[UsageRecord]:
        """Return up to `limit` records of a partition, the newest first, before a sort key (None: from its end)."""
        found: list[UsageRecord] = []
        while len(found) < limit:
            items = await self._dynamodb.query(
                self._table,
                ("pk", partition.pk),
                sort_between=None if before is None else ("sk", "0", before),
                # The range is closed, so it may begin with the item that was last.
                limit=limit + 1,
                descending=True,
            )
            found += self.readable([item for item in items if item["sk"] != before])
            if len(items) <= limit:
                break
            before = str(items[-1]["sk"])
        return found[:limit]

    def readable(self, items: Sequence[Item]) -> Iterator[UsageRecord]:
        """Yield the records among items; what cannot be read is in the log alone."""
        for item in items:
            try:
                record = usage_record(item)
            except (KeyError, TypeError, ValueError) as error:
                place = {"pk": item["pk"], "sk": item["sk"]}
                _log.error("a usage record cannot be read: %r", error, extra={"fields": place})
            else:
                yield record

    async def _put(self, record: UsageRecord) -> UsageRecord:
        try:
            await self._dynamodb.put(self._table, record_item(record), unless_exists="pk")
        except ConditionFailed as standing:
            if standing.item is None:
                raise TypeError("DynamoDB refused a put and returned no standing item") from standing
            return usage_record(standing.item)
        return record
