"""Each line of the protocol that is broken on purpose breaks, in the simulation, the promise it was written for."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

import channeling.budgets.admission
import channeling.budgets.item
import channeling.budgets.settlement
import channeling.budgets.store
import channeling.hold_request
import channeling.reconcile.expired_holds
import channeling.settle_request
import channeling.standing_hold
from channeling.budgets.conditions import CURRENT, Clause, WindowAttributes
from channeling.budgets.decide import AlreadyHeld, Decision, HoldAsk, NothingInTheWay, decide
from channeling.budgets.item import BudgetItem
from channeling.budgets.settlement import Ended, extend_towards, key_of_record, reclaim_hold, settle_hold
from channeling.budgets.store import BudgetStore, Hold, Refused
from channeling.budgets.windows import Grid, tile
from channeling.usage.record import RecordKey, UsageRecord
from channeling.usage.store import UsageStore
from channeling.window_kind import WindowKind
from simulation.run import run_seed

MOST_SEEDS = 400

Patch = pytest.MonkeyPatch


def settle_before_the_record(patch: Patch) -> None:
    """A death between the two loses the bill."""

    async def end_hold(
        store: BudgetStore, usage: UsageStore, hold: Hold, record: UsageRecord, *, limit: int | None
    ) -> Ended:
        bill = record.cost
        hold = await extend_towards(store, hold, bill, limit=limit)
        cost = min(bill, hold.amount)
        item = await settle_hold(store, hold, cost)
        return Ended(await usage.put(replace(record, cost=cost, uncollected=bill - cost)), item)

    patch.setattr(channeling.settle_request, "end_hold", end_hold)


def no_ceiling(patch: Patch) -> None:
    """The clause that keeps `committed` under the limit is gone."""

    def leaves_room(limit: int, amount: int, attributes: WindowAttributes = CURRENT) -> Clause:
        return Clause(f"attribute_exists({attributes.committed})")

    patch.setattr(channeling.budgets.store, "committed_leaves_room", leaves_room)


def no_ceiling_for_extensions(patch: Patch) -> None:
    """A hold that stands grows whatever the limit is."""
    change_hold = BudgetStore.change_hold

    async def unlimited(self: BudgetStore, hold: Hold, amount: int, *, limit: int | None) -> BudgetItem:
        return await change_hold(self, hold, amount, limit=None)

    patch.setattr(BudgetStore, "change_hold", unlimited)


def reclaim_at_the_hold(patch: Patch) -> None:
    """A hold left behind is settled at what it held, although a record says what it cost."""
    _reclaim_at(patch, lambda hold: hold.amount)


def reclaim_at_zero(patch: Patch) -> None:
    """A hold left behind is let go for nothing."""
    _reclaim_at(patch, lambda _: 0)


def reclaim_the_living(patch: Patch) -> None:
    """A hold counts as left behind a second after it was made."""

    def expired_holds(self: BudgetItem, now_s: int, lifetime_s: int) -> list[tuple[Any, str]]:
        return expired(self, now_s, 1)

    expired = BudgetItem.expired_holds
    patch.setattr(BudgetItem, "expired_holds", expired_holds)


def record_key_of_whoever_ends_it(patch: Patch) -> None:
    """The reclaimer's record has a key of its own, so that both it and the request's own are written."""

    async def reclaim(store: BudgetStore, usage: UsageStore, hold: Hold) -> Ended:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(channeling.budgets.settlement, "key_of_record", own_key)
            return await reclaim_hold(store, usage, hold)

    def own_key(hold: Hold | HoldAsk) -> RecordKey:
        key = key_of_record(hold)
        return replace(key, sk=f"{key.sk}#reclaimed")

    for module in (channeling.hold_request, channeling.reconcile.expired_holds):
        patch.setattr(module, "reclaim_hold", reclaim)


def settle_without_its_hold(patch: Patch) -> None:
    """A settle does not ask that its hold still stands, so that one delivered twice counts twice."""

    def hold_is(hold_id: str, held: int, window_start_s: int, attributes: WindowAttributes) -> Clause:
        return Clause(
            f"{attributes.start} = :mine AND (attribute_not_exists({attributes.holds}.#id) OR :held = :held)",
            {"#id": hold_id},
            {":held": held, ":mine": window_start_s},
        )

    patch.setattr(channeling.budgets.store, "hold_is", hold_is)


def hold_whose_window_has_ended(patch: Patch) -> None:
    """A settle looks for its hold in the current window alone, and takes it for settled where it is not there."""

    async def settle(self: BudgetStore, hold: Hold, cost: int) -> BudgetItem:
        item = await self.read(hold.key)
        if item.window is None or item.window.start_s != hold.window_start_s:
            return item
        return await right(self, hold, cost)

    right = BudgetStore.settle
    patch.setattr(BudgetStore, "settle", settle)


def roll_over_open_holds(patch: Patch) -> None:
    """A window is moved aside although the one before it still has holds: these are gone."""
    _always(patch, "previous_window_is_closed")

    def careless(item: BudgetItem, *arguments: Any, **options: Any) -> Decision:
        return decide(replace(item, previous=None), *arguments, **options)

    patch.setattr(channeling.budgets.admission, "decide", careless)


def roll_twice(patch: Patch) -> None:
    """A roll does not ask whether another has rolled the window meanwhile."""

    def window_end_is(seen_s: int) -> Clause:
        return Clause("window_end > :seen_end OR window_end <= :seen_end", values={":seen_end": seen_s})

    patch.setattr(channeling.budgets.store, "window_end_is", window_end_is)


def every_token_lays_its_own_window(patch: Patch) -> None:
    """The next window is always laid on the newest token's grid."""

    def next_window(kind: WindowKind, *, origin_s: int, ended_s: int, token_start_s: int, now_s: int) -> Grid:
        return Grid(tile(kind, token_start_s, now_s), token_start_s)

    patch.setattr(channeling.budgets.admission, "next_window", next_window)


def a_lost_hold_is_not_recognised(patch: Patch) -> None:
    """A hold whose answer was lost is not found again: the request gives up, and leaves it behind."""

    def forgetful(item: BudgetItem, *arguments: Any, **options: Any) -> Decision:
        decision = decide(item, *arguments, **options)
        return NothingInTheWay() if isinstance(decision, AlreadyHeld) else decision

    patch.setattr(channeling.budgets.admission, "decide", forgetful)


def a_lost_extension_is_guessed(patch: Patch) -> None:
    """An extension that was refused counts as made."""
    change_hold = BudgetStore.change_hold

    async def guess(self: BudgetStore, hold: Hold, amount: int, *, limit: int | None) -> BudgetItem:
        try:
            return await change_hold(self, hold, amount, limit=limit)
        except Refused as refused:
            return refused.item

    patch.setattr(BudgetStore, "change_hold", guess)


def unconfirmed_holds_stay(patch: Patch) -> None:
    """A request that is refused since the store failed leaves the hold that may have landed."""

    async def release(*_: Any) -> None:
        """Do nothing."""

    patch.setattr(channeling.hold_request, "release_unconfirmed", release)


def revoked_tokens_hold(patch: Patch) -> None:
    """A hold does not ask whether its token was revoked."""
    _always(patch, "token_is_not_revoked")


def orders_overwrite_orders(patch: Patch) -> None:
    """An operator's order is written down over one that waits to be carried out."""
    _always(patch, "no_adjustment_is_pending")


def roll_over_orders(patch: Patch) -> None:
    """A window is moved aside although an order waits to be carried out in it."""
    _always(patch, "no_adjustment_is_pending")

    def careless(item: BudgetItem, *arguments: Any, **options: Any) -> Decision:
        return decide(replace(item, adjustment=None), *arguments, **options)

    patch.setattr(channeling.budgets.admission, "decide", careless)


def orders_are_applied_twice(patch: Patch) -> None:
    """An order is applied although another has done so meanwhile."""
    _always(patch, "adjustment_is_pending")


def _always(patch: Patch, clause: str) -> None:
    """Have a clause of conditions.py hold whatever the item is."""

    def holds(*_: Any) -> Clause:
        return Clause("attribute_exists(pk) OR attribute_not_exists(pk)")

    patch.setattr(channeling.budgets.store, clause, holds)


def _reclaim_at(patch: Patch, cost_of: Callable[[Hold], int]) -> None:
    async def reclaim(store: BudgetStore, usage: UsageStore, hold: Hold) -> Ended:
        record = UsageRecord(
            key=key_of_record(hold),
            project_id=hold.key.project_id,
            user_id=hold.key.user_id,
            window_kind=hold.key.kind,
            window_start_s=hold.window_start_s,
            started_ms=0,
            request_id="",
            status="reclaimed",
            cost=cost_of(hold),
            estimated=True,
        )
        await usage.put(record)
        return Ended(record, await settle_hold(store, hold, cost_of(hold)))

    for module in (channeling.hold_request, channeling.reconcile.expired_holds):
        patch.setattr(module, "reclaim_hold", reclaim)


# What is broken, and the promise that is then seen to be broken.
BREAKS: dict[Callable[[Patch], None], str] = {
    settle_before_the_record: "I2",
    no_ceiling: "I1",
    no_ceiling_for_extensions: "I1",
    reclaim_at_the_hold: "I2",
    reclaim_at_zero: "I5",
    reclaim_the_living: "I5",
    record_key_of_whoever_ends_it: "I3",
    settle_without_its_hold: "I2",
    hold_whose_window_has_ended: "I2",
    roll_over_open_holds: "I2",
    roll_twice: "I2",
    every_token_lays_its_own_window: "I6",
    a_lost_hold_is_not_recognised: "I5",
    a_lost_extension_is_guessed: "I1",
    unconfirmed_holds_stay: "I5",
    revoked_tokens_hold: "I4",
    orders_overwrite_orders: "I2",
    roll_over_orders: "I2",
    orders_are_applied_twice: "I2",
}


@pytest.mark.parametrize("break_it", BREAKS, ids=lambda break_it: break_it.__name__)
def test_a_broken_protocol_is_found(monkeypatch: Patch, break_it: Callable[[Patch], None]) -> None:
    """However many seeds it takes, up to a fraction of those that every change is tested with."""
    break_it(monkeypatch)
    assert seed_that_finds(BREAKS[break_it]) is not None


def seed_that_finds(promise: str) -> int | None:
    """Return the first seed that breaks a promise; None where none does."""
    for seed in range(1, MOST_SEEDS + 1):
        if any(violation.startswith(promise) for violation in run_seed(seed).violations):
            return seed
    return None
