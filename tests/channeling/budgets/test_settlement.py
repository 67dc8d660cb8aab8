"""Settlement: the record is the bill, written once, and the budget follows it whoever dies where."""

import asyncio

import pytest

from channeling.budgets.admission import NotHeld
from channeling.budgets.settlement import extend_towards, reclaim_hold, settle_hold
from channeling.budgets.store import Refused
from channeling.dynamodb import Update
from channeling.errors import StoreUnavailable
from tests.channeling.budgets.conftest import HOLD_LIFETIME_S, Protocol

DAY_S = 86_400


@pytest.mark.parametrize("cost", [0, 1, 399, 400])
async def test_a_hold_settles_at_its_cost(protocol: Protocol, cost: int) -> None:
    """What was held and not spent is free again; what was spent is settled."""
    ended = await protocol.end(await protocol.held(400), cost)
    assert ended.item.window is not None
    assert (ended.item.window.committed, ended.item.window.settled, ended.item.window.holds) == (
        cost,
        cost,
        {},
    )
    await protocol.assert_books_balance()


async def test_a_bill_above_its_hold_takes_what_fits_and_names_the_rest(protocol: Protocol) -> None:
    """The hold is extended as far as the limit allows; beyond it the bill is uncollected, never settled."""
    await protocol.held(500)
    ended = await protocol.end(await protocol.held(400), 700)
    assert (ended.record.cost, ended.record.uncollected) == (500, 200)
    assert ended.item.window is not None
    assert (ended.item.window.committed, ended.item.window.settled) == (1_000, 500)
    await protocol.assert_books_balance()


async def test_a_bill_above_its_hold_is_collected_whole_where_it_fits(protocol: Protocol) -> None:
    """With room left, nothing is uncollected."""
    ended = await protocol.end(await protocol.held(400), 700)
    assert (ended.record.cost, ended.record.uncollected) == (700, 0)
    await protocol.assert_books_balance()


async def test_a_bill_above_its_hold_after_the_window_rolled(protocol: Protocol) -> None:
    """The extension looks at the room of the window that the hold belongs to, not of the new one."""
    late = await protocol.held(400)
    await protocol.held(500)
    protocol.clock.now_s += DAY_S
    await protocol.held(1_000)
    ended = await protocol.end(late, 700)
    assert (ended.record.cost, ended.record.uncollected) == (500, 200)
    assert ended.item.previous is not None
    assert (ended.item.previous.committed, ended.item.previous.settled) == (1_000, 500)
    await protocol.assert_books_balance()


async def test_under_soft_enforcement_the_whole_bill_is_collected(protocol: Protocol) -> None:
    """Soft budgets may be passed by a bill, and the books still balance."""
    ended = await protocol.end(await protocol.held(400), 2_000, soft=True)
    assert (ended.record.cost, ended.record.uncollected) == (2_000, 0)
    await protocol.assert_books_balance()


async def test_ending_twice_charges_once(protocol: Protocol) -> None:
    """I3: a second end of the same hold, at another cost, finds the first bill and changes nothing."""
    held = await protocol.held(400)
    await protocol.end(held, 300)
    again = await protocol.end(held, 100)
    assert again.record.cost == 300
    assert again.item.window is not None
    assert again.item.window.settled == 300
    await protocol.assert_books_balance()


async def test_racing_ends_charge_once(protocol: Protocol) -> None:
    """I3: the request and reclaimers ending one hold at the same time agree on one bill."""
    held = await protocol.held(400)
    await asyncio.gather(
        *(protocol.end(held, 300) for _ in range(5)),
        *(reclaim_hold(protocol.budgets, protocol.usage, held.hold) for _ in range(5)),
    )
    [record] = await protocol.usage.of_user("demo", "user-1")
    item = await protocol.item()
    assert item.window is not None
    assert item.window.settled == record.cost
    await protocol.assert_books_balance()


async def test_a_death_between_record_and_settle_is_healed_at_the_record(protocol: Protocol) -> None:
    """I2: the reclaimer settles at the bill that stands, not at the hold."""
    held = await protocol.held(400)
    await protocol.usage.put(protocol.record(held.hold, 120))
    protocol.clock.now_s += HOLD_LIFETIME_S + 1
    await protocol.hold(900)
    item = await protocol.item()
    assert item.window is not None
    assert item.window.settled == 120
    await protocol.assert_books_balance()


async def test_a_late_settle_after_a_reclaim_takes_the_reclaimed_bill(protocol: Protocol) -> None:
    """I3: a request that outlived its hold is not billed a second time."""
    held = await protocol.held(400)
    await reclaim_hold(protocol.budgets, protocol.usage, held.hold)
    ended = await protocol.end(held, 50)
    assert (ended.record.status, ended.record.cost) == ("reclaimed", 400)
    await protocol.assert_books_balance()


async def test_a_death_before_any_record_costs_what_was_held(protocol: Protocol) -> None:
    """I2, I5: nobody knows what was generated, so the whole hold is billed, and no more."""
    await protocol.held(400)
    protocol.clock.now_s += HOLD_LIFETIME_S + 1
    assert isinstance(await protocol.hold(700), NotHeld)
    item = await protocol.item()
    assert item.window is not None
    assert (item.window.settled, item.window.committed) == (400, 400)
    await protocol.assert_books_balance()


async def test_an_extension_whose_answer_was_lost_is_read_from_the_store(protocol: Protocol) -> None:
    """A hold that stands at another amount than remembered settles at its cost all the same."""
    held = await protocol.held(400)
    await protocol.budgets.change_hold(held.hold, 600, limit=1_000)
    extended = await extend_towards(protocol.budgets, held.hold, 600, limit=1_000)
    assert extended.amount == 601  # another amount, so that a write of ours that is still on its way fails
    item = await settle_hold(protocol.budgets, held.hold, 350)
    assert item.window is not None
    assert (item.window.settled, item.window.committed) == (350, 350)


async def test_an_extension_beyond_the_limit_is_refused_and_changes_nothing(protocol: Protocol) -> None:
    """More is held only while the limit allows; less is always allowed."""
    held = await protocol.held(400)
    with pytest.raises(Refused):
        await protocol.budgets.change_hold(held.hold, 1_001, limit=1_000)
    lowered = await protocol.budgets.change_hold(held.hold, 100, limit=1_000)
    assert lowered.window is not None
    assert lowered.window.committed == 100
    await protocol.assert_books_balance()


async def test_a_settle_above_its_hold_is_a_defect_and_says_so(protocol: Protocol) -> None:
    """A settle never raises what is committed."""
    held = await protocol.held(400)
    with pytest.raises(ValueError, match="cannot settle"):
        await protocol.budgets.settle(held.hold, 401)


async def test_a_store_that_does_not_answer_leaves_the_hold_to_be_reclaimed(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A settle that fails after the record was put loses nothing: the next request heals it."""
    held = await protocol.held(400)

    async def refuse(_: Update) -> None:
        raise StoreUnavailable("no answer")

    with monkeypatch.context() as down:
        down.setattr(protocol.budgets._dynamodb, "update", refuse)
        with pytest.raises(StoreUnavailable):
            await protocol.end(held, 220)
    protocol.clock.now_s += HOLD_LIFETIME_S + 1
    await protocol.hold(900)
    item = await protocol.item()
    assert item.window is not None
    assert item.window.settled == 220
    await protocol.assert_books_balance()
