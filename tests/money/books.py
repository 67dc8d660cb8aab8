"""The closing of the books: whatever raced, sum of rollups = sum of records = settled, and nothing is held."""

import asyncio
from dataclasses import dataclass

import pytest

from channeling.dynamodb import DynamoDB, Item
from channeling.projects.project_items import PROJECT_SORT_KEY
from channeling.reconcile.run import reconcile
from channeling.settings import Settings
from channeling.tables import TableNames
from channeling.usage.record import UsageRecord, is_record_item, usage_record
from channeling.usage.rollup import Rollup, rollup_from_item
from simulation.rollup_invariant import WindowKey, rollup_violations
from tests.channeling.budgets.conftest import NOON_S, Protocol

_NO_DEADLINE_MS = 10**15


@dataclass
class Books:
    """All that a race has left in the tables of a test."""

    protocol: Protocol
    dynamodb: DynamoDB
    tables: TableNames

    def settled(self, *users: str) -> list[int]:
        """Reconcile; return what is then settled of these users' day, once all that was written adds up.

        committed = settled + holds, no hold is left, settled = sum of records in both windows of every user, and
        the rollups of every hour are the sums of its records.
        """
        return asyncio.run(self._settled(users or ("user-1",)))

    async def _settled(self, users: tuple[str, ...]) -> list[int]:
        # Rollups begin with the hour that a project was created in: this one, so that few are to be looked at.
        project: Item = {"pk": "demo", "sk": PROJECT_SORT_KEY, "created_at_ms": (NOON_S - 3_600) * 1000}
        await self.dynamodb.put(self.tables.projects, project)
        settings = Settings(tables=self.tables)
        report = await reconcile(self.dynamodb, settings, self.protocol.clock, _NO_DEADLINE_MS)
        assert (report["budgets_failed"], report["budgets_left"]) == (0, False)
        assert (report["rollups_failed"], report["rollups_left"]) == (0, False)
        settled: dict[WindowKey, int] = {}
        current: list[int] = []
        for user in users:
            item = await self.protocol.item(user=user)
            assert item.window is not None
            assert item.adjustment is None
            for window in (item.window, item.previous):
                if window is not None:
                    assert window.holds == {}
                    assert window.committed == window.settled
                    settled["demo", user, "day", window.start_s] = window.settled
            current.append(item.window.settled)
        records, rollups = await self._written()
        assert {record.user_id for record in records} == set(users), "some user's books are not looked at"
        assert rollup_violations(records, rollups, settled) == []
        return current

    async def _written(self) -> tuple[list[UsageRecord], list[Rollup]]:
        records, rollups, last_key = [], [], None
        while True:
            page = await self.dynamodb.scan_page(self.tables.usage, after=last_key, limit=500)
            for item in page.items:
                if is_record_item(item):
                    records.append(usage_record(item))
                elif "#rollup#" in str(item["pk"]):
                    rollups.append(rollup_from_item(item))
            last_key = page.last_key
            if last_key is None:
                return records, rollups


@pytest.fixture
def books(protocol: Protocol, dynamodb: DynamoDB, tables: TableNames) -> Books:
    """The books of the protocol's tables."""
    return Books(protocol, dynamodb, tables)
