"""Why a hold was refused: a pure reading of the item that stood in its way."""

from msgspec import Struct

from channeling.budgets.item import Adjustment, BudgetItem, BudgetKey, WindowState
from channeling.enforcement import Enforcement


class HoldAsk(Struct, frozen=True):
    """What a request asks of its user's budget. Money in nanodollars.

    `limit` is what its token says; `reserve` is what has to be left free beside the hold.
    """

    key: BudgetKey
    hold_id: str
    limit: int
    token_window_start_s: int
    issued_at_ms: int
    max_concurrent: int
    hold_lifetime_s: int
    enforcement: Enforcement
    reserve: int = 0

    @property
    def ceiling(self) -> int:
        """What may be committed with the hold, no raise counted."""
        return self.limit - self.reserve


class Revoked(Struct, frozen=True):
    """The token was issued before the user's last revocation."""


class AlreadyHeld(Struct, frozen=True):
    """Our own write had landed and its answer was lost: go on with it."""

    window: WindowState


class NoWindow(Struct, frozen=True):
    """The user has no window yet: create it."""


class WindowEnded(Struct, frozen=True):
    """The window, on the grid of `origin_s`, has ended: roll it."""

    window: WindowState
    origin_s: int


class AdjustmentPending(Struct, frozen=True):
    """The window has ended with an operator's order not yet carried out: finish that before it is rolled."""

    adjustment: Adjustment


class ExpiredHolds(Struct, frozen=True):
    """Holds of requests that died stand in the way: reclaim them."""

    holds: tuple[tuple[WindowState, str], ...]


class TooManyConcurrent(Struct, frozen=True):
    """The user has as many requests in flight as the project allows."""

    in_flight: int


class Raised(Struct, frozen=True):
    """An operator raised this window's limit by `amount`: try with it."""

    amount: int


class OverBudget(Struct, frozen=True):
    """It does not fit: what is settled and held leaves too little."""

    window: WindowState


class NothingInTheWay(Struct, frozen=True):
    """Another request changed the item between: hold in the window that stands there now."""


Decision = (
    Revoked
    | AlreadyHeld
    | NoWindow
    | WindowEnded
    | AdjustmentPending
    | ExpiredHolds
    | TooManyConcurrent
    | Raised
    | OverBudget
    | NothingInTheWay
)


def decide(item: BudgetItem, ask: HoldAsk, amount: int, now_s: int, *, raise_counted: int) -> Decision:
    """Name the reason why `amount` was not held, the first that applies in this order.

    `raise_counted` is what the refused try had added to the limit; a different live raise is worth one more.
    """
    if item.revoked_before_ms is not None and item.revoked_before_ms >= ask.issued_at_ms:
        return Revoked()
    for window in (item.window, item.previous):
        if window is not None and ask.hold_id in window.holds:
            return AlreadyHeld(window)
    if item.window is None:
        return NoWindow()
    ended = item.window.end_s <= now_s
    if ended and item.adjustment is not None:
        return AdjustmentPending(item.adjustment)
    if ended and not (item.previous and item.previous.holds):
        return WindowEnded(item.window, item.origin_s)
    expired = item.expired_holds(now_s, ask.hold_lifetime_s)
    if expired:
        return ExpiredHolds(tuple(expired))
    if ended and item.previous is not None:
        # The window before the ended one still has live holds: only clocks that disagree can bring this
        # about, and it passes as these end.
        return TooManyConcurrent(len(item.window.holds) + len(item.previous.holds))
    if len(item.window.holds) >= ask.max_concurrent:
        return TooManyConcurrent(len(item.window.holds))
    if item.live_raise() != raise_counted:
        return Raised(item.live_raise())
    limit = ask.ceiling + raise_counted
    fits = (
        item.window.committed < limit
        if ask.enforcement == "soft"
        else item.window.committed <= limit - amount
    )
    return NothingInTheWay() if fits else OverBudget(item.window)
