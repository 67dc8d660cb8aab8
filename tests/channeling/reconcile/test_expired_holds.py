"""The walk over the budgets ends every expired hold once: cut off, crashed, or run twice at once, at any step."""

import asyncio
import logging
from dataclasses import dataclass

import pytest

from channeling.budgets.store import BudgetStore
from channeling.dynamodb import DynamoDB
from channeling.errors import StoreUnavailable
from channeling.reconcile.budget_walk import MAX_FAILURES_IN_A_ROW, BudgetWalk, Walked
from channeling.reconcile.checkpoint import Checkpoint
from channeling.reconcile.expired_holds import end_expired_holds
from channeling.tables import TableNames
from channeling.usage.store import UsageStore
from tests.channeling.budgets.conftest import HOLD_LIFETIME_S, NOON_S, Protocol
from tests.channeling.budgets.conftest import protocol as protocol
from tests.channeling.reconcile.watched_dynamodb import WatchedDynamoDB

NO_DEADLINE_MS = 10**15
# The checkpoint read, then for each of two budgets: its page, the item, its record, its settle, the checkpoint.
CALLS_OF_TWO = 11


class Crash(BaseException):
    """The process dies: nothing catches it."""


@dataclass
class Books:
    """Budgets with holds in them, and walks over them."""

    protocol: Protocol
    dynamodb: DynamoDB
    tables: TableNames

    def walk(self, dynamodb: DynamoDB | None = None, *, page_items: int = 2) -> BudgetWalk:
        store = dynamodb or self.dynamodb
        step = end_expired_holds(
            BudgetStore(store, self.tables.budgets),
            UsageStore(store, self.tables.usage, self.protocol.clock),
            HOLD_LIFETIME_S,
        )
        checkpoint = Checkpoint(store, self.tables.usage, "expired-holds")
        return BudgetWalk(store, self.tables.budgets, checkpoint, [step], self.protocol.clock, page_items)

    async def lap(self) -> Walked:
        """Walk until the table's end, as the runs after a broken one do."""
        while not (walked := await self.walk().run(NO_DEADLINE_MS)).at_end:
            pass
        return walked

    async def leave_behind(self, users: int, holds: int = 1) -> None:
        """Holds of requests that died, each of 100; their time is up afterwards."""
        for user in range(users):
            for _ in range(holds):
                await self.protocol.held(100, self.protocol.ask(user=f"user-{user}"))
        self.protocol.clock.now_s = NOON_S + HOLD_LIFETIME_S + 1

    async def assert_all_ended(self, users: int, holds: int = 1) -> None:
        for user in (f"user-{number}" for number in range(users)):
            item = await self.protocol.item(user=user)
            assert item.window is not None
            assert (item.window.holds, item.window.settled) == ({}, 100 * holds)
            records = await self.protocol.usage.of_user("demo", user)
            assert [(record.status, record.cost) for record in records] == [("reclaimed", 100)] * holds
            await self.protocol.assert_books_balance(user=user)


@pytest.fixture
def books(protocol: Protocol, dynamodb: DynamoDB, tables: TableNames) -> Books:
    return Books(protocol, dynamodb, tables)


async def test_expired_holds_of_every_user_are_ended_and_live_ones_stay(books: Books) -> None:
    await books.leave_behind(users=5, holds=2)
    live = await books.protocol.held(70, books.protocol.ask(user="alive"))
    walked = await books.walk().run(NO_DEADLINE_MS)
    assert (walked.items, walked.done, walked.failed, walked.at_end) == (6, {"holds_ended": 10}, 0, True)
    await books.assert_all_ended(users=5, holds=2)
    item = await books.protocol.item(user="alive")
    assert item.window is not None
    assert item.window.holds == {live.hold.hold_id: 70}
    again = await books.walk().run(NO_DEADLINE_MS)
    assert (again.items, again.done) == (6, {"holds_ended": 0})


async def test_a_hold_is_left_alone_until_its_lifetime_is_over(books: Books) -> None:
    await books.leave_behind(users=1)
    books.protocol.clock.now_s = NOON_S + HOLD_LIFETIME_S
    assert (await books.walk().run(NO_DEADLINE_MS)).done == {"holds_ended": 0}
    books.protocol.clock.now_s += 1
    assert (await books.walk().run(NO_DEADLINE_MS)).done == {"holds_ended": 1}


async def test_a_hold_of_the_window_before_is_ended_in_that_window(books: Books) -> None:
    clock, window_start_s = books.protocol.clock, NOON_S - 3_600 + 60
    ask = books.protocol.ask(kind="hour", window_start_s=window_start_s)
    await books.protocol.held(100, ask)
    clock.now_s = NOON_S + 61
    await books.protocol.held(30, books.protocol.ask(kind="hour", window_start_s=window_start_s))
    clock.now_s = NOON_S + HOLD_LIFETIME_S + 1
    assert (await books.walk().run(NO_DEADLINE_MS)).done == {"holds_ended": 1}
    item = await books.protocol.item("hour")
    assert item.previous is not None
    assert item.window is not None
    assert (item.previous.holds, item.previous.settled) == ({}, 100)
    assert (item.window.settled, item.window.held) == (0, 30)
    await books.protocol.assert_books_balance("hour")


async def test_a_record_that_was_put_before_the_process_died_is_the_bill(books: Books) -> None:
    held = await books.protocol.held(100, books.protocol.ask(user="user-0"))
    await books.protocol.usage.put(books.protocol.record(held.hold, 40))
    books.protocol.clock.now_s += HOLD_LIFETIME_S + 1
    await books.lap()
    item = await books.protocol.item(user="user-0")
    assert item.window is not None
    assert (item.window.settled, item.window.holds) == (40, {})


async def test_a_run_that_is_out_of_time_stops_and_the_next_goes_on_there(books: Books) -> None:
    await books.leave_behind(users=7)
    clock = books.protocol.clock
    seen = []
    for _ in range(20):
        deadline_ms = clock.now_ms() + 1_000

        async def a_while(_: int, operation: str) -> None:
            # Each settle takes half of the time there is.
            clock.now_s += 0.5 if operation == "update" else 0

        walked = await books.walk(WatchedDynamoDB(books.dynamodb, a_while), page_items=3).run(deadline_ms)
        seen.append(walked.items)
        if walked.at_end:
            break
    assert seen == [2, 2, 2, 1]
    await books.assert_all_ended(users=7)


async def test_without_time_nothing_is_read(books: Books) -> None:
    await books.leave_behind(users=1)
    walked = await books.walk().run(books.protocol.clock.now_ms())
    assert (walked.items, walked.at_end) == (0, False)


@pytest.mark.parametrize("crash_at", range(1, CALLS_OF_TWO + 1))
async def test_a_run_may_die_before_any_of_its_calls(books: Books, crash_at: int) -> None:
    await books.leave_behind(users=2)

    async def die(number: int, _: str) -> None:
        if number == crash_at:
            raise Crash

    with pytest.raises(Crash):
        await books.walk(WatchedDynamoDB(books.dynamodb, die), page_items=1).run(NO_DEADLINE_MS)
    await books.lap()
    await books.assert_all_ended(users=2)


@pytest.mark.parametrize("cut_in_at", range(1, CALLS_OF_TWO + 1))
@pytest.mark.parametrize("page_items", [1, 10])
async def test_a_whole_run_may_come_in_between_any_two_calls_of_another(
    books: Books, page_items: int, cut_in_at: int
) -> None:
    await books.leave_behind(users=2)
    other: list[Walked] = []

    async def cut_in(number: int, _: str) -> None:
        if number == cut_in_at:
            other.append(await books.walk(page_items=page_items).run(NO_DEADLINE_MS))

    await books.walk(WatchedDynamoDB(books.dynamodb, cut_in), page_items=page_items).run(NO_DEADLINE_MS)
    assert len(other) == 1 or page_items > 1
    await books.assert_all_ended(users=2)


async def test_runs_at_the_same_time_end_each_hold_once(books: Books) -> None:
    await books.leave_behind(users=8, holds=3)
    await asyncio.gather(*(books.walk(page_items=size).run(NO_DEADLINE_MS) for size in (1, 2, 3, 100)))
    await books.assert_all_ended(users=8, holds=3)


async def test_one_budget_that_cannot_be_read_holds_up_nobody(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    await books.dynamodb.put(
        books.tables.budgets, {"pk": "demo#odd", "sk": "day", "window_end": 1, "holds": "none"}
    )
    await books.leave_behind(users=2)
    with caplog.at_level(logging.ERROR):
        walked = await books.walk().run(NO_DEADLINE_MS)
    assert (walked.failed, walked.done, walked.at_end) == (1, {"holds_ended": 2}, True)
    [logged] = caplog.records
    assert logged.__dict__["fields"] == {"budget": "demo#odd", "window_kind": "day"}
    await books.assert_all_ended(users=2)


async def test_a_store_that_is_down_ends_the_run_and_is_caught_up_with(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    await books.leave_behind(users=9)

    async def down(_: int, operation: str) -> None:
        if operation == "update":
            raise StoreUnavailable("the budget store did not answer")

    with pytest.raises(StoreUnavailable), caplog.at_level(logging.CRITICAL):
        await books.walk(WatchedDynamoDB(books.dynamodb, down), page_items=100).run(NO_DEADLINE_MS)
    assert MAX_FAILURES_IN_A_ROW < 9
    await books.lap()
    await books.assert_all_ended(users=9)
