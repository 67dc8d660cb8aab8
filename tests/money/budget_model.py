"""A plain model of one user's budget: dictionaries and sums, no store and no conditions, that each operation of the
budget protocol is compared with. It knows the rules of docs/budgets.md and nothing of how they are kept."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from tests.channeling.budgets.conftest import HOLD_LIFETIME_S

Outcome = Literal["held", "revoked", "too many", "over budget"]
LENGTHS_S = {"hour": 3_600, "day": 86_400}


@dataclass
class ModelHold:
    """Money set aside for a request; `billed` once its record stands, which says what it costs."""

    amount: int
    started_s: int
    billed: int | None = None


@dataclass
class ModelWindow:
    """One window: what is settled, what is held, and the most that may ever be committed in it."""

    start_s: int
    end_s: int
    settled: int = 0
    holds: dict[str, ModelHold] = field(default_factory=dict)
    allowed: int = 0

    @property
    def committed(self) -> int:
        return self.settled + sum(hold.amount for hold in self.holds.values())


@dataclass
class ModelAsk:
    """What a request asks for."""

    hold_id: str
    amount: int
    limit: int
    token_start_s: int
    issued_at_ms: int
    max_concurrent: int


class BudgetModel:
    """The budget of one user and one kind of window. Amounts in nanodollars, times in seconds."""

    def __init__(self, length_s: int) -> None:
        self.length_s = length_s
        self.windows: list[ModelWindow] = []
        self.origin_s = 0
        self.revoked_ms: int | None = None
        self.raised: tuple[int, int] | None = None  # the window's start, the amount
        self.pending: int | None = None  # an order that was written down and not carried out

    @property
    def window(self) -> ModelWindow | None:
        return self.windows[-1] if self.windows else None

    @property
    def previous(self) -> ModelWindow | None:
        return self.windows[-2] if len(self.windows) > 1 else None

    def live(self, now_s: int) -> ModelWindow | None:
        """Return the window that operators change."""
        return self.window if self.window is not None and now_s < self.window.end_s else None

    def live_raise(self) -> int:
        if self.raised is None or self.window is None or self.raised[0] != self.window.start_s:
            return 0
        return self.raised[1]

    def hold(self, ask: ModelAsk, now_s: int, left: Collection[str]) -> Outcome:
        """Admit or refuse a request, and do to the budget what that does.

        `left` are expired holds that may stay: where reclaiming is broken off, what is reclaimed by then may make
        room enough for the next try.
        """
        if self.revoked_ms is not None and ask.issued_at_ms <= self.revoked_ms:
            return "revoked"
        window = self.window
        if window is None:
            return self._hold_in_new_window(ask, ask.token_start_s, now_s)
        if window.end_s > now_s:
            return self._hold_in(window, ask, now_s, left)
        self.finish_order()
        if self.previous is not None and self.previous.holds:
            self.reclaim(now_s, left)
        token_tile_s = self._tile(ask.token_start_s, now_s)
        from_token = token_tile_s >= window.end_s
        return self._hold_in_new_window(ask, ask.token_start_s if from_token else self.origin_s, now_s)

    def allow(self, hold_id: str, limit: int) -> None:
        """Take note of the limit under which a request was told that it holds."""
        for window in self._open():
            if hold_id in window.holds:
                window.allowed = max(window.allowed, limit)

    def extend(self, hold_id: str, amount: int, limit: int) -> None:
        """Raise a hold to `amount` or as much of it as the limit leaves; a hold that is gone stays gone."""
        for window in self._open():
            hold = window.holds.get(hold_id)
            if hold is not None and amount > hold.amount:
                hold.amount = min(amount, hold.amount + max(0, limit - window.committed))

    def stands_at(self, hold_id: str, amount: int, *, asks: int) -> None:
        """Take a hold at another amount, by one nanodollar for each time that it was asked for: a write that may be
        on its way is to fail, and so is the one that was lost."""
        for window in self._open():
            hold = window.holds.get(hold_id)
            if hold is not None:
                assert abs(hold.amount - amount) <= asks
                hold.amount = amount

    def lower(self, hold_id: str, amount: int) -> None:
        """Give back what a request turned out not to need."""
        for window in self._open():
            if hold_id in window.holds:
                window.holds[hold_id].amount = min(amount, window.holds[hold_id].amount)

    def record(self, hold_id: str, cost: int) -> None:
        """Write a request's bill, and die before it is settled."""
        for window in self._open():
            hold = window.holds.get(hold_id)
            if hold is not None and hold.billed is None:
                hold.billed = min(cost, hold.amount)

    def settle(self, hold_id: str, bill: int, limit: int, recorded: int | None) -> None:
        """End a hold at its bill, as far as it could be held; one that is gone was ended before.

        `recorded` is what its record says where writes were in doubt: at most a nanodollar less.
        """
        self.extend(hold_id, bill, limit)
        for window in self._open():
            hold = window.holds.pop(hold_id, None)
            if hold is not None:
                if recorded is not None and hold.billed is None:
                    assert min(bill, hold.amount) - recorded in (0, 1)
                    bill = recorded
                window.settled += min(bill if hold.billed is None else hold.billed, hold.amount)

    def reclaim(self, now_s: int, left: Collection[str] = ()) -> None:
        """End what requests that died have left: at their record, else at what they held."""
        for window in self._open():
            for hold_id, hold in list(window.holds.items()):
                if hold.started_s + HOLD_LIFETIME_S < now_s and hold_id not in left:
                    del window.holds[hold_id]
                    window.settled += hold.amount if hold.billed is None else min(hold.billed, hold.amount)

    def adjust(self, amount: int) -> None:
        """Add to what is settled of the current window; what an operator adds may pass the limit."""
        assert self.window is not None
        self.window.settled += amount
        self.window.allowed = max(self.window.allowed, self.window.committed)

    def finish_order(self) -> None:
        """Carry out what an operator ordered who died."""
        if self.pending is not None:
            self.adjust(self.pending)
            self.pending = None

    def _open(self) -> list[ModelWindow]:
        return self.windows[-2:]

    def _hold_in_new_window(self, ask: ModelAsk, origin_s: int, now_s: int) -> Outcome:
        if ask.amount > ask.limit:
            return "over budget"
        start_s = self._tile(origin_s, now_s)
        self.origin_s = origin_s
        self.windows.append(ModelWindow(start_s, start_s + self.length_s))
        return self._place(self.windows[-1], ask, ask.limit, now_s)

    def _hold_in(self, window: ModelWindow, ask: ModelAsk, now_s: int, left: Collection[str]) -> Outcome:
        for limit in (ask.limit, ask.limit + self.live_raise()):
            # Expired holds are in nobody's way as long as there is room beside them.
            if not self._fits(window, ask, limit):
                self.reclaim(now_s, left)
            if len(window.holds) >= ask.max_concurrent:
                return "too many"
            if self._fits(window, ask, limit):
                return self._place(window, ask, limit, now_s)
        return "over budget"

    def _place(self, window: ModelWindow, ask: ModelAsk, limit: int, now_s: int) -> Outcome:
        window.holds[ask.hold_id] = ModelHold(ask.amount, now_s)
        window.allowed = max(window.allowed, limit)
        return "held"

    def _fits(self, window: ModelWindow, ask: ModelAsk, limit: int) -> bool:
        return window.committed + ask.amount <= limit and len(window.holds) < ask.max_concurrent

    def _tile(self, origin_s: int, now_s: int) -> int:
        return now_s - (now_s - origin_s) % self.length_s
