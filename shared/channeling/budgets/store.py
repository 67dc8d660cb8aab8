"""The budget operations on DynamoDB, each one conditional UpdateItem on one item.

The conditions come from `conditions.py` alone. A refused write raises `Refused` with the item as it stood, which
`decide` reads. Nothing here loops or chooses: `admission.py` and `settlement.py` own the flow.
"""

from collections.abc import Sequence
from typing import get_args

from msgspec import Struct

from channeling.budgets.conditions import (
    CURRENT,
    PREVIOUS,
    Clause,
    WindowAttributes,
    a_slot_is_free,
    adjustment_is_pending,
    all_of,
    committed_is_below,
    committed_leaves_room,
    hold_is,
    hold_is_new,
    no_adjustment_is_pending,
    nothing_was_adjusted_since,
    previous_window_is_closed,
    raise_is,
    revocation_is_later,
    settled_is_at_least,
    token_is_not_revoked,
    window_end_is,
    window_is,
    window_is_absent,
    window_is_live,
)
from channeling.budgets.decide import HoldAsk
from channeling.budgets.item import (
    Adjustment,
    BudgetItem,
    BudgetKey,
    WindowState,
    adjustment_value,
    budget_item,
)
from channeling.budgets.windows import Grid
from channeling.dynamodb import ConditionFailed, DynamoDB, Item, Update, Value
from channeling.window_kind import WindowKind


class Refused(Exception):
    """A budget write did not apply; `item` is the budget as it stood."""

    def __init__(self, item: BudgetItem) -> None:
        super().__init__("a budget write was refused")
        self.item = item


class Hold(Struct, frozen=True):
    """Money set aside for one request, in nanodollars, in the window that it was admitted in."""

    key: BudgetKey
    hold_id: str
    window_start_s: int
    amount: int


class BudgetStore:
    """The budgets table."""

    def __init__(self, dynamodb: DynamoDB, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    async def read(self, key: BudgetKey) -> BudgetItem:
        """Return the budget as it stands, read consistently."""
        return budget_item(await self._dynamodb.get(self._table, key.item_key()))

    async def read_all(self, project_id: str, user_id: str) -> dict[WindowKind, BudgetItem]:
        """Return a user's budgets of every kind that there is, read consistently."""
        items = await self._dynamodb.query(
            self._table, ("pk", BudgetKey(project_id, user_id, "day").partition)
        )
        stored = {str(item["sk"]): item for item in items}
        return {kind: budget_item(stored[kind]) for kind in get_args(WindowKind) if kind in stored}

    async def hold(self, ask: HoldAsk, amount: int, now_s: int, *, raise_counted: int) -> BudgetItem:
        """Hold `amount` in the live window; return the budget after it, or raise Refused."""
        limit = ask.ceiling + raise_counted
        clauses = [
            window_is_live(now_s),
            committed_is_below(limit) if ask.enforcement == "soft" else committed_leaves_room(limit, amount),
            hold_is_new(ask.hold_id),
            a_slot_is_free(ask.max_concurrent),
            token_is_not_revoked(ask.issued_at_ms),
        ]
        if raise_counted:
            clauses.append(raise_is(raise_counted))
        return await self._apply(
            ask.key,
            "SET committed = committed + :amount, holds.#id = :amount, token_limit = :token_limit",
            clauses,
            {"#id": ask.hold_id},
            {":amount": amount, ":token_limit": ask.limit},
        )

    async def create(self, ask: HoldAsk, amount: int, grid: Grid) -> BudgetItem:
        """Lay the user's first window with this hold in it; return the budget after it, or raise Refused."""
        return await self._apply(
            ask.key,
            "SET origin = :origin, window_start = :start, window_end = :end,"
            " committed = :amount, settled = :zero, holds = :new, token_limit = :token_limit",
            [window_is_absent(), token_is_not_revoked(ask.issued_at_ms)],
            {},
            _window_values(grid) | _first_hold_values(ask, amount),
        )

    async def roll(self, ask: HoldAsk, amount: int, ended: WindowState, grid: Grid) -> BudgetItem:
        """Move the ended window aside, on the server, and open the next with this hold in it.

        Returns the budget after it, or raises Refused.
        """
        return await self._apply(
            ask.key,
            "SET prev_start = window_start, prev_end = window_end, prev_committed = committed,"
            " prev_settled = settled, prev_holds = holds, origin = :origin, window_start = :start,"
            " window_end = :end, settled = :zero, committed = :amount, holds = :new, token_limit = :token_limit",
            [
                window_end_is(ended.end_s),
                previous_window_is_closed(),
                no_adjustment_is_pending(),
                hold_is_new(ask.hold_id),
                token_is_not_revoked(ask.issued_at_ms),
            ],
            {"#id": ask.hold_id},
            _window_values(grid) | _first_hold_values(ask, amount),
        )

    async def change_hold(self, hold: Hold, amount: int, *, limit: int | None) -> BudgetItem:
        """Set a hold to another amount: more only within `limit` (None: without one), less always.

        Returns the budget after it, or raises Refused, which also tells of a hold that is gone or was changed.
        """
        return await self._in_its_window(hold, amount, limit)

    async def settle(self, hold: Hold, cost: int) -> BudgetItem:
        """End a hold at its cost, which must not be above it; return the budget after it.

        A hold that is gone raises Refused: it was settled before.
        """
        if not 0 <= cost <= hold.amount:
            raise ValueError(f"a hold of {hold.amount} cannot settle at {cost}")
        refused = Refused(BudgetItem())
        for attributes in (CURRENT, PREVIOUS):
            try:
                return await self._apply(
                    hold.key,
                    f"SET {attributes.committed} = {attributes.committed} + :delta,"
                    f" {attributes.settled} = {attributes.settled} + :cost REMOVE {attributes.holds}.#id",
                    [hold_is(hold.hold_id, hold.amount, hold.window_start_s, attributes)],
                    {},
                    {":delta": cost - hold.amount, ":cost": cost},
                )
            except Refused as error:
                refused = error
                if not _stands_in_previous(error.item, hold):
                    break
        raise refused

    async def intend_adjustment(
        self, key: BudgetKey, adjustment: Adjustment, *, last_adjusted_id: str | None = None
    ) -> BudgetItem:
        """Write down an adjustment that is to be recorded and then applied; return the budget, or raise Refused.

        `last_adjusted_id` is what the budget said (None: nothing) when no record of this adjustment was found.
        """
        clauses = [
            window_is(adjustment.window_start_s),
            no_adjustment_is_pending(),
            nothing_was_adjusted_since(last_adjusted_id),
        ]
        if adjustment.amount < 0:
            clauses.append(settled_is_at_least(-adjustment.amount))
        return await self._apply(
            key,
            "SET adjustment = :adjustment",
            clauses,
            {},
            {":adjustment": adjustment_value(adjustment)},
        )

    async def intend_correction(
        self,
        key: BudgetKey,
        correction: Adjustment,
        attributes: WindowAttributes,
        *,
        last_adjusted_id: str | None,
    ) -> BudgetItem:
        """Write down a correction, of at most 0, of the window that has these attributes; return the budget.

        `last_adjusted_id` is what the budget said when no record of this correction was found. Raises Refused.
        """
        return await self._apply(
            key,
            "SET adjustment = :adjustment",
            [
                window_is(correction.window_start_s, attributes),
                no_adjustment_is_pending(),
                nothing_was_adjusted_since(last_adjusted_id),
                settled_is_at_least(-correction.amount, attributes),
            ],
            {},
            {":adjustment": adjustment_value(correction)},
        )

    async def apply_adjustment(self, key: BudgetKey, adjustment: Adjustment) -> BudgetItem:
        """Add an intended adjustment, whose record stands, to its window, current or previous; return the budget.

        Raises Refused, which tells of an adjustment that another has applied.
        """
        refused = Refused(BudgetItem())
        for attributes in (CURRENT, PREVIOUS):
            try:
                return await self._apply(
                    key,
                    f"SET {attributes.settled} = {attributes.settled} + :signed,"
                    f" {attributes.committed} = {attributes.committed} + :signed, adjusted = :adjustment_id"
                    " REMOVE adjustment",
                    [
                        adjustment_is_pending(adjustment.adjustment_id),
                        window_is(adjustment.window_start_s, attributes),
                    ],
                    {},
                    {":signed": adjustment.amount},
                )
            except Refused as error:
                refused = error
                if not _is_of_previous(error.item, adjustment):
                    break
        raise refused

    async def set_raise(self, key: BudgetKey, amount: int, window_start_s: int) -> BudgetItem:
        """Make `amount` the whole raise of this window (0: none); return the budget, or raise Refused."""
        if amount == 0:
            return await self._apply(
                key, "REMOVE #raise", [window_is(window_start_s)], {"#raise": "raise"}, {}
            )
        return await self._apply(
            key,
            "SET #raise = :raise",
            [window_is(window_start_s)],
            {"#raise": "raise"},
            {":raise": {"amount": amount, "window_start": window_start_s}},
        )

    async def revoke(self, project_id: str, user_id: str, before_ms: int) -> None:
        """Refuse, on all four window kinds at once, every token of this user issued up to `before_ms`.

        Raises TransactionRefused: where as late a revocation stands, or another write was under way.
        """
        later = revocation_is_later(before_ms)
        await self._dynamodb.transact(
            [
                Update(
                    self._table,
                    BudgetKey(project_id, user_id, kind).item_key(),
                    "SET revoked_before = :before",
                    later.text,
                    values=later.values,
                )
                for kind in get_args(WindowKind)
            ]
        )

    async def _in_its_window(self, hold: Hold, amount: int, limit: int | None) -> BudgetItem:
        more = amount - hold.amount
        refused = Refused(BudgetItem())
        for attributes in (CURRENT, PREVIOUS):
            clauses = [hold_is(hold.hold_id, hold.amount, hold.window_start_s, attributes)]
            if more > 0 and limit is not None:
                clauses.append(committed_leaves_room(limit, more, attributes))
            try:
                return await self._apply(
                    hold.key,
                    f"SET {attributes.committed} = {attributes.committed} + :more, {attributes.holds}.#id = :new",
                    clauses,
                    {},
                    {":more": more, ":new": amount},
                )
            except Refused as error:
                refused = error
                if not _stands_in_previous(error.item, hold):
                    break
        raise refused

    async def _apply(
        self,
        key: BudgetKey,
        expression: str,
        clauses: Sequence[Clause],
        names: dict[str, str],
        values: dict[str, Value],
    ) -> BudgetItem:
        """Make one write under all of the clauses; `names` and `values`, those of the expression, get theirs."""
        for clause in clauses:
            names |= clause.names
            values |= clause.values
        update = Update(self._table, key.item_key(), expression, all_of(clauses), names, values)
        try:
            return budget_item(await self._dynamodb.update(update))
        except ConditionFailed as refused:
            raise Refused(budget_item(refused.item)) from refused


def window_of(item: BudgetItem, window_start_s: int) -> tuple[WindowState, WindowAttributes] | None:
    """Return the window of an item that began then, current or previous."""
    for window, attributes in ((item.window, CURRENT), (item.previous, PREVIOUS)):
        if window is not None and window.start_s == window_start_s:
            return window, attributes
    return None


def _stands_in_previous(item: BudgetItem, hold: Hold) -> bool:
    found = window_of(item, hold.window_start_s)
    return found is not None and found[1] is PREVIOUS and hold.hold_id in found[0].holds


def _is_of_previous(item: BudgetItem, adjustment: Adjustment) -> bool:
    pending = item.adjustment is not None and item.adjustment.adjustment_id == adjustment.adjustment_id
    found = window_of(item, adjustment.window_start_s)
    return pending and found is not None and found[1] is PREVIOUS


def _first_hold_values(ask: HoldAsk, amount: int) -> dict[str, Value]:
    return {":amount": amount, ":zero": 0, ":new": {ask.hold_id: amount}, ":token_limit": ask.limit}


def _window_values(grid: Grid) -> Item:
    return {":origin": grid.origin_s, ":start": grid.window.start_s, ":end": grid.window.end_s}
