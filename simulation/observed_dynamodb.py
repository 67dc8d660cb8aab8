"""The memory store, looking at every budget that is written: what must hold after each, and what was there."""

from collections.abc import Iterator
from dataclasses import dataclass

from channeling.budgets.item import BudgetItem, WindowState, budget_item
from channeling.dynamodb import Item
from simulation.memory_dynamodb import MemoryDynamoDB

WindowPlace = tuple[str, str, int]  # partition key, window kind, the window's start
HoldPlace = tuple[str, str, str]  # partition key, window kind, hold id


@dataclass(frozen=True, slots=True)
class Growth:
    """More was committed in a window by a write: for which hold, to what, and what raise the window ever had."""

    place: WindowPlace
    hold_id: str
    committed: int
    largest_raise: int


class ObservedDynamoDB(MemoryDynamoDB):
    """The memory store, which remembers every window, hold amount and raise there ever was."""

    def __init__(self, budgets_table: str) -> None:
        super().__init__()
        self._budgets_table = budgets_table
        self._standing_budgets: dict[tuple[str, str], BudgetItem] = {}
        self.windows: dict[WindowPlace, WindowState] = {}
        self.raises: dict[WindowPlace, int] = {}
        self.holds: dict[HoldPlace, list[int]] = {}
        self.admitted_in: dict[HoldPlace, int] = {}
        self.growths: list[Growth] = []
        self.violations: list[str] = []

    def _store(self, table: str, item: Item) -> None:
        super()._store(table, item)
        if table != self._budgets_table:
            return
        partition, kind = str(item["pk"]), str(item["sk"])
        budget = budget_item(item)
        before = self._standing_budgets.get((partition, kind), BudgetItem())
        self._standing_budgets[partition, kind] = budget
        if budget.window is not None and budget.live_raise():
            place = (partition, kind, budget.window.start_s)
            self.raises[place] = max(self.raises.get(place, 0), budget.live_raise())
        for window in (budget.window, budget.previous):
            if window is not None:
                place = (partition, kind, window.start_s)
                self.violations += self._broken_by_write(place, window)
                self._remember(place, window, _adjusted_by(before, budget, window))

    def _broken_by_write(self, place: WindowPlace, window: WindowState) -> Iterator[str]:
        if window.committed != window.settled + sum(window.holds.values()):
            yield f"I2 {place} after a write: committed is not settled + holds: {window}"
        if window.settled < 0 or any(amount < 0 for amount in window.holds.values()):
            yield f"I2 {place} after a write: below zero: {window}"

    def _remember(self, place: WindowPlace, window: WindowState, adjusted: int) -> None:
        before = self.windows.get(place)
        self.windows[place] = window
        held_before = {} if before is None else before.holds
        grew = window.committed - (0 if before is None else before.committed) - adjusted
        raised = False
        for hold_id, amount in window.holds.items():
            if amount == held_before.get(hold_id):
                continue
            hold_place = (place[0], place[1], hold_id)
            self.holds.setdefault(hold_place, []).append(amount)
            if self.admitted_in.setdefault(hold_place, place[2]) != place[2]:
                self.violations.append(f"I3 {hold_place}: held in two windows")
            if amount > held_before.get(hold_id, 0):
                raised = True
                self.growths.append(Growth(place, hold_id, window.committed, self.raises.get(place, 0)))
        if grew > 0 and not raised:
            self.violations.append(
                f"I1 {place}: a write that holds nothing more committed {grew} more: {window}"
            )


def _adjusted_by(before: BudgetItem, after: BudgetItem, window: WindowState) -> int:
    """Return what an operator's order that this write carried out added to a window."""
    order = before.adjustment
    if order is None or after.adjusted_id != order.adjustment_id or before.adjusted_id == after.adjusted_id:
        return 0
    return order.amount if order.window_start_s == window.start_s else 0
