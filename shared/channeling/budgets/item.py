"""The budget item as a value: one per (project, user, window kind).

pk "<project>#<user>"  sk "day"
origin  window_start  window_end  committed  settled  holds {id: amount}     committed = settled + Σ holds
prev_start  prev_end  prev_committed  prev_settled  prev_holds   the window before, until its last hold ended
revoked_before (ms)?   raise {amount, window_start}?
token_limit?  of the token that held last: to be shown, never to decide
adjustment {id, amount, window_start, kind, actor, reason}?      intended, and not yet added to settled
adjusted (id)?                                                   the last one that was added
"""

from collections.abc import Mapping
from typing import cast

from msgspec import Struct

from channeling.budgets.hold_id import hold_started_s
from channeling.dynamodb import Item, Value
from channeling.usage.record import RecordKind
from channeling.window_kind import WindowKind


class BudgetKey(Struct, frozen=True):
    """Whose budget, and of which kind: each window kind of a user is a budget of its own."""

    project_id: str
    user_id: str
    kind: WindowKind

    @property
    def partition(self) -> str:
        """The partition key. Project ids hold no "#", so the first one ends the project."""
        return f"{self.project_id}#{self.user_id}"

    def item_key(self) -> Item:
        """Return the DynamoDB key."""
        return {"pk": self.partition, "sk": self.kind}


class WindowState(Struct, frozen=True):
    """The money of one window, in nanodollars."""

    start_s: int
    end_s: int
    committed: int
    settled: int
    holds: Mapping[str, int]

    @property
    def held(self) -> int:
        """What requests in flight hold."""
        return self.committed - self.settled


class Raise(Struct, frozen=True):
    """Money added to the limit for one window."""

    amount: int
    window_start_s: int


class Adjustment(Struct, frozen=True):
    """An operator's order not yet carried out: money, with its sign, to be added to what is settled of a window."""

    adjustment_id: str
    amount: int
    window_start_s: int
    kind: RecordKind
    actor: str
    reason: str


class BudgetItem(Struct, frozen=True):
    """A budget as it stands in the store. `window` is None where only a revocation or a raise was written.

    `token_limit` is what the token of the last hold said, in nanodollars, for people to see; admission looks at the
    token that asks, never at this.
    """

    window: WindowState | None = None
    previous: WindowState | None = None
    origin_s: int = 0
    revoked_before_ms: int | None = None
    raised: Raise | None = None
    adjustment: Adjustment | None = None
    adjusted_id: str | None = None
    token_limit: int | None = None

    def live_raise(self) -> int:
        """Return what is added to the limit in the current window."""
        if self.raised and self.window and self.raised.window_start_s == self.window.start_s:
            return self.raised.amount
        return 0

    def expired_holds(self, now_s: int, lifetime_s: int) -> list[tuple[WindowState, str]]:
        """Return the holds, of both windows, whose request must have died: (window, hold id)."""
        return [
            (window, hold_id)
            for window in (self.previous, self.window)
            if window is not None
            for hold_id in window.holds
            if hold_started_s(hold_id) + lifetime_s < now_s
        ]


def budget_item(item: Item | None) -> BudgetItem:
    """Return the value of a stored item (None: nothing stored)."""
    if item is None:
        return BudgetItem()
    raised = item.get("raise")
    return BudgetItem(
        window=_window_state(item, "window_start", "window_end", "committed", "settled", "holds"),
        previous=_window_state(
            item, "prev_start", "prev_end", "prev_committed", "prev_settled", "prev_holds"
        ),
        origin_s=_int(item.get("origin", 0)),
        revoked_before_ms=_int(item["revoked_before"]) if "revoked_before" in item else None,
        raised=Raise(_int(raised["amount"]), _int(raised["window_start"]))
        if isinstance(raised, dict)
        else None,
        adjustment=_adjustment(item["adjustment"]) if "adjustment" in item else None,
        adjusted_id=str(item["adjusted"]) if "adjusted" in item else None,
        token_limit=_int(item["token_limit"]) if "token_limit" in item else None,
    )


def adjustment_value(adjustment: Adjustment) -> dict[str, Value]:
    """Return the stored form of an adjustment."""
    return {
        "id": adjustment.adjustment_id,
        "amount": adjustment.amount,
        "window_start": adjustment.window_start_s,
        "kind": adjustment.kind,
        "actor": adjustment.actor,
        "reason": adjustment.reason,
    }


def _adjustment(stored: Value) -> Adjustment | None:
    if not isinstance(stored, dict):
        return None
    return Adjustment(
        adjustment_id=str(stored["id"]),
        amount=_int(stored["amount"]),
        window_start_s=_int(stored["window_start"]),
        kind=cast(RecordKind, stored["kind"]),  # adjustment_value wrote it
        actor=str(stored["actor"]),
        reason=str(stored["reason"]),
    )


def _window_state(
    item: Item, start: str, end: str, committed: str, settled: str, holds: str
) -> WindowState | None:
    if end not in item:
        return None
    start_s, end_s, spoken_for, spent, amounts = (
        item[start],
        item[end],
        item[committed],
        item[settled],
        item[holds],
    )
    # In one look: this is part of every request, twice.
    if not (
        isinstance(start_s, int)
        and isinstance(end_s, int)
        and isinstance(spoken_for, int)
        and isinstance(spent, int)
        and isinstance(amounts, dict)
    ):
        raise TypeError(f"a budget item holds something else than money and times in its window until {end}")
    for amount in amounts.values():
        if not isinstance(amount, int):
            raise TypeError(f"{holds} of a budget item holds {amount!r} where a whole number belongs")
    return WindowState(start_s, end_s, spoken_for, spent, cast(dict[str, int], amounts))


def _int(value: Value) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a budget item holds {value!r} where a whole number belongs")
    return value
