"""A project's use over a stretch of hours: from rollups where these are final, elsewhere from the records."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import chain

from channeling.clock import Clock
from channeling.dynamodb import DynamoDB
from channeling.usage.late_hours import LateHours
from channeling.usage.record import SHARDS, RecordPartition, shard_of
from channeling.usage.rollup import Rollup
from channeling.usage.rollup_progress import RollupProgress, RollupProgressStore
from channeling.usage.rollup_store import RollupStore, tally_records
from channeling.usage.store import UsageStore

PARTITIONS_AT_ONCE = 16


class RollupReader:
    """Reads what the reconciler has made, and adds up by itself what it has not."""

    def __init__(self, dynamodb: DynamoDB, table: str, clock: Clock) -> None:
        self._usage = UsageStore(dynamodb, table, clock)
        self._rollups = RollupStore(dynamodb, table)
        self._late_hours = LateHours(dynamodb, table)
        self._progress = RollupProgressStore(dynamodb, table)

    async def read(
        self, project_id: str, from_hour: int, until_hour: int, *, user_id: str | None = None
    ) -> AsyncGenerator[Rollup, None]:
        """Yield the rollups of the hours (since the epoch) from `from_hour` until before `until_hour`, in order.

        Their sum is that of the records that stand. One query for each hour and shard, by the key, for a user one
        for each hour; open hours and those with late records are read live, all their records. Records that cannot
        be read are in the log alone. Raises StoreUnavailable.
        """
        shards = range(SHARDS) if user_id is None else [shard_of(project_id, user_id)]
        partitions = [
            RecordPartition(project_id, hour, shard)
            for hour in range(from_hour, until_hour)
            for shard in shards
        ]
        async with aclosing(self.read_partitions(project_id, partitions, user_id=user_id)) as rollups:
            async for rollup in rollups:
                yield rollup

    async def read_partitions(
        self, project_id: str, partitions: Sequence[RecordPartition], *, user_id: str | None = None
    ) -> AsyncGenerator[Rollup, None]:
        """Yield the rollups of these partitions of a project, in order, as `read` does. Raises StoreUnavailable."""
        shards = sorted({partition.shard for partition in partitions})
        # Before any rollup: a mark that is gone by now was taken away after the rollups were written.
        progress = await self._progress.of_project(project_id)
        marks = await asyncio.gather(*(self._late_hours.of_project(project_id, shard) for shard in shards))
        late = frozenset(chain.from_iterable(marks))
        for start in range(0, len(partitions), PARTITIONS_AT_ONCE):
            found = await asyncio.gather(
                *(
                    self._of(partition, _is_final(partition, progress, late), user_id)
                    for partition in partitions[start : start + PARTITIONS_AT_ONCE]
                )
            )
            for rollup in chain.from_iterable(found):
                yield rollup

    async def _of(self, partition: RecordPartition, is_final: bool, user_id: str | None) -> list[Rollup]:
        if is_final:
            return await self._rollups.read(partition, user_id)
        tallied = await tally_records(self._usage, partition)
        return [rollup for rollup in tallied.tally.rollups() if user_id in (None, rollup.user_id)]


def _is_final(
    partition: RecordPartition, progress: RollupProgress | None, late: frozenset[RecordPartition]
) -> bool:
    return progress is not None and progress.has(partition) and partition not in late
