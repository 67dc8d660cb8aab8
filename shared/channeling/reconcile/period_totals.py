"""Totals of whole hours and days from rollups that are final, and again of those that a late record has changed."""

import asyncio
import logging
from contextlib import aclosing

from msgspec import Struct

from channeling.clock import Clock
from channeling.dynamodb import DynamoDB
from channeling.errors import StoreUnavailable
from channeling.tables import TableNames
from channeling.usage.late_hours import REMADE, LateHours
from channeling.usage.period_totals import (
    PROGRESS_PARTITION,
    PeriodTotals,
    PeriodTotalsStore,
    joined,
)
from channeling.usage.record import RETENTION_S, SHARDS
from channeling.usage.rollup_progress import RollupProgress, RollupProgressStore
from channeling.usage.rollup_reader import RollupReader
from channeling.usage.totals import NOTHING, Rows, added, rows_of

_log = logging.getLogger(__name__)


class PeriodTotalsMaker(Struct, frozen=True):
    """Makes totals until a deadline; the next run goes on where this one stopped."""

    rollups: RollupReader
    rollup_progress: RollupProgressStore
    totals: PeriodTotalsStore
    progress: RollupProgressStore
    remade: LateHours
    clock: Clock

    async def run(self, deadline_ms: int) -> int:
        """Make what is due of all projects; return of how many hours. A project that fails is logged."""
        final = await self.rollup_progress.of_all_projects()
        done = 0
        for project_id in sorted(final):
            try:
                done += await self._project(final[project_id], deadline_ms)
            except StoreUnavailable as error:
                _log.error("the totals of project %s could not be made: %s", project_id, error.message)
        return done

    async def _project(self, final: RollupProgress, deadline_ms: int) -> int:
        project_id, done = final.project_id, 0
        begun = await self.progress.begin(project_id, final.since_hour)
        made_until = begun.open_from // SHARDS
        marks = await asyncio.gather(*(self.remade.of_project(project_id, shard) for shard in range(SHARDS)))
        changed = {partition: count for found in marks for partition, count in found.items()}
        hours = {partition.hour for partition in changed}
        for hour in sorted(hour for hour in hours if begun.since_hour <= hour < made_until):
            if self._is_over(deadline_ms):
                return done
            await self._hour(project_id, hour)
            if hour // 24 < made_until // 24:
                await self._day(project_id, hour // 24)
            done += 1
        for partition, count in changed.items():
            # One that was not made yet is made below, from the rollups that were made before the mark.
            await self.remade.clear(partition, count)
        oldest = (self.clock.now_ms() // 1_000 - RETENTION_S) // 3_600
        for hour in range(max(made_until, oldest), final.open_from // SHARDS):
            if self._is_over(deadline_ms):
                return done
            await self._hour(project_id, hour)
            if hour % 24 == 23:
                await self._day(project_id, hour // 24)
            await self.progress.advance(project_id, (hour + 1) * SHARDS)
            done += 1
        return done

    async def _hour(self, project_id: str, hour: int) -> None:
        async with aclosing(self.rollups.read(project_id, hour, hour + 1)) as reading:
            rows, records = rows_of([rollup async for rollup in reading])
        await self.totals.write(project_id, "hour", PeriodTotals(hour, rows, records))

    async def _day(self, project_id: str, day: int) -> None:
        rows: Rows = {}
        records = 0
        found = await self.totals.read(project_id, "hour", day * 24, day * 24 + 24, consistent=True)
        for parts in found.values():
            of_hour, records_of_hour = joined(parts)
            records += records_of_hour
            for key, numbers in of_hour.items():
                rows[key] = added(rows.get(key, NOTHING), numbers)
        await self.totals.write(project_id, "day", PeriodTotals(day, rows, records))

    def _is_over(self, deadline_ms: int) -> bool:
        return self.clock.now_ms() >= deadline_ms


def period_totals(dynamodb: DynamoDB, tables: TableNames, clock: Clock) -> PeriodTotalsMaker:
    """Return what makes the totals of a deployment."""
    return PeriodTotalsMaker(
        rollups=RollupReader(dynamodb, tables.usage, clock),
        rollup_progress=RollupProgressStore(dynamodb, tables.usage),
        totals=PeriodTotalsStore(dynamodb, tables.usage),
        progress=RollupProgressStore(dynamodb, tables.usage, partition=PROGRESS_PARTITION),
        remade=LateHours(dynamodb, tables.usage, kind=REMADE),
        clock=clock,
    )
