"""A project's use over a stretch of hours in as few reads as there can be: days, then hours, then what is open.

Of open hours the reconciler's last sums are taken and the records since added, where counting says that none is
missing.

Its sums are those of `RollupReader`: where an hour is being made anew, or was never made, that one is asked.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from msgspec import Struct

from channeling.clock import Clock
from channeling.dynamodb import DynamoDB
from channeling.usage.late_hours import REMADE, LateHours
from channeling.usage.open_totals import OPEN_HOURS, OpenTotals, OpenTotalsStore
from channeling.usage.period_totals import (
    HOURS_OF,
    PROGRESS_PARTITION,
    Level,
    PeriodTotals,
    PeriodTotalsStore,
)
from channeling.usage.record import SHARDS, RecordPartition, shard_of
from channeling.usage.rollup_progress import RollupProgress, RollupProgressStore
from channeling.usage.rollup_reader import RollupReader
from channeling.usage.rollup_store import tally_records
from channeling.usage.store import UsageStore
from channeling.usage.totals import NOTHING, Rows, added, rows_of


class TotalsReader:
    """Reads what the reconciler has added up, and adds up by itself what it has not."""

    def __init__(self, dynamodb: DynamoDB, table: str, clock: Clock) -> None:
        self._clock = clock
        self._rollups = RollupReader(dynamodb, table, clock)
        self._usage = UsageStore(dynamodb, table, clock)
        self._open = OpenTotalsStore(dynamodb, table)
        self._totals = PeriodTotalsStore(dynamodb, table)
        self._progress = RollupProgressStore(dynamodb, table, partition=PROGRESS_PARTITION)
        self._marks = (LateHours(dynamodb, table), LateHours(dynamodb, table, kind=REMADE))

    async def read(
        self,
        project_id: str,
        from_hour: int,
        until_hour: int,
        *,
        by: Level,
        user_id: str | None = None,
        born_hour: int | None = None,
    ) -> AsyncGenerator[tuple[int, Rows], None]:
        """Yield an hour (since the epoch) and the use from it on: of that hour, or `by` the day of the whole day.

        Rows may come in parts; with a user only that user's are wanted, and others may come too. Before
        `born_hour`, when the project was created, there is nothing unless rollups say so. Raises StoreUnavailable.
        """
        # Before any totals: a mark that is gone by now was taken away after they were written.
        progress, stale = await asyncio.gather(self._progress.of_project(project_id), self._stale(project_id))
        if born_hour is not None:
            oldest = born_hour if progress is None else min(born_hour, progress.since_hour)
            from_hour = min(max(from_hour, oldest), until_hour)
        plan = _plan(progress, stale, from_hour, until_hour, by)
        shards = range(SHARDS) if user_id is None else [shard_of(project_id, user_id)]
        partitions = [RecordPartition(project_id, hour, shard) for hour in plan.live for shard in shards]
        days, hours, known = await asyncio.gather(
            self._made(project_id, "day", plan.days),
            self._made(project_id, "hour", plan.hours),
            self._known(project_id, partitions),
        )
        for totals in days:
            yield totals.period * HOURS_OF["day"], totals.rows
        for totals in hours:
            yield totals.period, totals.rows
        for partition, rows in known.items():
            yield partition.hour, rows
        rest = [partition for partition in partitions if partition not in known]
        if rest:
            reading = self._rollups.read_partitions(project_id, rest, user_id=user_id)
            async with aclosing(reading) as rollups:
                async for rollup in rollups:
                    yield rollup.partition.hour, rows_of([rollup])[0]

    async def _known(
        self, project_id: str, partitions: Sequence[RecordPartition]
    ) -> dict[RecordPartition, Rows]:
        """Return the use of those open partitions that the reconciler has added up but for their newest records."""
        now_hour = self._clock.now_ms() // 3_600_000
        recent = [partition for partition in partitions if partition.hour > now_hour - OPEN_HOURS]
        if not recent:
            return {}
        written = await self._open.read(project_id, recent[0].hour, recent[-1].hour + 1)
        looked_at = [written[partition] for partition in recent if partition in written]
        found = await asyncio.gather(*(self._completed(totals) for totals in looked_at))
        return {
            totals.partition: rows for totals, rows in zip(looked_at, found, strict=True) if rows is not None
        }

    async def _completed(self, totals: OpenTotals) -> Rows | None:
        """Return the rows of a partition, those of its newest records included; None where others came late."""
        if totals.is_of_all:
            return totals.rows if await self._open.are_complete(totals) else None
        are_complete, newest = await asyncio.gather(
            self._open.are_complete(totals),
            tally_records(self._usage, totals.partition, after=totals.before),
        )
        if not are_complete:
            return None
        rows = dict(totals.rows)
        for key, numbers in rows_of(newest.tally.rollups())[0].items():
            rows[key] = added(rows.get(key, NOTHING), numbers)
        return rows

    async def _stale(self, project_id: str) -> frozenset[int]:
        found = await asyncio.gather(
            *(marks.of_project(project_id, shard) for marks in self._marks for shard in range(SHARDS))
        )
        return frozenset(partition.hour for marks in found for partition in marks)

    async def _made(self, project_id: str, level: Level, periods: list[int]) -> list[PeriodTotals]:
        found = await asyncio.gather(
            *(self._totals.read(project_id, level, first, end) for first, end in _runs(periods))
        )
        return [part for run in found for parts in run.values() for part in parts]


class _Plan(Struct, frozen=True):
    """Which days and hours are read as totals, and which hours are live."""

    days: list[int]
    hours: list[int]
    live: list[int]


def _plan(
    progress: RollupProgress | None, stale: frozenset[int], from_hour: int, until_hour: int, by: Level
) -> _Plan:
    if progress is None:
        return _Plan([], [], list(range(from_hour, until_hour)))
    made_from = min(max(from_hour, progress.since_hour), until_hour)
    made_until = max(made_from, min(until_hour, progress.open_from // SHARDS))
    stale_days = {hour // 24 for hour in stale}
    whole = range(-(-made_from // 24), made_until // 24) if by == "day" else range(0)
    days = [day for day in whole if day not in stale_days]
    in_days = set(days)
    rest = [hour for hour in range(from_hour, until_hour) if hour // 24 not in in_days]
    hours = [hour for hour in rest if made_from <= hour < made_until and hour not in stale]
    made = set(hours)
    return _Plan(days, hours, [hour for hour in rest if hour not in made])


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Return ascending numbers as stretches: the first, and the one after the last."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number:
            runs[-1] = (runs[-1][0], number + 1)
        else:
            runs.append((number, number + 1))
    return runs
