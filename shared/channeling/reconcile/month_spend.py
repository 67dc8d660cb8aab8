"""What each project with a spend cap has spent this calendar month, added up and written beside its rules.

Hours that are final are added once a day and then kept as one sum; those since are read each time. A late record in
an hour that was added already begins the month anew.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import aclosing

from msgspec import Struct

from channeling.alert_door import AlertDoor
from channeling.budgets.windows import Window, tile
from channeling.clock import Clock
from channeling.dynamodb import DynamoDB
from channeling.errors import StoreUnavailable
from channeling.projects.cap_alert import CapAlert
from channeling.projects.month_spend import MonthSpend
from channeling.projects.store import ProjectStore
from channeling.tables import TableNames
from channeling.usage.late_hours import LateHours
from channeling.usage.record import SHARDS
from channeling.usage.rollup import Rollup
from channeling.usage.rollup_reader import RollupReader

_HOUR_S, _DAY_MS = 3_600, 86_400_000
# An hour is final an hour after its end, and some minutes for clocks that differ (`hourly_rollups`).
_OPEN_HOURS = 2

_log = logging.getLogger(__name__)


class MonthSpends(Struct, frozen=True):
    """Adds up the months of projects that have a cap."""

    projects: ProjectStore
    rollups: RollupReader
    late_hours: LateHours
    alerts: AlertDoor
    clock: Clock

    async def run(self, deadline_ms: int) -> int:
        """Write the sums of capped projects until the deadline; return of how many. One that fails is logged."""
        written = 0
        for project_id, rules in (await self.projects.list_rules()).items():
            if rules.monthly_cap_microusd is None:
                continue
            if self.clock.now_ms() >= deadline_ms:
                break
            try:
                await self._add_up(project_id)
            except StoreUnavailable as error:
                _log.error("the month of project %s cannot be added up: %s", project_id, error.message)
            else:
                written += 1
        return written

    async def _add_up(self, project_id: str) -> None:
        stored = await self.projects.read(project_id)
        if stored is None:
            return
        now_ms = self.clock.now_ms()
        month = tile("month", 0, now_ms // 1_000)
        before = stored.month_spend
        counted_until, counted = await self._counted(project_id, before, month, now_ms)
        now_hour = now_ms // 1_000 // _HOUR_S
        final_until = max(counted_until, now_hour - _OPEN_HOURS)
        counted += await self._spent(project_id, counted_until, final_until)
        last_hour = min(now_hour + 1, month.end_s // _HOUR_S)
        total = counted + await self._spent(project_id, final_until, last_hour)
        spend = MonthSpend(month.start_s, month.end_s, total, now_ms, final_until, counted)
        await self.projects.write_month_spend(project_id, spend)
        cap = stored.rules.monthly_cap_microusd
        now_s = now_ms / 1_000
        if cap is not None and spend.reaches(cap, now_s):
            alert = CapAlert(project_id, month.start_s, month.end_s, cap * 1_000, total)
            # Written down first: of two runs at once one tells of it.
            if await self.projects.mark_told(alert):
                await self.alerts.tell([alert])

    async def _counted(
        self, project_id: str, before: MonthSpend | None, month: Window, now_ms: int
    ) -> tuple[int, int]:
        """Return from which hour on is to be added, and what was before it."""
        first_hour = month.start_s // _HOUR_S
        if (
            before is None
            or before.start_s != month.start_s
            or before.as_of_ms // _DAY_MS != now_ms // _DAY_MS
        ):
            return first_hour, 0
        marks = await asyncio.gather(
            *(self.late_hours.of_project(project_id, shard) for shard in range(SHARDS))
        )
        late = {partition.hour for shard_marks in marks for partition in shard_marks}
        if any(first_hour <= hour < before.counted_until_hour for hour in late):
            return first_hour, 0
        return before.counted_until_hour, before.counted_nanousd

    async def _spent(self, project_id: str, from_hour: int, until_hour: int) -> int:
        total = 0
        async with aclosing(self.rollups.read(project_id, from_hour, until_hour)) as rollups:
            async for rollup in rollups:
                total += spent_in([rollup])
        return total


def spent_in(rollups: Iterable[Rollup]) -> int:
    """Return what requests cost the project, nanodollars: what budgets were charged and what was billed beyond.

    What an operator gave back to a user was spent all the same.
    """
    return sum(
        rollup.cost_by_kind.get("request", 0) + rollup.cost_by_kind.get("correction", 0) + rollup.uncollected
        for rollup in rollups
    )


def month_spends(dynamodb: DynamoDB, tables: TableNames, clock: Clock, alerts: AlertDoor) -> MonthSpends:
    """Return what adds up the months of a deployment."""
    return MonthSpends(
        ProjectStore(dynamodb, tables.projects),
        RollupReader(dynamodb, tables.usage, clock),
        LateHours(dynamodb, tables.usage),
        alerts,
        clock,
    )
