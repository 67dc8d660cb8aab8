"""The step that ends the holds of requests that died, whose users never came back to have them reclaimed."""

from channeling.budgets.item import BudgetItem, BudgetKey
from channeling.budgets.settlement import reclaim_hold
from channeling.budgets.store import BudgetStore, Hold
from channeling.reconcile.budget_walk import Step
from channeling.usage.store import UsageStore


def end_expired_holds(budgets: BudgetStore, usage: UsageStore, hold_lifetime_s: int) -> Step:
    """Return the step that settles every hold older than its lifetime, in both windows of a budget."""

    def is_due(item: BudgetItem, now_s: int) -> bool:
        return bool(item.expired_holds(now_s, hold_lifetime_s))

    async def carry_out(key: BudgetKey, item: BudgetItem, now_s: int) -> int:
        expired = item.expired_holds(now_s, hold_lifetime_s)
        for window, hold_id in expired:
            await reclaim_hold(budgets, usage, Hold(key, hold_id, window.start_s, window.holds[hold_id]))
        return len(expired)

    return Step("holds_ended", is_due, carry_out)
