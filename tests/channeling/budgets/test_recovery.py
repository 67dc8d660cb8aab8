"""A request that only the log knows is billed once, at what it cost, whatever has happened to its hold since."""

import asyncio
import contextlib

import pytest
from msgspec.structs import replace

from channeling.budgets.admission import Held
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import BudgetItem, BudgetKey, WindowState
from channeling.budgets.operations import Order, adjust, finish_adjustment, reset
from channeling.budgets.recovery import Correct, Recovered, RecoveryRefused, recover
from channeling.budgets.settlement import reclaim_hold
from channeling.budgets.store import BudgetStore
from channeling.budgets.unsettled_log import Unsettled
from channeling.errors import StoreUnavailable
from channeling.usage.record import UsageRecord
from channeling.usage.token_counts import TokenCounts
from tests.channeling.budgets.conftest import NOON_S, Protocol

DAY_S = 86_400
KEY = BudgetKey("demo", "user-1", "day")


def line_of(protocol: Protocol, held: Held, cost: int, *, limit: int | None = 1_000) -> Unsettled:
    """Return what the log says of a request that is held for."""
    record = replace(
        protocol.record(held.hold, cost),
        provider="anthropic",
        model_asked="haiku",
        counts=TokenCounts(output_tokens=7),
        model_used="claude-haiku-4-5",
    )
    return Unsettled(record, limit)


async def recovered(protocol: Protocol, line: Unsettled, *, dry_run: bool = False) -> Recovered:
    return await recover(protocol.budgets, protocol.usage, line, "ann", dry_run=dry_run)


async def reclaimed(protocol: Protocol, held: Held) -> None:
    """End a hold as its user's next request does once it has expired."""
    await reclaim_hold(protocol.budgets, protocol.usage, held.hold)


async def next_day(protocol: Protocol, cost: int = 100) -> None:
    protocol.clock.now_s += DAY_S
    await protocol.end(await protocol.held(cost), cost)


async def window(protocol: Protocol) -> WindowState:
    item = await protocol.item()
    assert item.window is not None
    return item.window


async def records(protocol: Protocol) -> list[UsageRecord]:
    return await protocol.usage.of_user("demo", "user-1")


async def corrections(protocol: Protocol) -> list[UsageRecord]:
    return [record for record in await records(protocol) if record.kind == "correction"]


def an_order(number: int) -> Order:
    return Order(new_hold_id(NOON_S, (10**12 + number).to_bytes), "ops", "goodwill")


async def test_a_hold_that_stands_is_settled_as_the_request_would_have(protocol: Protocol) -> None:
    """The record is the request's own, whole, and the budget is at its cost; a second time changes nothing."""
    held = await protocol.held(400)
    line = line_of(protocol, held, 150)
    first = await recovered(protocol, line)
    assert first.done == "settled"
    assert await records(protocol) == [line.record] == [first.bill]
    after = await window(protocol)
    assert (after.settled, after.committed, after.holds) == (150, 150, {})
    again = await recovered(protocol, line)
    assert again.done == "nothing"
    assert await window(protocol) == after


@pytest.mark.parametrize(("limit", "taken"), [(1_000, 500), (650, 450), (0, 400), (None, 900)], ids=str)
async def test_a_bill_above_its_hold_takes_what_fits_under_the_limit(
    protocol: Protocol, limit: int | None, taken: int
) -> None:
    """Of 900 the hold has 400, others hold 200: no limit is passed, and without one all is taken."""
    held = await protocol.held(400)
    await protocol.held(500 if limit == 1_000 else 200)
    await recovered(protocol, line_of(protocol, held, 900, limit=limit))
    (record,) = await records(protocol)
    assert (record.cost, record.uncollected) == (taken, 900 - taken)
    assert (await window(protocol)).settled == taken
    await protocol.assert_books_balance()


async def test_a_record_whose_settle_was_lost_is_settled(protocol: Protocol) -> None:
    """The put had landed and the settle had not: the hold is ended at the bill that stands."""
    held = await protocol.held(400)
    line = line_of(protocol, held, 150)
    await protocol.usage.put(line.record)
    assert (await recovered(protocol, line)).done == "settled"
    assert (await window(protocol)).settled == 150
    await protocol.assert_books_balance()


async def test_what_a_reclaim_took_too_much_is_given_back(protocol: Protocol) -> None:
    """The estimated bill stays as it is; a signed record beside it has the request's own facts and says who."""
    held = await protocol.held(400)
    await reclaimed(protocol, held)
    (bill,) = await records(protocol)
    line = line_of(protocol, held, 150)
    assert (await recovered(protocol, line)).done == "corrected"
    assert (await window(protocol)).settled == 150
    standing, correction = sorted(await records(protocol), key=lambda record: record.kind, reverse=True)
    assert standing == bill
    assert correction.key.pk == bill.key.pk
    assert correction.key.sk == f"{bill.key.sk}#c1"
    assert (correction.cost, correction.uncollected, correction.actor) == (-250, 0, "ann")
    assert correction.counts.output_tokens == 7
    assert "claude-haiku-4-5 cost $0.00000015, not $0.0000004" in correction.reason
    of_model = {(record.provider, record.model_asked, record.model_used) for record in (standing, correction)}
    assert len(of_model) == 1, "the sum of some model would be negative"
    await protocol.assert_books_balance()
    again = await recovered(protocol, line)
    assert (again.done, again.correction) == ("nothing", correction)
    assert (await window(protocol)).settled == 150


async def test_a_reclaim_that_died_half_way_is_finished_first(protocol: Protocol) -> None:
    """Its record stands and so does the hold: that is settled, and then corrected."""
    held = await protocol.held(400)
    await reclaimed(protocol, held)
    (bill,) = await records(protocol)
    other = await protocol.held(300)
    await protocol.usage.put(replace(bill, key=protocol.record(other.hold, 0).key, cost=300))
    assert (await recovered(protocol, line_of(protocol, other, 20))).done == "corrected"
    after = await window(protocol)
    assert (after.settled, after.holds) == (420, {})
    await protocol.assert_books_balance()


async def test_a_bill_above_what_a_reclaim_took_is_uncollected(protocol: Protocol) -> None:
    """Nothing is taken afterwards: others may hold the rest of the limit by now."""
    held = await protocol.held(400)
    await reclaimed(protocol, held)
    await protocol.held(600)
    await recovered(protocol, line_of(protocol, held, 900))
    (correction,) = await corrections(protocol)
    assert (correction.cost, correction.uncollected) == (0, 500)
    after = await window(protocol)
    assert (after.settled, after.committed) == (400, 1_000)
    await protocol.assert_books_balance()


async def test_a_reset_in_between_is_not_given_back_again_below_zero(protocol: Protocol) -> None:
    """What is settled never falls below 0, and stays the sum of the records."""
    held = await protocol.held(400)
    await reclaimed(protocol, held)
    await reset(protocol.budgets, protocol.usage, KEY, an_order(1), int(protocol.clock.now_s))
    await protocol.end(await protocol.held(30), 30)
    await recovered(protocol, line_of(protocol, held, 150))
    assert [record.cost for record in await corrections(protocol)] == [-30]
    assert (await window(protocol)).settled == 0
    await protocol.assert_books_balance()


async def test_the_window_before_is_corrected_where_the_request_was_in_it(protocol: Protocol) -> None:
    """The window that runs now keeps its own money."""
    held = await protocol.held(400)
    await reclaimed(protocol, held)
    await next_day(protocol)
    await recovered(protocol, line_of(protocol, held, 150))
    item = await protocol.item()
    assert item.previous is not None
    assert (item.previous.settled, item.previous.committed) == (150, 150)
    assert (await window(protocol)).settled == 100
    await protocol.assert_books_balance()


async def test_a_window_that_is_gone_is_corrected_in_the_records_alone(protocol: Protocol) -> None:
    """Reports are right, and no other window pays or gains."""
    held = await protocol.held(400)
    await reclaimed(protocol, held)
    for _ in range(2):
        await next_day(protocol)
    before = await protocol.item()
    line = line_of(protocol, held, 150)
    outcome = await recovered(protocol, line)
    assert isinstance(outcome.step, Correct)
    assert outcome.step.window_is_gone
    assert [record.cost for record in await corrections(protocol)] == [-250]
    assert await protocol.item() == before
    assert (await recovered(protocol, line)).done == "nothing"
    assert len(await corrections(protocol)) == 1


async def test_a_window_waits_for_its_correction_before_it_rolls(protocol: Protocol) -> None:
    """The process died after it wrote the correction down: the window before gives way once that is applied."""
    held = await protocol.held(400)
    await reclaimed(protocol, held)
    await next_day(protocol)
    await died_after(protocol, line_of(protocol, held, 150), "intend_correction")
    pending = (await protocol.item()).adjustment
    assert pending is not None
    protocol.clock.now_s += DAY_S
    assert isinstance(await protocol.hold(10), Held)
    item = await protocol.item()
    assert item.adjustment is None
    assert [record.cost for record in await corrections(protocol)] == [-250]
    await protocol.assert_books_balance()


async def died_after(protocol: Protocol, line: Unsettled, write: str) -> None:
    """Recover, with a process that dies right after a write of the budget or, by `put`, of the correction."""
    budgets, usage = protocol.budgets, protocol.usage
    wrapped = budgets if hasattr(budgets, write) else usage
    original = getattr(wrapped, write)

    async def write_and_die(*arguments: object, **named: object) -> None:
        result = await original(*arguments, **named)
        if write != "put" or getattr(result, "kind", "") == "correction":
            raise StoreUnavailable("the budget store did not answer")

    setattr(wrapped, write, write_and_die)
    with contextlib.suppress(StoreUnavailable):
        await recovered(protocol, line)
    delattr(wrapped, write)


@pytest.mark.parametrize("write", ["settle", "change_hold"])
async def test_dying_between_the_steps_of_a_settle_bills_once(protocol: Protocol, write: str) -> None:
    held = await protocol.held(100)
    line = line_of(protocol, held, 150)
    await died_after(protocol, line, write)
    await recovered(protocol, line)
    assert [record.cost for record in await records(protocol)] == [150]
    assert (await window(protocol)).settled == 150
    await protocol.assert_books_balance()


@pytest.mark.parametrize("write", ["intend_correction", "put", "apply_adjustment"])
@pytest.mark.parametrize("finisher", ["the same command", "the reconciler", "another order"])
async def test_dying_between_the_steps_of_a_correction_gives_back_once(
    protocol: Protocol, write: str, finisher: str
) -> None:
    """Whoever comes next finishes it, and nobody does so twice."""
    held = await protocol.held(400)
    await reclaimed(protocol, held)
    line = line_of(protocol, held, 150)
    await died_after(protocol, line, write)
    pending = (await protocol.item()).adjustment
    if finisher == "the reconciler" and pending is not None:
        await finish_adjustment(protocol.budgets, protocol.usage, KEY, pending)
    elif finisher == "another order":
        await adjust(protocol.budgets, protocol.usage, KEY, an_order(2), 50, int(protocol.clock.now_s))
    await recovered(protocol, line)
    assert [record.cost for record in await corrections(protocol)] == [-250]
    assert (await window(protocol)).settled == 150 + 50 * (finisher == "another order")
    await protocol.assert_books_balance()


async def test_an_order_between_the_look_and_the_correction_does_not_double_it(protocol: Protocol) -> None:
    """Two commands look at once; the other corrects, and an order follows it, before this one writes."""
    held = await protocol.held(400)
    await reclaimed(protocol, held)
    line = line_of(protocol, held, 150)
    original = protocol.budgets.intend_correction
    others = BudgetStore.__new__(BudgetStore)
    others.__dict__.update(protocol.budgets.__dict__)

    async def overtaken(*arguments: object, **named: object) -> BudgetItem:
        protocol.budgets.intend_correction = original  # type: ignore[method-assign]  # once
        await recover(others, protocol.usage, line, "bob", dry_run=False)
        await adjust(others, protocol.usage, KEY, an_order(3), 500, int(protocol.clock.now_s))
        return await original(*arguments, **named)  # type: ignore[arg-type]  # passed on as they came

    protocol.budgets.intend_correction = overtaken  # type: ignore[method-assign]  # a process that is slow
    await recovered(protocol, line)
    assert [(record.cost, record.actor) for record in await corrections(protocol)] == [(-250, "bob")]
    assert (await window(protocol)).settled == 650
    await protocol.assert_books_balance()


async def test_a_reclaim_between_the_look_and_the_settle_is_corrected(protocol: Protocol) -> None:
    """The hold expires in that moment: the reclaim's bill stands, and only the difference is given back."""
    held = await protocol.held(400)
    original = protocol.usage.put

    async def overtaken(record: UsageRecord) -> UsageRecord:
        protocol.usage.put = original  # type: ignore[method-assign]  # once
        await reclaimed(protocol, held)
        return await original(record)

    protocol.usage.put = overtaken  # type: ignore[method-assign]  # a process that is slow
    outcome = await recovered(protocol, line_of(protocol, held, 150))
    assert outcome.done == "corrected"
    assert outcome.bill is not None
    assert (outcome.bill.status, outcome.bill.cost) == ("reclaimed", 400)
    assert [record.cost for record in await corrections(protocol)] == [-250]
    assert (await window(protocol)).settled == 150
    await protocol.assert_books_balance()


async def test_many_at_once_bill_once(protocol: Protocol) -> None:
    """Eight commands over the same two lines, one for a hold that stands and one for a reclaimed one."""
    standing, gone = await protocol.held(300), await protocol.held(400)
    await reclaimed(protocol, gone)
    lines = [line_of(protocol, standing, 100), line_of(protocol, gone, 150)]
    await asyncio.gather(*(recovered(protocol, line) for line in lines * 8))
    assert (await window(protocol)).settled == 250
    assert len(await records(protocol)) == 3
    await protocol.assert_books_balance()


@pytest.mark.parametrize("state", ["held", "reclaimed", "settled"])
async def test_a_dry_run_says_what_is_due_and_writes_nothing(protocol: Protocol, state: str) -> None:
    held = await protocol.held(400)
    line = line_of(protocol, held, 150)
    if state == "reclaimed":
        await reclaimed(protocol, held)
    elif state == "settled":
        await recovered(protocol, line)
    before = (await protocol.item(), await records(protocol))
    outcome = await recovered(protocol, line, dry_run=True)
    assert outcome.done == {"held": "settled", "reclaimed": "corrected", "settled": "nothing"}[state]
    assert (await protocol.item(), await records(protocol)) == before


async def test_lines_that_contradict_the_store_change_nothing(protocol: Protocol) -> None:
    """Another deployment's log, another window, another cost."""
    held, settled, gone = await protocol.held(100), await protocol.held(200), await protocol.held(300)
    await protocol.end(settled, 50)
    await reclaimed(protocol, gone)
    elsewhere = Held(replace(held.hold, hold_id=protocol.ask().hold_id), held.item, held.limit)
    before = (await protocol.item(), await records(protocol))

    def in_another_window(line: Unsettled) -> Unsettled:
        start_s = line.record.window_start_s + DAY_S
        return replace(line, record=replace(line.record, window_start_s=start_s))

    for line, message in (
        (line_of(protocol, elsewhere, 10), "neither its hold nor its bill"),
        (in_another_window(line_of(protocol, held, 10)), "another window"),
        (in_another_window(line_of(protocol, gone, 10)), "another window"),
        (line_of(protocol, settled, 51), "billed at"),
    ):
        with pytest.raises(RecoveryRefused, match=message):
            await recovered(protocol, line)
    assert (await protocol.item(), await records(protocol)) == before


async def test_a_refused_request_that_never_knew_its_window_costs_nothing(protocol: Protocol) -> None:
    """Its hold landed with the answer lost, and expired: all of it is given back. Or it never landed."""
    held = await protocol.held(400)
    await reclaimed(protocol, held)
    unknown = line_of(protocol, held, 0)
    unknown = replace(unknown, record=replace(unknown.record, window_start_s=0, status="refused"))
    assert (await recovered(protocol, unknown)).done == "corrected"
    assert (await window(protocol)).settled == 0
    never = line_of(protocol, Held(replace(held.hold, hold_id=protocol.ask().hold_id), held.item, 0), 0)
    assert (await recovered(protocol, never)).done == "nothing"
    await protocol.assert_books_balance()
