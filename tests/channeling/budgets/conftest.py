"""A budget protocol on the embedded DynamoDB: stores, a set clock, and asks to try it with."""

import itertools
from dataclasses import dataclass, field

import pytest

from channeling.budgets.admission import Held, NotHeld, hold_amount
from channeling.budgets.decide import HoldAsk
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import Adjustment, BudgetItem, BudgetKey
from channeling.budgets.operations import finish_adjustment
from channeling.budgets.settlement import Ended, end_hold, key_of_record, reclaim_hold
from channeling.budgets.store import BudgetStore, Hold
from channeling.dynamodb import DynamoDB
from channeling.enforcement import Enforcement
from channeling.tables import TableNames
from channeling.usage.record import UsageRecord
from channeling.usage.store import UsageStore
from channeling.window_kind import WindowKind
from tests.stand_ins.clock import SetClock

HOLD_LIFETIME_S = 960
NOON_S = 1_796_000_400 - 1_796_000_400 % 86_400 + 12 * 3_600
_numbers = itertools.count(1)


@dataclass
class Protocol:
    """Holds and settles as the pipeline does, one user at a time."""

    budgets: BudgetStore
    usage: UsageStore
    clock: SetClock = field(default_factory=lambda: SetClock(NOON_S))

    def ask(
        self,
        *,
        limit: int = 1_000,
        kind: WindowKind = "day",
        user: str = "user-1",
        enforcement: Enforcement = "strict",
        max_concurrent: int = 100,
        window_start_s: int | None = None,
        issued_at_ms: int | None = None,
        hold_id: str | None = None,
    ) -> HoldAsk:
        now_s = int(self.clock.now_s)
        return HoldAsk(
            key=BudgetKey("demo", user, kind),
            hold_id=hold_id or new_hold_id(now_s, lambda count: next(_numbers).to_bytes(count)),
            limit=limit,
            token_window_start_s=now_s if window_start_s is None else window_start_s,
            issued_at_ms=now_s * 1000 if issued_at_ms is None else issued_at_ms,
            max_concurrent=max_concurrent,
            hold_lifetime_s=HOLD_LIFETIME_S,
            enforcement=enforcement,
        )

    async def hold(self, amount: int, ask: HoldAsk | None = None) -> Held | NotHeld:
        async def reclaim(hold: Hold) -> None:
            await reclaim_hold(self.budgets, self.usage, hold)

        async def finish(key: BudgetKey, adjustment: Adjustment) -> None:
            await finish_adjustment(self.budgets, self.usage, key, adjustment)

        return await hold_amount(self.budgets, ask or self.ask(), amount, self.clock, reclaim, finish)

    async def held(self, amount: int, ask: HoldAsk | None = None) -> Held:
        outcome = await self.hold(amount, ask)
        assert isinstance(outcome, Held), outcome
        return outcome

    async def end(self, held: Held, cost: int, *, soft: bool = False) -> Ended:
        limit = None if soft else held.limit
        return await end_hold(self.budgets, self.usage, held.hold, self.record(held.hold, cost), limit=limit)

    def record(self, hold: Hold, cost: int) -> UsageRecord:
        return UsageRecord(
            key=key_of_record(hold),
            project_id=hold.key.project_id,
            user_id=hold.key.user_id,
            window_kind=hold.key.kind,
            window_start_s=hold.window_start_s,
            started_ms=self.clock.now_ms(),
            request_id="req_1",
            status="ok",
            cost=cost,
        )

    async def item(self, kind: WindowKind = "day", user: str = "user-1") -> BudgetItem:
        return await self.budgets.read(BudgetKey("demo", user, kind))

    async def assert_books_balance(self, kind: WindowKind = "day", user: str = "user-1") -> None:
        """I2: committed = settled + Σ holds, and settled = Σ cost of the window's records, in both windows."""
        item = await self.item(kind, user)
        records = await self.usage.of_user("demo", user)
        for window in (item.window, item.previous):
            if window is not None:
                assert window.committed == window.settled + sum(window.holds.values())
                assert window.settled == sum(
                    record.cost
                    for record in records
                    if record.window_kind == kind
                    and record.window_start_s == window.start_s
                    # A record may be there a moment before its settle: while its hold still stands.
                    and record.key.sk.split("#")[0] not in window.holds
                )


@pytest.fixture
def protocol(dynamodb: DynamoDB, tables: TableNames) -> Protocol:
    """The budget protocol on tables of its own."""
    clock = SetClock(NOON_S)
    return Protocol(BudgetStore(dynamodb, tables.budgets), UsageStore(dynamodb, tables.usage, clock), clock)
