"""A mark of a budget is passed by one settle, however many race, and by none twice."""

import asyncio

import pytest

from channeling.budgets.alert import MARKS_PERCENT, marks_passed
from channeling.budgets.item import BudgetKey, WindowState
from channeling.budgets.settlement import end_hold
from channeling.budgets.store import window_of
from tests.channeling.budgets.conftest import Protocol

KEY = BudgetKey("demo", "user-1", "day")
RACERS = 64


def passed(settled: int, limit: int, cost: int) -> list[int]:
    window = WindowState(0, 86_400, settled, settled, {})
    return [alert.percent for alert in marks_passed(KEY, window, limit, cost)]


@pytest.mark.parametrize(
    ("settled", "limit", "cost", "marks"),
    [
        (49, 100, 49, []),
        (50, 100, 1, [50]),
        (51, 100, 1, []),
        (51, 100, 2, [50]),
        (79, 100, 29, []),
        (80, 100, 30, [80]),
        (99, 100, 99, [50, 80]),
        (100, 100, 100, [50, 80, 100]),
        (100, 100, 20, [100]),
        (130, 100, 31, [100]),
        (130, 100, 30, []),
        # No rounding: half of 3 is reached by 2, not by 1.
        (1, 3, 1, []),
        (2, 3, 1, [50]),
        # Nothing was spent, or nothing may be.
        (50, 100, 0, []),
        (0, 0, 0, []),
        (5, 0, 5, []),
    ],
)
def test_which_marks_a_settle_passes(settled: int, limit: int, cost: int, marks: list[int]) -> None:
    assert passed(settled, limit, cost) == marks


def test_an_alert_is_known_by_its_id() -> None:
    """User, kind, window, mark and limit make it; what is settled by then does not."""

    def id_of(settled: int = 50, limit: int = 100, user: str = "ana", start: int = 0) -> str:
        [alert] = marks_passed(
            BudgetKey("demo", user, "day"), WindowState(start, 9, 0, settled, {}), limit, settled
        )
        return alert.alert_id

    assert id_of() == id_of(settled=55)
    assert len({id_of(), id_of(limit=101, settled=51), id_of(user="ben"), id_of(start=1)}) == 4


async def test_of_64_that_settle_at_once_each_mark_is_passed_by_one(protocol: Protocol) -> None:
    """On the store itself: whatever the order, the values that the settles return are one after another."""
    held = [await protocol.held(100, protocol.ask(limit=RACERS * 100)) for _ in range(RACERS)]

    async def end(number: int) -> list[int]:
        hold = held[number].hold
        ended = await end_hold(
            protocol.budgets, protocol.usage, hold, protocol.record(hold, 100), limit=RACERS * 100
        )
        assert ended.settled_here
        found = window_of(ended.item, hold.window_start_s)
        assert found is not None
        return [alert.percent for alert in marks_passed(KEY, found[0], RACERS * 100, ended.record.cost)]

    told = await asyncio.gather(*(end(number) for number in range(RACERS)))
    assert sorted(percent for some in told for percent in some) == list(MARKS_PERCENT)


async def test_who_finds_a_hold_settled_says_so(protocol: Protocol) -> None:
    held = await protocol.held(100)
    first, second = await protocol.end(held, 60), await protocol.end(held, 60)
    assert (first.settled_here, second.settled_here) == (True, False)
