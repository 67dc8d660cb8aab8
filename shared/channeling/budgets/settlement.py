"""Ending a hold: the usage record first, then the budget at the cost that stands in that record.

Whoever ends a hold (the request itself, or a later one that finds its process died) puts the record under a key
made from the hold alone. The first one wins; the loser takes the cost found there. So however many try, and
wherever any of them dies, one bill is written and the budget settles at that one.
"""

from msgspec import Struct
from msgspec.structs import replace

from channeling.budgets.decide import HoldAsk
from channeling.budgets.hold_id import hold_started_s
from channeling.budgets.item import BudgetItem
from channeling.budgets.store import BudgetStore, Hold, Refused, window_of
from channeling.usage.record import RecordKey, UsageRecord, record_key
from channeling.usage.store import UsageStore

# A hold's amount can change between what we last saw and the settle only if one of our own answers was lost, so
# that a second look settles it; more than a few are a defect, and the reclaimer's work.
_MAX_SETTLE_TRIES = 4


class Ended(Struct, frozen=True):
    """A hold's end: the record that stands and the budget after it. `settled_here` is False where the hold was
    found settled: by another, or by ourselves with the answer lost."""

    record: UsageRecord
    item: BudgetItem
    settled_here: bool = True


def key_of_record(hold: Hold | HoldAsk) -> RecordKey:
    """Return where the record of a hold, or of one that is asked for, belongs."""
    key = hold.key
    return record_key(key.project_id, key.user_id, key.kind, hold.hold_id, hold_started_s(hold.hold_id))


async def end_hold(
    store: BudgetStore, usage: UsageStore, hold: Hold, record: UsageRecord, *, limit: int | None
) -> Ended:
    """End a hold with its bill: `record.cost` is the whole bill, which may be above the hold.

    What is above it is first added to the hold, by as much as `limit` (None: no ceiling) leaves room for; the
    rest is the record's `uncollected`. Raises StoreUnavailable; ending the same hold again is harmless.
    """
    bill = record.cost
    if bill > hold.amount:
        hold = await extend_towards(store, hold, bill, limit=limit)
    cost = min(bill, hold.amount)
    if (cost, bill - cost) != (
        record.cost,
        record.uncollected,
    ):  # rarely, and a copy of a record takes as long as all its fields in DynamoDB's form
        record = replace(record, cost=cost, uncollected=bill - cost)
    standing = await usage.put(record)
    return Ended(standing, *await _settle(store, hold, standing.cost))


async def extend_towards(store: BudgetStore, hold: Hold, amount: int, *, limit: int | None) -> Hold:
    """Raise a hold to `amount`, or to as much of it as fits under `limit`; return the hold as it then stands.

    A hold that stands higher than believed was to be lowered by a write whose answer never came. It is given
    another amount here, so that this write, should it land only now, finds its condition broken: landing between
    the record and the settling it would leave less to settle at than the record says.
    """
    if amount <= hold.amount:
        return hold
    wanted = amount
    for _ in range(_MAX_SETTLE_TRIES):
        try:
            await store.change_hold(hold, wanted, limit=limit if wanted > hold.amount else None)
            return replace(hold, amount=wanted)
        except Refused as refused:
            found = window_of(refused.item, hold.window_start_s)
            if found is None or hold.hold_id not in found[0].holds:
                return hold
            window = found[0]
            standing, believed = window.holds[hold.hold_id], hold.amount
            hold = replace(hold, amount=standing)
            room = amount if limit is None else max(0, limit - window.committed)
            wanted = min(amount, standing + room)
            if wanted <= standing:
                if standing <= believed:
                    return hold
                wanted = standing + (1 if room else -1)
    return hold


async def settle_hold(store: BudgetStore, hold: Hold, cost: int) -> BudgetItem:
    """Settle a hold at the cost that its record says; a hold that is gone was settled already."""
    item, _ = await _settle(store, hold, cost)
    return item


async def _settle(store: BudgetStore, hold: Hold, cost: int) -> tuple[BudgetItem, bool]:
    """Return the budget, and whether it was this call that settled the hold."""
    for _ in range(_MAX_SETTLE_TRIES):
        try:
            if cost > hold.amount:
                # Lowered after the record was put. The record is the bill, and what was lowered was its money.
                await store.change_hold(hold, cost, limit=None)
                hold = replace(hold, amount=cost)
            return await store.settle(hold, cost), True
        except Refused as refused:
            found = window_of(refused.item, hold.window_start_s)
            if found is None or hold.hold_id not in found[0].holds:
                return refused.item, False
            hold = replace(hold, amount=found[0].holds[hold.hold_id])
    raise RuntimeError("a hold changes as fast as it can be settled; it is left to expire")


async def release_unconfirmed(
    store: BudgetStore, usage: UsageStore, ask: HoldAsk, record: UsageRecord
) -> None:
    """End a hold that may or may not have landed, of a request that goes no further: at 0, as its record says.

    The record comes first here too: should the hold land only now, whoever reclaims it finds that it cost nothing.
    Raises StoreUnavailable.
    """
    standing = await usage.put(record)
    item = await store.read(ask.key)
    for window in (item.window, item.previous):
        if window is not None and ask.hold_id in window.holds:
            hold = Hold(ask.key, ask.hold_id, window.start_s, window.holds[ask.hold_id])
            await settle_hold(store, hold, standing.cost)


async def reclaim_hold(store: BudgetStore, usage: UsageStore, hold: Hold) -> Ended:
    """End the hold of a request that died: at its record if one was put, else at the amount held, as estimated."""
    started_s = hold_started_s(hold.hold_id)
    record = UsageRecord(
        key=key_of_record(hold),
        project_id=hold.key.project_id,
        user_id=hold.key.user_id,
        window_kind=hold.key.kind,
        window_start_s=hold.window_start_s,
        started_ms=started_s * 1000,
        request_id="",
        status="reclaimed",
        cost=hold.amount,
        estimated=True,
    )
    standing = await usage.put(record)
    return Ended(standing, *await _settle(store, hold, standing.cost))
