"""How far each project's rollups have come, kept in the usage table: which projects there are, and what is final.

pk "rollups"  sk project  since (hour)  open_from (hour × 8 + shard)

From `since` on, all partitions of records before `open_from`, counted hour by hour and shard by shard, have rollups
that were made after the last moment at which a record is written without a mark (`late_hours`).
"""

from typing import cast

from msgspec import Struct

from channeling.dynamodb import ConditionFailed, DynamoDB, Item, Update
from channeling.usage.record import SHARDS, RecordPartition

PARTITION = "rollups"  # no record's: those have a "#" in their pk


class RollupProgress(Struct, frozen=True):
    """One project's progress. `open_from` is the ordinal of the first partition that may still be written into."""

    project_id: str
    since_hour: int
    open_from: int

    def has(self, partition: RecordPartition) -> bool:
        """Return whether the rollups of a partition are complete but for late records, which leave a mark."""
        return self.since_hour <= partition.hour and ordinal(partition) < self.open_from


class RollupProgressStore:
    """Every project's progress; raises StoreUnavailable."""

    def __init__(self, dynamodb: DynamoDB, table: str, *, partition: str = PARTITION) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._partition = partition

    async def of_project(self, project_id: str) -> RollupProgress | None:
        """Return a project's progress, or None before its first run."""
        item = await self._dynamodb.get(self._table, self._key(project_id))
        return None if item is None else _progress(item)

    async def of_all_projects(self) -> dict[str, RollupProgress]:
        """Return the progress of every project that was ever begun, by project id."""
        items = await self._dynamodb.query(self._table, ("pk", self._partition))
        return {progress.project_id: progress for progress in map(_progress, items)}

    async def begin(self, project_id: str, since_hour: int) -> RollupProgress:
        """Return a project's progress, which begins at an hour unless it has begun already."""
        begun = RollupProgress(project_id, since_hour, since_hour * SHARDS)
        item = self._key(project_id) | {"since": begun.since_hour, "open_from": begun.open_from}
        try:
            await self._dynamodb.put(self._table, item, unless_exists="pk")
        except ConditionFailed as standing:
            return begun if standing.item is None else _progress(standing.item)
        return begun

    async def advance(self, project_id: str, open_from: int) -> None:
        """Move a project's progress forward; where another run has moved it further, it stays there."""
        update = Update(
            self._table,
            self._key(project_id),
            "SET #open_from = :open_from",
            "#open_from < :open_from",
            {"#open_from": "open_from"},
            {":open_from": open_from},
        )
        try:
            await self._dynamodb.update(update)
        except ConditionFailed:
            return

    def _key(self, project_id: str) -> Item:
        return {"pk": self._partition, "sk": project_id}


def ordinal(partition: RecordPartition) -> int:
    """Return a partition's place in the order in which a project's partitions are completed."""
    return partition.hour * SHARDS + partition.shard


def partition_at(project_id: str, place: int) -> RecordPartition:
    """Return the partition at a place, the reverse of `ordinal`."""
    hour, shard = divmod(place, SHARDS)
    return RecordPartition(project_id, hour, shard)


def _progress(item: Item) -> RollupProgress:
    return RollupProgress(str(item["sk"]), cast(int, item["since"]), cast(int, item["open_from"]))
