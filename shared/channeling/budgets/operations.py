"""What an operator does to one user's budget: adjust, reset, raise, revoke; each leaves a usage record, put first.

An adjustment is written down in the budget item, recorded, and then applied, in this order. Whoever finds one that
was left half done carries on with what stands there, and each step happens once however often it is tried.
"""

import unicodedata
from collections.abc import Callable

from msgspec import Struct

from channeling.budgets.correction import key_of_adjustment
from channeling.budgets.hold_id import hold_started_s
from channeling.budgets.item import Adjustment, BudgetItem, BudgetKey, WindowState
from channeling.budgets.store import BudgetStore, Refused
from channeling.dynamodb import TransactionRefused
from channeling.money import dollars
from channeling.usage.record import RecordKind, UsageRecord
from channeling.usage.store import UsageStore

MAX_AMOUNT = 1_000_000 * 1_000_000_000
MAX_ACTOR_CHARACTERS = 100
MAX_REASON_CHARACTERS = 200  # it stands in the budget item for a moment, which every request writes
MAX_USER_ID_CHARACTERS = 256  # as in tokens
_MAX_TRIES = 32  # each one finishes another's adjustment or reads what a request changed


class OperationRefused(Exception):
    """The budget was left as it is; the message says why."""


class NoLiveWindow(OperationRefused):
    """There is no window to change: none yet, or it has ended."""


class Order(Struct, frozen=True):
    """Who wants a budget changed, and why. `order_id` is made by new_hold_id, new for each order."""

    order_id: str
    actor: str
    reason: str

    def __post_init__(self) -> None:
        _check_text("the actor", self.actor, MAX_ACTOR_CHARACTERS)
        _check_text("the reason", self.reason, MAX_REASON_CHARACTERS)


class Adjusted(Struct, frozen=True):
    """An adjustment's amount in nanodollars, with its sign, and the budget after it."""

    amount: int
    item: BudgetItem


async def adjust(
    budgets: BudgetStore, usage: UsageStore, key: BudgetKey, order: Order, amount: int, now_s: int
) -> Adjusted:
    """Add `amount` nanodollars (negative: give back) to what is settled of the live window, once per order.

    Raises OperationRefused, NoLiveWindow and StoreUnavailable; after the last the order may still be carried out.
    """
    if amount == 0 or abs(amount) > MAX_AMOUNT:
        raise OperationRefused(f"an adjustment is of 1 nanodollar to ${dollars(MAX_AMOUNT)}")

    def checked(window: WindowState) -> int:
        if window.settled + amount < 0:
            raise OperationRefused(
                f"${dollars(-amount)} cannot be given back: only ${dollars(window.settled)} is settled"
            )
        return amount

    return await _adjust(budgets, usage, key, order, checked, now_s)


async def reset(
    budgets: BudgetStore, usage: UsageStore, key: BudgetKey, order: Order, now_s: int
) -> Adjusted:
    """Give back all that is settled of the live window; what requests in flight hold stays, and settles later.

    Where nothing is settled nothing is written, and the amount is 0. Raises as `adjust`.
    """
    return await _adjust(budgets, usage, key, order, lambda window: -window.settled, now_s)


async def raise_limit(
    budgets: BudgetStore, usage: UsageStore, key: BudgetKey, order: Order, amount: int, now_s: int
) -> BudgetItem:
    """Make `amount` nanodollars all that is added to the limit in the live window (0: nothing is).

    Raises OperationRefused, NoLiveWindow and StoreUnavailable.
    """
    if not 0 <= amount <= MAX_AMOUNT:
        raise OperationRefused(f"a raise is of $0 to ${dollars(MAX_AMOUNT)}")
    window = live_window(await _read(budgets, key), key, now_s)
    reason = f"${dollars(amount)} in this window: {order.reason}"
    await usage.put(_record(key, order.order_id, "raise", window.start_s, 0, order.actor, reason))
    try:
        return await budgets.set_raise(key, amount, window.start_s)
    except Refused as refused:
        raise NoLiveWindow("the window ended meanwhile, and nothing was raised") from refused


async def revoke(
    budgets: BudgetStore, usage: UsageStore, project_id: str, user_id: str, order: Order, now_ms: int
) -> None:
    """Refuse every token of this user issued until now, whatever its window.

    Raises OperationRefused and StoreUnavailable; revoking again is harmless.
    """
    check_user_id(user_id)
    # It belongs to no window: 0 is the start of none.
    key = BudgetKey(project_id, user_id, "day")
    await usage.put(_record(key, order.order_id, "revocation", 0, 0, order.actor, order.reason))
    for _ in range(_MAX_TRIES):
        try:
            await budgets.revoke(project_id, user_id, now_ms)
            return
        except TransactionRefused as refused:
            # The reason codes are those of DynamoDB's TransactionCanceledException.
            if "ConditionalCheckFailed" in refused.reasons:
                return
            if "TransactionConflict" not in refused.reasons:
                raise
    raise OperationRefused("requests of this user are writing all the time; try again")


async def finish_adjustment(
    budgets: BudgetStore, usage: UsageStore, key: BudgetKey, adjustment: Adjustment
) -> BudgetItem:
    """Carry out an adjustment that stands in a budget item, whoever wrote it; return the budget after it.

    Raises StoreUnavailable; doing it again, or at the same time as others, is harmless.
    """
    await usage.put(
        _record(
            key,
            adjustment.adjustment_id,
            adjustment.kind,
            adjustment.window_start_s,
            adjustment.amount,
            adjustment.actor,
            adjustment.reason,
        )
    )
    try:
        return await budgets.apply_adjustment(key, adjustment)
    except Refused as refused:
        return refused.item  # another has applied it


def live_window(item: BudgetItem, key: BudgetKey, now_s: int) -> WindowState:
    """Return the window that an operation changes; raise NoLiveWindow."""
    if item.window is None:
        raise NoLiveWindow(
            f"user {key.user_id!r} has no {key.kind} window in project {key.project_id}: the first request with"
            f" a token for a {key.kind} begins it"
        )
    if item.window.end_s <= now_s:
        raise NoLiveWindow(
            f"the {key.kind} window of user {key.user_id!r} has ended: the next request begins one with nothing"
            " settled"
        )
    return item.window


def check_user_id(user_id: str) -> None:
    """Raise OperationRefused for what no token's user id can be."""
    _check_text("a user id", user_id, MAX_USER_ID_CHARACTERS)


async def _adjust(
    budgets: BudgetStore,
    usage: UsageStore,
    key: BudgetKey,
    order: Order,
    amount_for: Callable[[WindowState], int],
    now_s: int,
) -> Adjusted:
    item = await _read(budgets, key)
    for _ in range(_MAX_TRIES):
        if item.adjustment is not None:
            item = await finish_adjustment(budgets, usage, key, item.adjustment)
            continue
        # Looked for after the budget was read: an order that has a record was written down before. Where it does
        # not stand in the budget as it is now, it was carried out, whatever other orders came since.
        recorded = await usage.get(key_of_adjustment(key, order.order_id))
        if recorded is not None:
            item = await _read(budgets, key)
            if item.adjustment is None or item.adjustment.adjustment_id != order.order_id:
                return Adjusted(recorded.cost, item)
            continue
        window = live_window(item, key, now_s)
        amount = amount_for(window)
        if amount == 0:
            return Adjusted(0, item)
        adjustment = Adjustment(
            order.order_id, amount, window.start_s, "adjustment", order.actor, order.reason
        )
        try:
            await budgets.intend_adjustment(key, adjustment, last_adjusted_id=item.adjusted_id)
        except Refused as refused:
            item = refused.item
            continue
        return Adjusted(amount, await finish_adjustment(budgets, usage, key, adjustment))
    raise OperationRefused("this budget changes faster than it can be followed; try again")


async def _read(budgets: BudgetStore, key: BudgetKey) -> BudgetItem:
    check_user_id(key.user_id)
    return await budgets.read(key)


def _record(
    key: BudgetKey, order_id: str, kind: RecordKind, window_start_s: int, cost: int, actor: str, reason: str
) -> UsageRecord:
    started_s = hold_started_s(order_id)
    return UsageRecord(
        key=key_of_adjustment(key, order_id),
        project_id=key.project_id,
        user_id=key.user_id,
        window_kind=key.kind,
        window_start_s=window_start_s,
        started_ms=started_s * 1000,
        request_id="",
        status="ok",
        cost=cost,
        kind=kind,
        actor=actor,
        reason=reason,
    )


def _check_text(what: str, text: str, most: int) -> None:
    # Control characters would end up in terminals and logs; a lone surrogate ("Cs") is no UTF-8.
    if (
        not 1 <= len(text) <= most
        or not text.strip()
        or any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)
    ):
        raise OperationRefused(f"{what} has 1 to {most} characters, none of them control characters")
