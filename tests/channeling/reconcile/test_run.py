"""A run puts budgets right and says so; it comes again by itself where nothing calls it, also after a failure."""

import asyncio
import logging

import pytest

from channeling.budgets.item import Adjustment, BudgetKey
from channeling.dynamodb import DynamoDB
from channeling.errors import StoreUnavailable
from channeling.reconcile.hourly_rollups import hourly_rollups
from channeling.reconcile.run import reconcile, reconcile_every
from channeling.settings import Settings
from channeling.tables import TableNames
from channeling.usage.late_hours import LateHours
from channeling.usage.record import SHARDS
from channeling.usage.rollup_reader import RollupReader
from simulation.rollup_invariant import rollup_violations
from tests.channeling.budgets.conftest import NOON_S, Protocol
from tests.channeling.budgets.conftest import protocol as protocol
from tests.channeling.reconcile.watched_dynamodb import WatchedDynamoDB

NO_DEADLINE_MS = 10**15


async def project_from(dynamodb: DynamoDB, tables: TableNames, created_s: int) -> None:
    """Say when the project began, so that no older hours are looked at."""
    item = {"pk": "demo", "sk": "project", "created_at_ms": created_s * 1000}
    await dynamodb.put(tables.projects, item)


async def test_a_run_ends_holds_finishes_adjustments_and_adds_up_usage(
    protocol: Protocol, dynamodb: DynamoDB, tables: TableNames
) -> None:
    settings = Settings(tables, max_request_s=600)
    await project_from(dynamodb, tables, NOON_S)
    held = await protocol.held(100)
    adjustment = Adjustment(
        protocol.ask().hold_id, 25, held.hold.window_start_s, "adjustment", "operator", "a gift taken back"
    )
    await protocol.budgets.intend_adjustment(BudgetKey("demo", "user-1", "day"), adjustment)
    protocol.clock.now_s = NOON_S + settings.hold_lifetime_s + 1
    report = await reconcile(dynamodb, settings, protocol.clock, NO_DEADLINE_MS)
    assert report == {
        "budgets_read": 1,
        "adjustments_finished": 1,
        "holds_ended": 1,
        "budgets_failed": 0,
        "budgets_left": False,
        "partitions_rolled_up": SHARDS,
        "rollups_written": 1,
        "rollups_failed": 0,
        "rollups_left": False,
        "records_unreadable": 0,
    }
    item = await protocol.item()
    assert item.window is not None
    assert (item.window.settled, item.window.holds, item.adjustment) == (125, {}, None)
    await protocol.assert_books_balance()
    reader = RollupReader(dynamodb, tables.usage, protocol.clock)
    [rollup] = [found async for found in reader.read("demo", NOON_S // 3_600, NOON_S // 3_600 + 1)]
    records = await protocol.usage.of_user("demo", "user-1")
    settled = {("demo", "user-1", "day", held.hold.window_start_s): 125}
    assert rollup_violations(records, [rollup], settled) == []


async def test_what_was_left_behind_for_hours_is_recorded_late_and_rolled_up_by_the_same_run(
    protocol: Protocol, dynamodb: DynamoDB, tables: TableNames
) -> None:
    """A hold and an order, whose hours were final when they were found; reclaimed by a run, or by a request."""
    settings, noon_hour = Settings(tables), NOON_S // 3_600
    await project_from(dynamodb, tables, NOON_S)
    for user in ("ana", "ben"):
        await protocol.held(100, protocol.ask(user=user))
    window = (await protocol.item(user="ana")).window
    assert window is not None
    order = Adjustment(
        protocol.ask().hold_id, 25, window.start_s, "adjustment", "operator", "a gift taken back"
    )
    await protocol.budgets.intend_adjustment(BudgetKey("demo", "ana", "day"), order)
    protocol.clock.now_s = NOON_S + 4 * 3_600
    rollups = hourly_rollups(dynamodb, tables, protocol.clock)
    assert (await rollups.run(NO_DEADLINE_MS, {"demo"})).written == 0
    reader = RollupReader(dynamodb, tables.usage, protocol.clock)

    async def differences() -> list[str]:
        records = [record for user in ("ana", "ben") for record in await protocol.usage.of_user("demo", user)]
        found = [rollup async for rollup in reader.read("demo", noon_hour, noon_hour + 5)]
        settled = {}
        for user in ("ana", "ben"):
            item = await protocol.item(user=user)
            assert item.window is not None
            settled["demo", user, "day", item.window.start_s] = item.window.settled
        return rollup_violations(records, found, settled)

    await protocol.held(10, protocol.ask(user="ben"))  # finds the expired hold, and ends it
    assert await differences() == []
    assert (await reconcile(dynamodb, settings, protocol.clock, NO_DEADLINE_MS))["rollups_written"] == 2
    assert await differences() == []
    assert await LateHours(dynamodb, tables.usage).of_all_projects() == {}


async def test_a_run_without_time_says_that_something_is_left(
    protocol: Protocol, dynamodb: DynamoDB, tables: TableNames
) -> None:
    report = await reconcile(dynamodb, Settings(tables), protocol.clock, protocol.clock.now_ms())
    assert (report["budgets_read"], report["budgets_left"]) == (0, True)


async def test_runs_go_on_after_one_that_failed(
    protocol: Protocol, dynamodb: DynamoDB, tables: TableNames, caplog: pytest.LogCaptureFixture
) -> None:
    await project_from(dynamodb, tables, NOON_S)
    await protocol.held(100)
    protocol.clock.now_s = NOON_S + 961
    ended = asyncio.Event()
    scans = 0

    async def fail_once(_: int, operation: str) -> None:
        nonlocal scans
        if operation == "scan":
            scans += 1
            if scans == 1:
                raise StoreUnavailable("the budget store did not answer")
            if scans == 3:
                ended.set()

    watched = WatchedDynamoDB(dynamodb, fail_once)
    with caplog.at_level(logging.ERROR):
        running = asyncio.create_task(reconcile_every(0.001, watched, Settings(tables), protocol.clock))
        await ended.wait()
        running.cancel()
        await asyncio.wait([running])
    assert running.cancelled()
    assert [record.message for record in caplog.records] == ["reconciling failed; it is tried again"]
    item = await protocol.item()
    assert item.window is not None
    assert item.window.holds == {}
