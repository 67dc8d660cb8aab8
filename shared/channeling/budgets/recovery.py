"""Recovering a request that the log knows and the store does not: its hold is settled, or its bill is corrected.

A request whose end the store did not answer leaves its whole record in the log. While its hold stands, that
record is put and settled, just as the request would have done it. Once the hold has expired, somebody ends it at
the amount held, as an estimate; that bill stays, and a second record, the correction, says how wrong it is.

A correction only ever gives back. Where the true bill is above what was held, the rest is the correction's
`uncollected`: the money may be held by others since, and no limit may be passed.

It is given back once, whatever dies in between or runs twice. Its id is made from the hold's; it is written down in
the budget, recorded, and then applied, in this order; and it is only written down while no record of it stands and
nothing was adjusted since that was looked up. A window does not give way to a third while one is written down.
"""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from channeling.budgets.correction import correction_id, key_of_adjustment
from channeling.budgets.item import Adjustment, BudgetItem
from channeling.budgets.operations import Order, finish_adjustment
from channeling.budgets.settlement import end_hold, settle_hold
from channeling.budgets.store import BudgetStore, Hold, Refused, window_of
from channeling.budgets.unsettled_log import Unsettled
from channeling.money import dollars
from channeling.usage.record import UsageRecord
from channeling.usage.store import UsageStore

# Each try finds one step more done, or a budget that others changed meanwhile.
_MAX_TRIES = 16
_MAX_MODEL_CHARACTERS = 64  # of a reason, which stands in the budget item for a moment


class RecoveryRefused(Exception):
    """The store and the line contradict each other, and nothing was changed; the message says in what."""


class Seen(Struct, frozen=True):
    """What the store says of a request: its user's budget, its bill, and the correction of that."""

    item: BudgetItem
    bill: UsageRecord | None
    correction: UsageRecord | None


class EndHold(Struct, frozen=True):
    """No bill stands, and the hold does: put the record and settle, as the request would have."""

    hold: Hold


class SettleHold(Struct, frozen=True):
    """The bill stands and so does the hold: whoever put the bill died before it settled."""

    hold: Hold
    cost: int


class FinishAdjustment(Struct, frozen=True):
    """Another order stands in the way, or this correction itself, half done: carry it out first."""

    adjustment: Adjustment


class Correct(Struct, frozen=True):
    """The bill was an estimate: put the correction. `amount` ≤ 0 is given back; its window may be gone."""

    bill: UsageRecord
    amount: int
    uncollected: int
    window_is_gone: bool


class Nothing(Struct, frozen=True):
    """There is nothing to do, and why."""

    reason: str


Step = EndHold | SettleHold | FinishAdjustment | Correct | Nothing


class Recovered(Struct, frozen=True):
    """What was done, or in a dry run would be. `bill` and `correction` are the records that stand after it.

    In a dry run they are those that stand before it, and `step` the first that is due.
    """

    done: Literal["settled", "corrected", "nothing"]
    step: Step
    bill: UsageRecord | None
    correction: UsageRecord | None


async def recover(
    budgets: BudgetStore, usage: UsageStore, unsettled: Unsettled, actor: str, *, dry_run: bool
) -> Recovered:
    """Bring a request's bill and budget to what its log line says; again, or at the same time, is harmless.

    Raises RecoveryRefused and StoreUnavailable, and OperationRefused for an actor's name that cannot be.
    """
    Order(unsettled.hold_id, actor, "recovered from the log")
    done: Literal["settled", "corrected", "nothing"] = "nothing"
    taken: Step | None = None
    for _ in range(_MAX_TRIES):
        seen = await _look(budgets, usage, unsettled)
        step = next_step(unsettled, seen)
        if isinstance(step, Nothing) and not dry_run:
            await _mark_late(usage, seen)
        if isinstance(step, Nothing) or dry_run:
            return Recovered(_done_by(step) if dry_run else done, taken or step, seen.bill, seen.correction)
        if await _take(budgets, usage, unsettled, seen, step, actor):
            done, taken = _done_by(step), step
    raise RecoveryRefused("this budget changes faster than it can be followed; try again")


def next_step(unsettled: Unsettled, seen: Seen) -> Step:
    """Return what is to be done first; raise RecoveryRefused. Pure."""
    record, bill = unsettled.record, seen.bill
    hold = _hold_of(unsettled, seen.item)
    if bill is None:
        if hold is None:
            if record.cost == 0:
                return Nothing("it held nothing and cost nothing")
            raise RecoveryRefused(
                "neither its hold nor its bill stands here; is this another deployment's log?"
            )
        _check_window(record, hold.window_start_s)
        return EndHold(hold)
    if hold is not None:
        return SettleHold(hold, bill.cost)
    if bill.status != "reclaimed":
        billed = bill.cost + bill.uncollected
        if billed != record.cost:
            raise RecoveryRefused(
                f"it is billed at ${dollars(billed)}, and the line says ${dollars(record.cost)}"
            )
        return Nothing("it is billed and settled at what the line says")
    _check_window(record, bill.window_start_s)
    pending = seen.item.adjustment
    if pending is not None and (
        seen.correction is None or pending.adjustment_id == correction_id(unsettled.hold_id)
    ):
        return FinishAdjustment(pending)
    if seen.correction is not None:
        return Nothing("its bill is corrected already")
    return _correction(record, bill, seen.item)


def _correction(record: UsageRecord, bill: UsageRecord, item: BudgetItem) -> Correct | Nothing:
    difference = record.cost - bill.cost
    if difference == 0:
        return Nothing("it was billed at the amount held, which is what it cost")
    found = window_of(item, bill.window_start_s)
    amount = min(difference, 0)
    if found is not None:
        # A reset may have given it back already; what is settled never falls below 0.
        amount = max(amount, -found[0].settled)
    return Correct(bill, amount, max(difference, 0), window_is_gone=found is None)


def _hold_of(unsettled: Unsettled, item: BudgetItem) -> Hold | None:
    for window in (item.window, item.previous):
        if window is not None and unsettled.hold_id in window.holds:
            amount = window.holds[unsettled.hold_id]
            return Hold(unsettled.budget_key, unsettled.hold_id, window.start_s, amount)
    return None


def _check_window(record: UsageRecord, window_start_s: int) -> None:
    # 0 is a request that never learnt which window its hold was in.
    if record.window_start_s not in (0, window_start_s):
        raise RecoveryRefused("it was admitted in another window than the line says")


def _done_by(step: Step) -> Literal["settled", "corrected", "nothing"]:
    match step:
        case EndHold() | SettleHold():
            return "settled"
        case Correct() | FinishAdjustment():  # an order that stands in the way of a correction
            return "corrected"
        case Nothing():
            return "nothing"


async def _look(budgets: BudgetStore, usage: UsageStore, unsettled: Unsettled) -> Seen:
    # In this order: a hold ends, and a correction is applied, only after its record was put. So what is no longer
    # seen in the budget is seen in the records.
    item = await budgets.read(unsettled.budget_key)
    bill = await usage.get(unsettled.record.key)
    correction = await usage.get(key_of_adjustment(unsettled.budget_key, correction_id(unsettled.hold_id)))
    return Seen(item, bill, correction)


async def _take(
    budgets: BudgetStore, usage: UsageStore, unsettled: Unsettled, seen: Seen, step: Step, actor: str
) -> bool:
    """Take one step; return whether it was this request's own, and was made."""
    match step:
        case EndHold(hold):
            ended = await end_hold(budgets, usage, hold, _of_window(unsettled, hold), limit=unsettled.limit)
            return ended.record.status != "reclaimed"
        case SettleHold(hold, cost):
            await _mark_late(usage, seen)
            await settle_hold(budgets, hold, cost)
            return True
        case FinishAdjustment(adjustment):
            mine = adjustment.adjustment_id == correction_id(unsettled.hold_id)
            if mine and seen.bill is not None:
                await usage.put(_correction_record(unsettled, seen.bill, adjustment))
            await finish_adjustment(budgets, usage, unsettled.budget_key, adjustment)
            return mine
        case Correct():
            return await _correct(budgets, usage, unsettled, seen, step, actor)
        case Nothing():
            return False


async def _correct(
    budgets: BudgetStore, usage: UsageStore, unsettled: Unsettled, seen: Seen, step: Correct, actor: str
) -> bool:
    record = unsettled.record
    model = record.model_used or record.model_asked
    what = model[:_MAX_MODEL_CHARACTERS] if model and model.isprintable() else "it"
    reason = f"recovered from the log: {what} cost ${dollars(record.cost)}, not ${dollars(step.bill.cost)}"
    correction = Adjustment(
        correction_id(unsettled.hold_id), step.amount, step.bill.window_start_s, "correction", actor, reason
    )
    found = window_of(seen.item, step.bill.window_start_s)
    if found is not None:
        try:
            await budgets.intend_correction(
                unsettled.budget_key, correction, found[1], last_adjusted_id=seen.item.adjusted_id
            )
        except Refused:
            return False  # others changed the budget: look again
    await usage.put(_correction_record(unsettled, step.bill, correction))
    if found is not None:
        await finish_adjustment(budgets, usage, unsettled.budget_key, correction)
    return True


def _correction_record(unsettled: Unsettled, bill: UsageRecord, correction: Adjustment) -> UsageRecord:
    """The request as it really was, with what its bill was wrong by.

    Provider and model are those of the bill, which names none: reports sum by them, and taking from one what was
    charged to another would make its sum negative. The reason names the model.
    """
    record = unsettled.record
    return replace(
        record,
        key=key_of_adjustment(unsettled.budget_key, correction.adjustment_id),
        window_start_s=bill.window_start_s,
        cost=correction.amount,
        uncollected=max(0, record.cost - bill.cost),
        provider=bill.provider,
        model_asked=bill.model_asked,
        model_used=bill.model_used,
        kind="correction",
        actor=correction.actor,
        reason=correction.reason,
    )


def _of_window(unsettled: Unsettled, hold: Hold) -> UsageRecord:
    return replace(unsettled.record, window_start_s=hold.window_start_s)


async def _mark_late(usage: UsageStore, seen: Seen) -> None:
    """Put what stands again: whoever put it may have died before it marked the hour that it came late into."""
    for standing in (seen.bill, seen.correction):
        if standing is not None:
            await usage.put(standing)
