"""A deployment's usage and the runs that roll it up, with a clock that stands still: to try rollups with."""

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from channeling.budgets.hold_id import new_hold_id
from channeling.dynamodb import DynamoDB
from channeling.reconcile.hourly_rollups import RolledUp, hourly_rollups
from channeling.tables import TableNames
from channeling.usage.late_hours import LateHours
from channeling.usage.record import (
    SHARDS,
    RecordPartition,
    UsageRecord,
    is_record_item,
    record_key,
    shard_of,
    usage_record,
)
from channeling.usage.rollup import Rollup, rollup_item
from channeling.usage.rollup_reader import RollupReader
from channeling.usage.rollup_store import RollupStore
from channeling.usage.store import UsageStore
from channeling.usage.token_counts import TokenCounts
from simulation.rollup_invariant import WindowKey, rollup_violations
from tests.channeling.reconcile.watched_dynamodb import WatchedDynamoDB
from tests.stand_ins.clock import SetClock

NOON_HOUR = 498_900
NO_DEADLINE_MS = 10**15
_numbers = itertools.count(1)


@dataclass
class RolledUpHours:
    """Records and their rollups. It is noon, half past, unless a test moves the clock."""

    dynamodb: DynamoDB
    tables: TableNames
    clock: SetClock = field(default_factory=lambda: SetClock(NOON_HOUR * 3_600 + 1_800))

    @property
    def usage(self) -> UsageStore:
        """The records, seen through the clock of this moment."""
        return UsageStore(self.dynamodb, self.tables.usage, self.clock)

    def watched(self, before: Callable[[int, str], Awaitable[None]]) -> "RolledUpHours":
        """Return the same deployment with something that comes before each call of the store."""
        return RolledUpHours(WatchedDynamoDB(self.dynamodb, before), self.tables, self.clock)

    async def marks(self) -> dict[RecordPartition, int]:
        """Return the marks of late hours."""
        return await LateHours(self.dynamodb, self.tables.usage).of_all_projects()

    def go_to(self, hour: int, second: int = 0) -> None:
        """Set the clock to so many hours after noon."""
        self.clock.now_s = (NOON_HOUR + hour) * 3_600 + second

    async def add_project(self, project_id: str = "demo", *, created_hour: int = 0) -> None:
        """Write as much of a project as says when it began."""
        item = {"pk": project_id, "sk": "project", "created_at_ms": (NOON_HOUR + created_hour) * 3_600_000}
        await self.dynamodb.put(self.tables.projects, item)

    def record(
        self, hour: int = 0, *, user: str = "ana", project: str = "demo", **values: Any
    ) -> UsageRecord:
        """Return the record of a request that began so many hours after noon."""
        started_s = (NOON_HOUR + hour) * 3_600
        hold_id = new_hold_id(started_s, lambda count: next(_numbers).to_bytes(count))
        given: dict[str, Any] = {
            "window_kind": "day",
            "window_start_s": NOON_HOUR * 3_600,
            "status": "ok",
            "cost": 100,
            "provider": "anthropic",
            "model_asked": "claude-haiku-4-5",
            "counts": TokenCounts(input_tokens=7, output_tokens=3),
        } | values
        return UsageRecord(
            key=record_key(project, user, given["window_kind"], hold_id, started_s),
            project_id=project,
            user_id=user,
            started_ms=started_s * 1000,
            request_id="req_1",
            **given,
        )

    async def put(self, hour: int = 0, **values: Any) -> UsageRecord:
        """Put such a record, now."""
        return await self.usage.put(self.record(hour, **values))

    async def run(
        self,
        seen: tuple[str, ...] = ("demo",),
        *,
        deadline_ms: int = NO_DEADLINE_MS,
        before: Callable[[int, str], Awaitable[None]] | None = None,
    ) -> RolledUp:
        """Make the rollups as a run of the reconciler does that has seen budgets of these projects."""
        store = self.dynamodb if before is None else WatchedDynamoDB(self.dynamodb, before)
        return await hourly_rollups(store, self.tables, self.clock).run(deadline_ms, seen)

    async def read(
        self, from_hour: int, until_hour: int, *, project: str = "demo", user: str | None = None
    ) -> list[Rollup]:
        """Read as a report does, hours counted from noon."""
        reader = RollupReader(self.dynamodb, self.tables.usage, self.clock)
        found = reader.read(project, NOON_HOUR + from_hour, NOON_HOUR + until_hour, user_id=user)
        return [rollup async for rollup in found]

    async def distort(self, rollup: Rollup) -> None:
        """Write something wrong over a rollup: 999 nanodollars uncollected."""
        await self.dynamodb.put(self.tables.usage, rollup_item(replace(rollup, uncollected=999)))

    async def stored(self, hour: int = 0, *, project: str = "demo") -> list[Rollup]:
        """Return the rollups that stand for an hour, whatever their state."""
        store = RollupStore(self.dynamodb, self.tables.usage)
        partitions = [RecordPartition(project, NOON_HOUR + hour, shard) for shard in range(SHARDS)]
        return [rollup for partition in partitions for rollup in await store.read(partition)]

    async def records(self, hours: range, *, project: str = "demo") -> list[UsageRecord]:
        """Return the records that stand in these hours."""
        partitions = [
            RecordPartition(project, NOON_HOUR + hour, shard) for hour in hours for shard in range(SHARDS)
        ]
        items = [
            item
            for partition in partitions
            for item in await self.dynamodb.query(self.tables.usage, ("pk", partition.pk))
        ]
        return [usage_record(item) for item in items if is_record_item(item)]

    async def assert_stored_adds_up(
        self, *hours: int, project: str = "demo", settled: dict[WindowKey, int] | None = None
    ) -> None:
        """The rollups that stand for these hours are the sums of their records."""
        for hour in hours:
            records = await self.records(range(hour, hour + 1), project=project)
            rollups = await self.stored(hour, project=project)
            assert rollup_violations(records, rollups, settled or {}) == []

    async def assert_read_adds_up(self, from_hour: int, until_hour: int, *, project: str = "demo") -> None:
        """What a report reads is the sum of the records."""
        records = await self.records(range(from_hour, until_hour), project=project)
        rollups = await self.read(from_hour, until_hour, project=project)
        assert rollup_violations(records, rollups, {}) == []

    def partition(self, hour: int = 0, *, user: str = "ana", project: str = "demo") -> RecordPartition:
        """Return where a user's records of an hour lie."""
        return RecordPartition(project, NOON_HOUR + hour, shard_of(project, user))
