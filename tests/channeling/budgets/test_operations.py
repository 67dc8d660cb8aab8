"""Adjusting, resetting, raising and revoking keep the books balanced: twice, at once, and cut off between steps."""

import asyncio
import contextlib
import itertools

import pytest
from msgspec.structs import replace

from channeling.budgets.admission import Held, NotHeld
from channeling.budgets.decide import AdjustmentPending, OverBudget, Revoked, decide
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import Adjustment, BudgetItem, BudgetKey, WindowState
from channeling.budgets.operations import (
    MAX_AMOUNT,
    Adjusted,
    NoLiveWindow,
    OperationRefused,
    Order,
    adjust,
    finish_adjustment,
    raise_limit,
    reset,
    revoke,
)
from channeling.budgets.store import Refused
from channeling.budgets.windows import next_window
from channeling.dynamodb import TransactionRefused
from channeling.errors import StoreUnavailable
from channeling.usage.record import UsageRecord
from tests.channeling.budgets.conftest import NOON_S, Protocol

DAY_S = 86_400
KEY = BudgetKey("demo", "user-1", "day")
_numbers = itertools.count(10**9)  # apart from the ids of holds


def order(*, actor: str = "ops", reason: str = "goodwill") -> Order:
    return Order(new_hold_id(NOON_S, lambda count: next(_numbers).to_bytes(count)), actor, reason)


async def adjusted(protocol: Protocol, amount: int, of: Order | None = None) -> Adjusted:
    return await adjust(
        protocol.budgets, protocol.usage, KEY, of or order(), amount, int(protocol.clock.now_s)
    )


async def was_reset(protocol: Protocol, of: Order | None = None) -> Adjusted:
    return await reset(protocol.budgets, protocol.usage, KEY, of or order(), int(protocol.clock.now_s))


async def window(protocol: Protocol) -> WindowState:
    item = await protocol.item()
    assert item.window is not None
    return item.window


async def spend(protocol: Protocol, cost: int) -> None:
    await protocol.end(await protocol.held(cost), cost)


async def intend(protocol: Protocol, amount: int, of: Order) -> Adjustment:
    """Step 1 alone, as of an operator's process that dies after it."""
    adjustment = Adjustment(
        of.order_id, amount, (await window(protocol)).start_s, "adjustment", of.actor, of.reason
    )
    await protocol.budgets.intend_adjustment(KEY, adjustment)
    return adjustment


async def adjustments(protocol: Protocol) -> list[UsageRecord]:
    return [
        record for record in await protocol.usage.of_user("demo", "user-1") if record.kind == "adjustment"
    ]


@pytest.mark.parametrize("amount", [250, -250, -600, MAX_AMOUNT], ids=str)
async def test_an_adjustment_moves_what_is_settled_and_says_who_and_why(
    protocol: Protocol, amount: int
) -> None:
    """Money in flight stays held; the record carries amount, actor and reason."""
    await spend(protocol, 600)
    await protocol.held(100)
    result = await adjusted(protocol, amount, order(actor="zoë", reason="bad answer"))
    assert result.amount == amount
    after = await window(protocol)
    assert (after.settled, after.committed) == (600 + amount, 700 + amount)
    assert result.item == await protocol.item()
    (record,) = await adjustments(protocol)
    assert (record.cost, record.actor, record.reason) == (amount, "zoë", "bad answer")
    await protocol.assert_books_balance()


async def test_the_same_order_twice_is_carried_out_once(protocol: Protocol) -> None:
    """An answer that was lost is asked for again: the amount is that of the first time."""
    await spend(protocol, 600)
    once = order()
    assert (await adjusted(protocol, -100, once)).amount == -100
    assert (await adjusted(protocol, -100, once)).amount == -100
    assert (await window(protocol)).settled == 500
    twice = order()
    assert (await was_reset(protocol, twice)).amount == -500
    await spend(protocol, 30)
    assert (await was_reset(protocol, twice)).amount == -500
    assert (await window(protocol)).settled == 30
    await protocol.assert_books_balance()


async def test_an_order_carried_out_is_not_intended_again(protocol: Protocol) -> None:
    """The client library's own retry of step 1 may arrive after another has carried the order out."""
    await spend(protocol, 600)
    adjustment = await intend(protocol, -100, order())
    await finish_adjustment(protocol.budgets, protocol.usage, KEY, adjustment)
    with pytest.raises(Refused):
        await protocol.budgets.intend_adjustment(KEY, adjustment)
    another = replace(adjustment, adjustment_id=order().order_id)
    await protocol.budgets.intend_adjustment(KEY, another, last_adjusted_id=adjustment.adjustment_id)


async def test_an_order_given_again_after_another_was_carried_out_counts_once(protocol: Protocol) -> None:
    """The budget itself remembers the last order alone; the record of each says that it was carried out."""
    await spend(protocol, 600)
    first = order()
    await adjusted(protocol, -100, first)
    await adjusted(protocol, -50, order())
    assert (await adjusted(protocol, -100, first)).amount == -100
    assert (await window(protocol)).settled == 450
    await protocol.assert_books_balance()


async def test_the_answer_to_the_first_step_is_lost(protocol: Protocol) -> None:
    """The order finds its own intent standing and goes on with it."""
    await spend(protocol, 600)
    mine = order()
    await intend(protocol, -100, mine)
    assert (await adjusted(protocol, -100, mine)).amount == -100
    assert (await window(protocol)).settled == 500
    await protocol.assert_books_balance()


@pytest.mark.parametrize("recorded", [False, True], ids=["died after step 1", "died after step 2"])
@pytest.mark.parametrize("finder", ["next order", "roll", "anyone, at once"])
async def test_an_order_left_half_done_is_carried_out_by_whoever_finds_it(
    protocol: Protocol, recorded: bool, finder: str
) -> None:
    await spend(protocol, 600)
    adjustment = await intend(protocol, -100, order())
    if recorded:
        protocol.budgets._table, table = "no-such-table", protocol.budgets._table
        with pytest.raises(StoreUnavailable):
            await finish_adjustment(protocol.budgets, protocol.usage, KEY, adjustment)
        protocol.budgets._table = table
    assert len(await adjustments(protocol)) == recorded
    if finder == "next order":
        await adjusted(protocol, 7)
        assert (await window(protocol)).settled == 507
    elif finder == "roll":
        protocol.clock.now_s += DAY_S
        held = await protocol.hold(10)
        assert isinstance(held, Held)
        assert held.item.previous is not None
        assert (held.item.previous.settled, held.item.previous.committed) == (500, 500)
        assert (await window(protocol)).committed == 10
    else:
        finish = finish_adjustment(protocol.budgets, protocol.usage, KEY, adjustment)
        again = [finish_adjustment(protocol.budgets, protocol.usage, KEY, adjustment) for _ in range(4)]
        await asyncio.gather(finish, *again)
        assert (await window(protocol)).settled == 500
    assert (await protocol.item()).adjustment is None
    assert [record.cost for record in await adjustments(protocol) if record.cost < 0] == [-100]
    await protocol.assert_books_balance()


async def test_a_window_is_not_rolled_over_an_order(protocol: Protocol) -> None:
    """The roll itself is refused; the request that comes first finishes the order, and rolls then."""
    await spend(protocol, 600)
    before = await window(protocol)
    pending = await intend(protocol, -100, order())
    protocol.clock.now_s += DAY_S
    ask = protocol.ask()
    decision = decide(await protocol.item(), ask, 1, int(protocol.clock.now_s), raise_counted=0)
    assert decision == AdjustmentPending(pending)
    item = await protocol.item()
    grid = next_window(
        "day", origin_s=item.origin_s, ended_s=before.end_s, token_start_s=NOON_S, now_s=NOON_S + DAY_S
    )
    with pytest.raises(Refused):
        await protocol.budgets.roll(ask, 1, before, grid)
    assert await window(protocol) == before
    assert isinstance(await protocol.hold(1, ask), Held)
    after = await protocol.item()
    assert after.adjustment is None
    assert after.previous is not None
    assert after.previous.settled == 500


async def test_a_live_window_admits_while_an_order_is_pending(protocol: Protocol) -> None:
    """An operator whose process died stops nobody: what is to be given back is not yet free."""
    await spend(protocol, 600)
    await intend(protocol, -600, order())
    await protocol.held(400)
    assert isinstance(await protocol.hold(1), NotHeld)


async def test_an_adjustment_is_applied_only_as_it_stands(protocol: Protocol) -> None:
    """Another order's, or another window's, is refused."""
    await spend(protocol, 600)
    pending = await intend(protocol, -100, order())
    for other in (
        replace(pending, adjustment_id=order().order_id),
        replace(pending, window_start_s=pending.window_start_s - DAY_S),
    ):
        with pytest.raises(Refused):
            await protocol.budgets.apply_adjustment(KEY, other)
    assert (await window(protocol)).settled == 600


@pytest.mark.parametrize("change", ["another window", "more than is settled", "another order pending"])
async def test_an_intent_is_refused_where_the_budget_changed(protocol: Protocol, change: str) -> None:
    await spend(protocol, 600)
    start_s = (await window(protocol)).start_s
    amount = -601 if change == "more than is settled" else -600
    if change == "another window":
        start_s -= DAY_S
    if change == "another order pending":
        await intend(protocol, -1, order())
    before = await protocol.item()
    with pytest.raises(Refused):
        await protocol.budgets.intend_adjustment(
            KEY, Adjustment(order().order_id, amount, start_s, "adjustment", "ops", "goodwill")
        )
    assert await protocol.item() == before


async def test_resets_at_once_give_back_only_what_was_settled(protocol: Protocol) -> None:
    """However many at once: the sum given back is what was settled, and never more."""
    await spend(protocol, 600)
    results = await asyncio.gather(*(was_reset(protocol) for _ in range(8)))
    assert sum(result.amount for result in results) == -600
    assert (await window(protocol)).settled == 0
    assert sum(record.cost for record in await adjustments(protocol)) == -600
    await protocol.assert_books_balance()


async def test_a_reset_of_nothing_writes_nothing(protocol: Protocol) -> None:
    await protocol.held(300)
    before = await protocol.item()
    assert await was_reset(protocol) == Adjusted(0, before)
    assert await adjustments(protocol) == []


async def test_adjusting_races_requests(protocol: Protocol) -> None:
    """I2 holds while holds are made and settled beside adjustments and resets; nothing becomes negative."""
    await spend(protocol, 600)

    async def request() -> None:
        outcome = await protocol.hold(40, protocol.ask(limit=10_000))
        if isinstance(outcome, Held):
            await protocol.end(outcome, 25)

    async def adjustment(amount: int) -> None:
        # Behind the reset there may be too little settled to give back.
        with contextlib.suppress(OperationRefused):
            await adjusted(protocol, amount)

    await asyncio.gather(
        *(request() for _ in range(6)),
        *(adjustment(amount) for amount in (-100, 50, -7)),
        was_reset(protocol),
    )
    after = await window(protocol)
    assert after.settled >= 0
    assert after.held == 0
    await protocol.assert_books_balance()


async def test_a_request_that_was_running_at_a_reset_is_charged_after_it(protocol: Protocol) -> None:
    """Its hold stands through the reset, and its bill is the first thing that is settled again."""
    await spend(protocol, 600)
    running = await protocol.held(300)
    await was_reset(protocol)
    assert (await window(protocol)).committed == 300
    await protocol.end(running, 120)
    after = await window(protocol)
    assert (after.settled, after.committed) == (120, 120)
    await protocol.assert_books_balance()


async def test_more_than_is_settled_is_not_given_back(protocol: Protocol) -> None:
    await spend(protocol, 600)
    with pytest.raises(OperationRefused, match=r"only \$0\.0000006 is settled"):
        await adjusted(protocol, -601)
    assert await adjustments(protocol) == []


async def test_a_raise_is_all_that_is_added_in_this_window(protocol: Protocol) -> None:
    """Twice the same is once; 0 takes it away; a record of 0 says who raised by how much."""
    await spend(protocol, 1_000)

    async def raised(amount: int) -> BudgetItem:
        return await raise_limit(
            protocol.budgets, protocol.usage, KEY, order(), amount, int(protocol.clock.now_s)
        )

    assert isinstance(await protocol.hold(500), NotHeld)
    await raised(500)
    assert (await raised(500)).live_raise() == 500
    held = await protocol.held(500)
    assert held.limit == 1_500
    assert isinstance(await protocol.hold(1), NotHeld)
    await protocol.end(held, 0)
    assert (await raised(0)).raised is None
    refused = await protocol.hold(1)
    assert isinstance(refused, NotHeld)
    assert isinstance(refused.reason, OverBudget)
    records = [record for record in await protocol.usage.of_user("demo", "user-1") if record.kind == "raise"]
    assert sorted(record.reason for record in records) == [
        "$0 in this window: goodwill",
        "$0.0000005 in this window: goodwill",
        "$0.0000005 in this window: goodwill",
    ]
    assert {(record.cost, record.actor) for record in records} == {(0, "ops")}
    await protocol.assert_books_balance()


async def test_a_raise_ends_with_its_window(protocol: Protocol) -> None:
    await spend(protocol, 1_000)
    await raise_limit(protocol.budgets, protocol.usage, KEY, order(), 500, NOON_S)
    start_s = (await window(protocol)).start_s
    protocol.clock.now_s += DAY_S
    assert isinstance(await protocol.hold(1_001), NotHeld)
    await protocol.held(1_000)
    for amount in (0, 7):
        with pytest.raises(Refused):
            await protocol.budgets.set_raise(KEY, amount, start_s)
    assert (await protocol.item()).live_raise() == 0


async def test_a_revocation_refuses_every_token_until_now(protocol: Protocol) -> None:
    """All four kinds, with a record first; an earlier one, by a clock that is behind, gives none back."""
    for before_ms in (NOON_S * 1000 - 9_000, NOON_S * 1000, NOON_S * 1000 - 5_000):
        await revoke(protocol.budgets, protocol.usage, "demo", "user-1", order(), before_ms)
    for kind in ("hour", "day", "week", "month"):
        item = await protocol.item(kind)  # type: ignore[arg-type]
        assert item.revoked_before_ms == NOON_S * 1000
    refused = await protocol.hold(1)
    assert isinstance(refused, NotHeld)
    assert refused.reason == Revoked()
    await protocol.held(1, protocol.ask(issued_at_ms=NOON_S * 1000 + 1))
    records = await protocol.usage.of_user("demo", "user-1")
    assert [(record.kind, record.cost, record.window_start_s) for record in records] == [
        ("revocation", 0, 0)
    ] * 3
    await protocol.assert_books_balance()


@pytest.mark.parametrize(("conflicts", "done"), [(3, True), (1_000, False)], ids=["passing", "for ever"])
async def test_a_revocation_outlasts_requests_that_write_meanwhile(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch, conflicts: int, done: bool
) -> None:
    """DynamoDB cancels a transaction that meets another write of one of its items; it is tried again."""
    transact = protocol.budgets._dynamodb.transact
    left = iter(range(conflicts))

    async def contended(updates: object) -> None:
        if next(left, None) is not None:
            raise TransactionRefused(["None", "TransactionConflict", "None", "None"])
        await transact(updates)  # type: ignore[arg-type]

    monkeypatch.setattr(protocol.budgets._dynamodb, "transact", contended)
    attempt = revoke(protocol.budgets, protocol.usage, "demo", "user-1", order(), 5)
    if done:
        await attempt
    else:
        with pytest.raises(OperationRefused, match="try again"):
            await attempt
    assert ((await protocol.item()).revoked_before_ms == 5) is done


async def test_a_user_without_a_live_window_is_told_so(protocol: Protocol) -> None:
    """Unknown, known for another kind only, or since an ended window: nothing is written."""

    async def each(now_s: int, message: str) -> None:
        for attempt in (
            adjust(protocol.budgets, protocol.usage, KEY, order(), 5, now_s),
            reset(protocol.budgets, protocol.usage, KEY, order(), now_s),
            raise_limit(protocol.budgets, protocol.usage, KEY, order(), 5, now_s),
        ):
            with pytest.raises(NoLiveWindow, match=message):
                await attempt

    await each(NOON_S, "'user-1' has no day window in project demo")
    await protocol.held(1, protocol.ask(kind="month"))
    await revoke(protocol.budgets, protocol.usage, "demo", "user-1", order(), 5)
    await each(NOON_S, "has no day window")
    await spend(protocol, 5)
    await each((await window(protocol)).end_s, "has ended")
    assert (await protocol.item()).raised is None
    assert {record.kind for record in await protocol.usage.of_user("demo", "user-1")} == {
        "request",
        "revocation",
    }


@pytest.mark.parametrize(
    ("actor", "reason"),
    [
        ("", "x"),
        (" ", "x"),
        ("ops", ""),
        ("ops", "\n"),
        ("ops\x1b[2J", "x"),
        ("ops", "\ud800"),
        ("a" * 101, "x"),
        ("ops", "x" * 201),
    ],
    ids=[
        "no actor",
        "blank actor",
        "no reason",
        "blank reason",
        "control",
        "surrogate",
        "long",
        "long reason",
    ],
)
def test_who_and_why_are_bounded_text(actor: str, reason: str) -> None:
    with pytest.raises(OperationRefused, match="characters"):
        Order("tozsg0uv183t4b", actor, reason)
    Order("tozsg0uv183t4b", "\U0001f600" * 100, "\U0001f600" * 200)


@pytest.mark.parametrize(
    "user", ["", "u" * 257, "a\x00b", "\ud800"], ids=["none", "long", "control", "surrogate"]
)
async def test_a_user_id_no_token_can_have_is_refused(protocol: Protocol, user: str) -> None:
    key = BudgetKey("demo", user, "day")
    for attempt in (
        adjust(protocol.budgets, protocol.usage, key, order(), 5, NOON_S),
        reset(protocol.budgets, protocol.usage, key, order(), NOON_S),
        raise_limit(protocol.budgets, protocol.usage, key, order(), 5, NOON_S),
        revoke(protocol.budgets, protocol.usage, "demo", user, order(), 5),
    ):
        with pytest.raises(OperationRefused, match="user id"):
            await attempt


@pytest.mark.parametrize("amount", [0, MAX_AMOUNT + 1, -MAX_AMOUNT - 1], ids=str)
async def test_amounts_are_bounded(protocol: Protocol, amount: int) -> None:
    with pytest.raises(OperationRefused, match="1000000"):
        await adjusted(protocol, amount)
    if amount:
        with pytest.raises(OperationRefused, match="raise"):
            await raise_limit(protocol.budgets, protocol.usage, KEY, order(), amount, NOON_S)
