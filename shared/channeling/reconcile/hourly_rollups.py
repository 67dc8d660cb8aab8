"""The rollups of every project's hours: open ones in each run, a last time when they end, again after late records.

An hour is final once its rollups were made after the last moment at which a record is written into it without a
mark. Until then each run makes them anew, whether or not the runs before it came. Two runs at once do no harm: a
rollup of more records replaces one of fewer, never the other way round.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct

from channeling.budgets.hold_id import new_hold_id
from channeling.clock import Clock
from channeling.dynamodb import DynamoDB
from channeling.errors import StoreUnavailable
from channeling.reconcile.checkpoint import Checkpoint
from channeling.reconcile.project_age import ProjectAge
from channeling.tables import TableNames
from channeling.usage.late_hours import REMADE, LateHours, late_from_s
from channeling.usage.open_totals import AFTER_EVERY_KEY, OPEN_HOURS, OpenTotals, OpenTotalsStore
from channeling.usage.record import RETENTION_S, SHARDS, RecordPartition
from channeling.usage.rollup_progress import RollupProgress, RollupProgressStore, partition_at
from channeling.usage.rollup_store import RollupStore, Tallied, tally_records
from channeling.usage.store import UsageStore
from channeling.usage.totals import rows_of

PROJECTS_AT_ONCE = 8
# How much later than the last timely write an hour is final: clocks differ, and a write may be on its way.
MARGIN_S = 300
# How long ago requests began that have ended by now, but for a few.
SETTLED_AFTER_S = 180

_log = logging.getLogger(__name__)


class RolledUp(Struct):
    """What a run did, and whether it stopped before all was done."""

    partitions: int = 0
    written: int = 0
    unreadable: int = 0
    failed: int = 0
    left: bool = False


class _OutOfTime(Exception):
    """The deadline has come: a partition that is half done is begun again by the next run."""


class HourlyRollups(Struct, frozen=True):
    """Makes rollups until a deadline; the next run begins with the projects that this one did not come to."""

    usage: UsageStore
    rollups: RollupStore
    open_totals: OpenTotalsStore
    late_hours: LateHours
    remade: LateHours
    progress: RollupProgressStore
    project_age: ProjectAge
    checkpoint: Checkpoint
    clock: Clock

    async def run(self, deadline_ms: int, seen_projects: Collection[str]) -> RolledUp:
        """Make what is due of all known projects, those just seen included; raise StoreUnavailable."""
        done = RolledUp()
        last = await self.checkpoint.read()
        if self._is_over(deadline_ms):
            done.left = True
            return done
        late = await self.late_hours.of_all_projects()
        begun = await self._begun({*seen_projects, *(partition.project_id for partition in late)})
        after = str(last["project"]) if last and "project" in last else ""
        order = sorted(begun, key=lambda project_id: (project_id <= after, project_id))
        for start in range(0, len(order), PROJECTS_AT_ONCE):
            if self._is_over(deadline_ms):
                done.left = True
                break
            some = order[start : start + PROJECTS_AT_ONCE]
            await self._projects([begun[project_id] for project_id in some], late, deadline_ms, done)
            after = some[-1]
        await self.checkpoint.write({"project": after} if done.left else None)
        return done

    async def _begun(self, seen: Collection[str]) -> dict[str, RollupProgress]:
        begun = await self.progress.of_all_projects()
        for project_id in sorted(set(seen) - begun.keys()):
            since_hour = await self.project_age.first_hour(project_id)
            begun[project_id] = await self.progress.begin(project_id, since_hour)
        return begun

    async def _projects(
        self,
        some: Sequence[RollupProgress],
        late: Mapping[RecordPartition, int],
        deadline_ms: int,
        done: RolledUp,
    ) -> None:
        outcomes = await asyncio.gather(
            *(self._project(progress, late, deadline_ms, done) for progress in some), return_exceptions=True
        )
        refused = 0
        for progress, outcome in zip(some, outcomes, strict=True):
            match outcome:
                case None:
                    pass
                case _OutOfTime():
                    done.left = True
                case StoreUnavailable():
                    refused += 1
                    done.failed += 1
                    _log.error(
                        "the rollups of a project could not be made",
                        exc_info=outcome,
                        extra={"fields": {"project": progress.project_id}},
                    )
                case _:
                    raise outcome
        # One that the store refuses is that project's trouble; all of them are the store's.
        if refused == len(some):
            raise StoreUnavailable("the rollups could not be made: the store did not answer")

    async def _project(
        self, progress: RollupProgress, late: Mapping[RecordPartition, int], deadline_ms: int, done: RolledUp
    ) -> None:
        def check_time() -> None:
            if self._is_over(deadline_ms):
                raise _OutOfTime

        for partition in sorted(
            partition for partition in late if partition.project_id == progress.project_id
        ):
            if await self._partition(partition, check_time, done):
                await self.remade.mark(partition)
                await self.late_hours.clear(partition, late[partition])
        now_hour = self.clock.now_ms() // 3_600_000
        open_from = max(progress.open_from, (now_hour - RETENTION_S // 3_600) * SHARDS)
        first_open = max(open_from // SHARDS, now_hour - OPEN_HOURS + 1)
        written = await self.open_totals.read(progress.project_id, first_open, now_hour + 1)
        try:
            for place in range(open_from, (now_hour + 1) * SHARDS):
                partition, begun_s = partition_at(progress.project_id, place), self.clock.now_ms() // 1000
                made = await self._partition(partition, check_time, done, written=written)
                if made and place == open_from and begun_s >= late_from_s(partition.hour) + MARGIN_S:
                    open_from += 1
                    if open_from % SHARDS == 0:
                        await self.progress.advance(progress.project_id, open_from)
        except _OutOfTime:
            await self.progress.advance(progress.project_id, open_from)
            raise

    async def _partition(
        self,
        partition: RecordPartition,
        check_time: Callable[[], None],
        done: RolledUp,
        *,
        written: Mapping[RecordPartition, OpenTotals] | None = None,
    ) -> bool:
        now_s = self.clock.now_ms() // 1_000
        before = _settled_before(partition, now_s) if written is not None else None
        try:
            tallied = await tally_records(self.usage, partition, check_time, before=before)
            done.written += await self.rollups.write(partition, tallied.tally.rollups(), check_time)
            if written is not None and before is not None:
                await self._write_open(partition, before, tallied, written.get(partition), now_s)
        except (_OutOfTime, StoreUnavailable):
            raise
        except Exception:
            done.failed += 1
            _log.exception("the rollups of an hour could not be made", extra={"fields": {"pk": partition.pk}})
            return False
        done.partitions += 1
        done.unreadable += tallied.unreadable
        return True

    async def _write_open(
        self,
        partition: RecordPartition,
        before: str,
        tallied: Tallied,
        standing: OpenTotals | None,
        now_s: int,
    ) -> None:
        is_open = partition.hour > now_s // 3_600 - OPEN_HOURS
        is_written = standing is not None and (standing.before, standing.records) == (
            before,
            tallied.early_items,
        )
        if is_open and tallied.early_items and not is_written:
            rows, _ = rows_of(tallied.early.rollups())
            await self.open_totals.write(OpenTotals(partition, before, tallied.early_items, rows))

    def _is_over(self, deadline_ms: int) -> bool:
        return self.clock.now_ms() >= deadline_ms


def _settled_before(partition: RecordPartition, now_s: int) -> str:
    """Return the sort key up to which a run at this time has seen all records of a partition, but for a few."""
    settled_s = now_s - SETTLED_AFTER_S
    if settled_s >= (partition.hour + 1) * 3_600:
        return AFTER_EVERY_KEY
    return new_hold_id(max(settled_s, partition.hour * 3_600), bytes)


def hourly_rollups(dynamodb: DynamoDB, tables: TableNames, clock: Clock) -> HourlyRollups:
    """Return what makes the rollups of a deployment."""
    return HourlyRollups(
        usage=UsageStore(dynamodb, tables.usage, clock),
        rollups=RollupStore(dynamodb, tables.usage),
        open_totals=OpenTotalsStore(dynamodb, tables.usage),
        late_hours=LateHours(dynamodb, tables.usage),
        remade=LateHours(dynamodb, tables.usage, kind=REMADE),
        progress=RollupProgressStore(dynamodb, tables.usage),
        project_age=ProjectAge(dynamodb, tables.projects, clock),
        checkpoint=Checkpoint(dynamodb, tables.usage, "rollups"),
        clock=clock,
    )
