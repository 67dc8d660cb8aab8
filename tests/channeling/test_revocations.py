"""Endpoints that hold nothing learn of a revocation within ten seconds, at one read per user and ten seconds."""

from channeling.budgets.item import BudgetItem, BudgetKey
from channeling.revocations import Revocations
from tests.stand_ins.clock import SetClock

KEY = BudgetKey("demo", "u", "day")


class Budgets:
    """Where revocations are read from."""

    def __init__(self) -> None:
        self.revoked_before_ms: int | None = None
        self.reads = 0

    async def read(self, _: BudgetKey) -> BudgetItem:
        self.reads += 1
        return BudgetItem(revoked_before_ms=self.revoked_before_ms)


async def test_a_revocation_is_seen_after_at_most_ten_seconds() -> None:
    """It is read once, remembered, and read again; tokens issued after it are not concerned."""
    clock, budgets = SetClock(1_000), Budgets()
    revocations = Revocations(budgets, clock)  # type: ignore[arg-type]
    assert not await revocations.is_revoked(KEY, 5)
    budgets.revoked_before_ms = 5
    clock.now_s += 9.9
    assert not await revocations.is_revoked(KEY, 5)
    assert budgets.reads == 1
    clock.now_s += 0.1
    assert await revocations.is_revoked(KEY, 5)
    assert not await revocations.is_revoked(KEY, 6)
    assert budgets.reads == 2
