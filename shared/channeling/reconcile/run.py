"""One run of the reconciler: the budgets first, whose money is held until they are put right."""

from channeling.budgets.store import BudgetStore
from channeling.clock import Clock
from channeling.dynamodb import DynamoDB
from channeling.reconcile.budget_walk import BudgetWalk, Step
from channeling.reconcile.checkpoint import Checkpoint
from channeling.reconcile.expired_holds import end_expired_holds
from channeling.settings import Settings
from channeling.usage.store import UsageStore

Report = dict[str, int | bool]


async def reconcile(dynamodb: DynamoDB, settings: Settings, clock: Clock, deadline_ms: int) -> Report:
    """Put right what can be until the deadline; return what was done and what is left. Raises StoreUnavailable.

    Running it again, or twice at once, is harmless.
    """
    tables = settings.tables
    walk = BudgetWalk(
        dynamodb,
        tables.budgets,
        Checkpoint(dynamodb, tables.usage, "expired-holds"),
        budget_steps(dynamodb, settings),
        clock,
    )
    walked = await walk.run(deadline_ms)
    return {
        "budgets_read": walked.items,
        **walked.done,
        "budgets_failed": walked.failed,
        "budgets_left": not walked.at_end,
    }


def budget_steps(dynamodb: DynamoDB, settings: Settings) -> list[Step]:
    """Return what is done to each budget, in this order."""
    budgets = BudgetStore(dynamodb, settings.tables.budgets)
    usage = UsageStore(dynamodb, settings.tables.usage)
    return [end_expired_holds(budgets, usage, settings.hold_lifetime_s)]
