"""The step that carries out what an operator ordered and whose command died before it was done."""

from channeling.budgets.item import BudgetItem, BudgetKey
from channeling.budgets.operations import finish_adjustment
from channeling.budgets.store import BudgetStore
from channeling.reconcile.budget_walk import Step
from channeling.usage.store import UsageStore


def finish_pending_adjustments(budgets: BudgetStore, usage: UsageStore) -> Step:
    """Return the step that records and applies an adjustment that stands in a budget item."""

    def is_due(item: BudgetItem, _: int) -> bool:
        return item.adjustment is not None

    async def carry_out(key: BudgetKey, item: BudgetItem, _: int) -> int:
        if item.adjustment is None:
            return 0
        await finish_adjustment(budgets, usage, key, item.adjustment)
        return 1

    return Step("adjustments_finished", is_due, carry_out)
