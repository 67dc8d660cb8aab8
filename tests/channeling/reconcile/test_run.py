"""A run puts budgets right and says so; it comes again by itself where nothing calls it, also after a failure."""

import asyncio
import logging

import pytest

from channeling.budgets.item import Adjustment, BudgetKey
from channeling.dynamodb import DynamoDB
from channeling.errors import StoreUnavailable
from channeling.reconcile.run import reconcile, reconcile_every
from channeling.settings import Settings
from channeling.tables import TableNames
from tests.channeling.budgets.conftest import NOON_S, Protocol
from tests.channeling.budgets.conftest import protocol as protocol
from tests.channeling.reconcile.watched_dynamodb import WatchedDynamoDB

NO_DEADLINE_MS = 10**15


async def test_a_run_ends_holds_and_finishes_adjustments(
    protocol: Protocol, dynamodb: DynamoDB, tables: TableNames
) -> None:
    settings = Settings(tables, max_request_s=600)
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
    }
    item = await protocol.item()
    assert item.window is not None
    assert (item.window.settled, item.window.holds, item.adjustment) == (125, {}, None)
    await protocol.assert_books_balance()


async def test_a_run_without_time_says_that_something_is_left(
    protocol: Protocol, dynamodb: DynamoDB, tables: TableNames
) -> None:
    report = await reconcile(dynamodb, Settings(tables), protocol.clock, protocol.clock.now_ms())
    assert (report["budgets_read"], report["budgets_left"]) == (0, True)


async def test_runs_go_on_after_one_that_failed(
    protocol: Protocol, dynamodb: DynamoDB, tables: TableNames, caplog: pytest.LogCaptureFixture
) -> None:
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
