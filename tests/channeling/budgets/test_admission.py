"""Admission: a hold is one conditional write, refusals are named, and every way to go on is taken once."""

import asyncio

import pytest
from msgspec.structs import replace

from channeling.budgets.admission import Held, NotHeld
from channeling.budgets.decide import OverBudget, Revoked, TooManyConcurrent
from channeling.budgets.item import BudgetKey
from channeling.dynamodb import Update
from channeling.window_kind import WindowKind
from tests.channeling.budgets.conftest import HOLD_LIFETIME_S, NOON_S, Protocol

DAY_S = 86_400


async def test_the_first_hold_lays_the_window_of_the_token(protocol: Protocol) -> None:
    """A user without a budget item gets the window that the token's windowStart lays."""
    held = await protocol.held(400, protocol.ask(window_start_s=NOON_S - 3_600))
    assert held.item.window is not None
    assert (held.item.window.start_s, held.item.window.end_s) == (NOON_S - 3_600, NOON_S - 3_600 + DAY_S)
    assert (held.item.window.committed, held.item.window.settled) == (400, 0)


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ([1_000], "Held"),
        ([1_001], "OverBudget"),
        ([600, 400], "Held"),
        ([600, 401], "OverBudget"),
        ([1_000, 1], "OverBudget"),
    ],
)
async def test_holds_fill_the_limit_to_the_nanodollar(
    protocol: Protocol, amounts: list[int], expected: str
) -> None:
    """The last of these amounts is admitted exactly when all of them fit a limit of 1,000."""
    outcome: Held | NotHeld | None = None
    for amount in amounts:
        outcome = await protocol.hold(amount)
    name = type(outcome.reason if isinstance(outcome, NotHeld) else outcome).__name__
    assert name == expected
    await protocol.assert_books_balance()


async def test_a_limit_of_zero_admits_nothing(protocol: Protocol) -> None:
    """A token with no money is refused, also under soft enforcement, and leaves nothing behind."""
    for enforcement in ("strict", "soft"):
        outcome = await protocol.hold(1, protocol.ask(limit=0, enforcement=enforcement))
        assert isinstance(outcome, NotHeld)
        assert isinstance(outcome.reason, OverBudget)
    assert (await protocol.item()).window is None


async def test_a_refusal_says_what_is_settled_and_what_is_held(protocol: Protocol) -> None:
    """OverBudget carries the window as it stood, from the refused write itself."""
    await protocol.end(await protocol.held(300), 250)
    await protocol.held(500)
    outcome = await protocol.hold(300)
    assert isinstance(outcome, NotHeld)
    assert isinstance(outcome.reason, OverBudget)
    assert (outcome.reason.window.settled, outcome.reason.window.held) == (250, 500)


async def test_soft_enforcement_admits_while_the_limit_is_not_reached(protocol: Protocol) -> None:
    """Under soft enforcement one request may pass the limit, and the next is refused."""
    await protocol.held(999)
    await protocol.held(5_000, protocol.ask(enforcement="soft"))
    outcome = await protocol.hold(1, protocol.ask(enforcement="soft"))
    assert isinstance(outcome, NotHeld)


async def test_the_concurrency_limit_counts_requests_in_flight(protocol: Protocol) -> None:
    """A user over the limit is told how many requests are in flight; an ended one makes room."""
    first = await protocol.held(1, protocol.ask(max_concurrent=2))
    await protocol.held(1, protocol.ask(max_concurrent=2))
    outcome = await protocol.hold(1, protocol.ask(max_concurrent=2))
    assert isinstance(outcome, NotHeld)
    assert outcome.reason == TooManyConcurrent(2)
    await protocol.end(first, 0)
    await protocol.held(1, protocol.ask(max_concurrent=2))


@pytest.mark.parametrize("kind", ["hour", "day", "week", "month"])
async def test_revocation_refuses_older_tokens_of_every_kind(protocol: Protocol, kind: WindowKind) -> None:
    """A token issued up to the revocation is refused with or without a window; a newer one is admitted."""
    await protocol.held(1, protocol.ask(kind=kind, user="has-window"))
    for user in ("has-window", "has-none"):
        await protocol.budgets.revoke("demo", user, before_ms=NOON_S * 1000)
        old = await protocol.hold(1, protocol.ask(kind=kind, user=user, issued_at_ms=NOON_S * 1000))
        assert isinstance(old, NotHeld)
        assert old.reason == Revoked()
        await protocol.held(1, protocol.ask(kind=kind, user=user, issued_at_ms=NOON_S * 1000 + 1))


async def test_a_revocation_outlives_the_roll_of_a_window(protocol: Protocol) -> None:
    """Rolling a window never touches the revocation."""
    await protocol.end(await protocol.held(1, protocol.ask(issued_at_ms=1)), 1)
    await protocol.budgets.revoke("demo", "user-1", before_ms=NOON_S * 1000)
    protocol.clock.now_s += DAY_S
    outcome = await protocol.hold(1, protocol.ask(issued_at_ms=NOON_S * 1000))
    assert isinstance(outcome, NotHeld)
    assert outcome.reason == Revoked()
    await protocol.held(1, protocol.ask(issued_at_ms=NOON_S * 1000 + 1))
    assert (await protocol.item()).revoked_before_ms == NOON_S * 1000


async def test_an_ended_window_is_moved_aside_with_its_holds(protocol: Protocol) -> None:
    """A roll starts from nothing settled, and a request still running keeps its hold in the window before."""
    await protocol.end(await protocol.held(700), 700)
    protocol.clock.now_s += DAY_S - 10
    running = await protocol.held(200)
    protocol.clock.now_s += 20
    held = await protocol.held(900)
    item = held.item
    assert item.window is not None
    assert item.previous is not None
    assert (item.window.committed, item.window.settled) == (900, 0)
    assert (item.previous.committed, item.previous.settled) == (900, 700)
    ended = await protocol.end(running, 150)
    assert ended.item.previous is not None
    assert (ended.item.previous.committed, ended.item.previous.settled) == (850, 850)
    await protocol.assert_books_balance()


async def test_a_new_window_too_small_for_the_request_is_not_laid(protocol: Protocol) -> None:
    """An amount above the whole limit is refused before a window is created or rolled."""
    assert isinstance(await protocol.hold(1_001), NotHeld)
    assert (await protocol.item()).window is None
    await protocol.end(await protocol.held(10), 10)
    protocol.clock.now_s += DAY_S
    outcome = await protocol.hold(1_001)
    assert isinstance(outcome, NotHeld)
    assert isinstance(outcome.reason, OverBudget)
    assert outcome.reason.window.settled == 0


async def test_a_live_window_is_not_reset_by_a_newer_token(protocol: Protocol) -> None:
    """A token whose windowStart is now does not open a fresh window while one is live."""
    await protocol.end(await protocol.held(900), 900)
    protocol.clock.now_s += 3_600
    assert isinstance(await protocol.hold(200, protocol.ask(window_start_s=NOON_S + 3_600)), NotHeld)


async def test_holds_of_dead_requests_are_reclaimed_at_what_they_held(protocol: Protocol) -> None:
    """After its lifetime a hold is billed in full, marked as estimated, and the request goes on."""
    await protocol.held(800)
    assert isinstance(await protocol.hold(200 + 1), NotHeld)
    protocol.clock.now_s += HOLD_LIFETIME_S + 1
    outcome = await protocol.hold(300)
    assert isinstance(outcome, NotHeld)
    item = await protocol.item()
    assert item.window is not None
    assert (item.window.settled, item.window.holds) == (800, {})
    [record] = await protocol.usage.of_user("demo", "user-1")
    assert (record.status, record.cost, record.estimated) == ("reclaimed", 800, True)
    await protocol.held(200)
    await protocol.assert_books_balance()


async def test_dead_holds_do_not_block_the_next_roll(protocol: Protocol) -> None:
    """A hold that died in the window before last is reclaimed first, in its own window."""
    await protocol.held(800)
    protocol.clock.now_s += DAY_S
    await protocol.end(await protocol.held(5), 5)
    protocol.clock.now_s += DAY_S
    held = await protocol.held(1_000)
    assert held.item.window is not None
    assert held.item.window.committed == 1_000
    records = await protocol.usage.of_user("demo", "user-1")
    assert sorted(record.cost for record in records) == [5, 800]


async def test_a_hold_whose_answer_was_lost_is_found_and_not_doubled(protocol: Protocol) -> None:
    """Trying again with the same hold id goes on with the hold that landed, in each kind of first write."""
    for days in (0, 0, 1):
        protocol.clock.now_s += days * DAY_S
        ask = protocol.ask()
        first = await protocol.held(100, ask)
        again = await protocol.held(100, ask)
        assert again.hold == first.hold
        await protocol.end(again, 100)
    await protocol.assert_books_balance()


async def test_a_hold_that_landed_before_the_window_rolled_is_found_there(protocol: Protocol) -> None:
    """A lost answer is also found in the window before: the same id is never held in two windows."""
    ask = protocol.ask()
    first = await protocol.held(100, ask)
    protocol.clock.now_s += DAY_S - 1
    late = protocol.ask()
    await protocol.held(50, late)
    protocol.clock.now_s += 2
    again = await protocol.held(50, replace(late))
    assert again.hold.window_start_s == first.hold.window_start_s


async def test_a_raise_counts_in_its_own_window_only(protocol: Protocol) -> None:
    """A raise lets this window's limit be passed by its amount, and means nothing in the next window."""
    held = await protocol.held(1_000)
    await protocol.budgets._dynamodb.update(
        Update(
            protocol.budgets._table,
            BudgetKey("demo", "user-1", "day").item_key(),
            "SET #raise = :raise",
            names={"#raise": "raise"},
            values={":raise": {"amount": 500, "window_start": held.hold.window_start_s}},
        )
    )
    raised = await protocol.held(500)
    assert raised.limit == 1_500
    assert isinstance(await protocol.hold(1), NotHeld)
    protocol.clock.now_s += DAY_S
    assert isinstance(await protocol.hold(1_001), NotHeld)
    assert (await protocol.held(1_000)).limit == 1_000


async def test_racing_holds_admit_exactly_the_limit(protocol: Protocol) -> None:
    """Forty requests racing for room for ten: ten are held, whoever creates the window."""
    outcomes = await asyncio.gather(*(protocol.hold(100) for _ in range(40)))
    assert sum(isinstance(outcome, Held) for outcome in outcomes) == 10
    item = await protocol.item()
    assert item.window is not None
    assert item.window.committed == 1_000
    await protocol.assert_books_balance()


async def test_racing_rolls_open_one_window(protocol: Protocol) -> None:
    """Requests racing across a window's end all land in one next window, with nothing lost from the old one."""
    await protocol.end(await protocol.held(900), 900)
    protocol.clock.now_s += DAY_S
    outcomes = await asyncio.gather(*(protocol.hold(100) for _ in range(20)))
    assert sum(isinstance(outcome, Held) for outcome in outcomes) == 10
    item = await protocol.item()
    assert item.window is not None
    assert item.previous is not None
    assert (item.window.committed, item.previous.settled) == (1_000, 900)
