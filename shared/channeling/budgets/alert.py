"""The marks of a budget, 50, 80 and 100 percent settled, and which of them a settle has passed. Pure.

`settled` only grows by settles, each of which knows by how much and is told what stands after it. So of all that
race, exactly one takes it across a mark, and no write is needed to know that a mark was told of.
"""

import hashlib

from msgspec import Struct

from channeling.budgets.item import BudgetKey, WindowState

MARKS_PERCENT = (50, 80, 100)


class BudgetAlert(Struct, frozen=True):
    """A budget has come to `percent` of its limit. Money in nanodollars, times in seconds since the epoch."""

    key: BudgetKey
    window_start_s: int
    window_end_s: int
    percent: int
    limit: int
    settled: int

    @property
    def alert_id(self) -> str:
        """The same however often it is told: by user, window, mark and limit (a raise lays marks of its own)."""
        parts = (self.key.partition, self.key.kind, self.window_start_s, self.percent, self.limit)
        return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]


def marks_passed(key: BudgetKey, window: WindowState, limit: int, cost: int) -> list[BudgetAlert]:
    """Return the marks that a settle at `cost` has passed, given the window after it."""
    before = window.settled - cost
    return [
        BudgetAlert(key, window.start_s, window.end_s, percent, limit, window.settled)
        for percent in MARKS_PERCENT
        if before * 100 < percent * limit <= window.settled * 100
    ]
