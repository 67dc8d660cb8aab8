"""Admitting a request: one conditional write in the common case, and a bounded number of tries in the others."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from channeling.budgets.decide import (
    AdjustmentPending,
    AlreadyHeld,
    Decision,
    ExpiredHolds,
    HoldAsk,
    NothingInTheWay,
    NoWindow,
    OverBudget,
    Raised,
    Revoked,
    TooManyConcurrent,
    WindowEnded,
    decide,
)
from channeling.budgets.item import Adjustment, BudgetItem, BudgetKey, WindowState
from channeling.budgets.store import BudgetStore, Hold, Refused
from channeling.budgets.windows import Grid, first_window, next_window
from channeling.clock import Clock
from channeling.errors import Overloaded

# Each reason to try again removes itself (a window created, rolled, reclaimed, a raise read), so that more than a
# few tries mean that others change the item as fast as we do.
MAX_TRIES = 8

Reclaim = Callable[[Hold], Awaitable[None]]
FinishAdjustment = Callable[[BudgetKey, Adjustment], Awaitable[None]]


class Held(Struct, frozen=True):
    """The request is admitted. `limit` is the token's with any raise of the window, in nanodollars."""

    hold: Hold
    item: BudgetItem
    limit: int


class NotHeld(Struct, frozen=True):
    """The request is refused, and nothing is held. `limit` as for Held."""

    reason: Revoked | TooManyConcurrent | OverBudget
    limit: int


async def hold_amount(
    store: BudgetStore,
    ask: HoldAsk,
    amount: int,
    clock: Clock,
    reclaim: Reclaim,
    finish_adjustment: FinishAdjustment,
) -> Held | NotHeld:
    """Hold `amount` nanodollars for a request, rolling, reclaiming and raising as the item demands.

    `reclaim` ends a hold whose request died, `finish_adjustment` carries out an operator's order that was left
    half done. Raises StoreUnavailable, and Overloaded when others change the same budget faster than MAX_TRIES
    tries can follow.
    """
    raise_counted = 0
    decision: Decision | None = None
    for _ in range(MAX_TRIES):
        now_s = clock.now_ms() // 1000
        try:
            item = await _write(store, ask, amount, now_s, decision, raise_counted)
            return Held(
                Hold(ask.key, ask.hold_id, _live(item).start_s, amount), item, ask.limit + raise_counted
            )
        except Refused as refused:
            standing = refused.item
        decision = decide(standing, ask, amount, now_s, raise_counted=raise_counted)
        match decision:
            case AlreadyHeld(window):
                hold = Hold(ask.key, ask.hold_id, window.start_s, window.holds[ask.hold_id])
                return Held(hold, standing, ask.limit + standing.live_raise())
            case Revoked() | TooManyConcurrent() | OverBudget():
                return NotHeld(decision, ask.limit + raise_counted)
            case NoWindow() | WindowEnded() if not _fits_alone(ask, amount):
                fresh = _grid(ask, decision, now_s).window
                return NotHeld(OverBudget(WindowState(fresh.start_s, fresh.end_s, 0, 0, {})), ask.limit)
            case ExpiredHolds(holds):
                for window, hold_id in holds:
                    await reclaim(Hold(ask.key, hold_id, window.start_s, window.holds[hold_id]))
            case AdjustmentPending(adjustment):
                await finish_adjustment(ask.key, adjustment)
            case Raised(amount=raised):
                raise_counted = raised
            case NoWindow() | WindowEnded() | NothingInTheWay():
                pass  # the next try lays the window, or holds in the one that another request has laid
    raise Overloaded("this user's budget is being changed by too many requests at once; try again")


async def _write(
    store: BudgetStore, ask: HoldAsk, amount: int, now_s: int, decision: Decision | None, raise_counted: int
) -> BudgetItem:
    match decision:
        case NoWindow():
            return await store.create(ask, amount, _grid(ask, decision, now_s))
        case WindowEnded(ended):
            return await store.roll(ask, amount, ended, _grid(ask, decision, now_s))
        case _:
            return await store.hold(ask, amount, now_s, raise_counted=raise_counted)


def _grid(ask: HoldAsk, decision: NoWindow | WindowEnded, now_s: int) -> Grid:
    match decision:
        case WindowEnded(ended, origin_s):
            return next_window(
                ask.key.kind,
                origin_s=origin_s,
                ended_s=ended.end_s,
                token_start_s=ask.token_window_start_s,
                now_s=now_s,
            )
        case NoWindow():
            return first_window(ask.key.kind, ask.token_window_start_s, now_s)


def _fits_alone(ask: HoldAsk, amount: int) -> bool:
    # A new window has nothing in it, so no condition of the write looks at the limit: this line does.
    return amount <= ask.ceiling or (ask.enforcement == "soft" and ask.limit > 0)


def _live(item: BudgetItem) -> WindowState:
    if item.window is None:
        raise TypeError("a hold was written and its budget has no window")
    return item.window
