"""One run of the reconciler, and one after another where nothing else calls it."""

import asyncio
import logging

from channeling.budgets.store import BudgetStore
from channeling.clock import Clock
from channeling.dynamodb import DynamoDB
from channeling.reconcile.budget_walk import BudgetWalk, Step
from channeling.reconcile.checkpoint import Checkpoint
from channeling.reconcile.expired_holds import end_expired_holds
from channeling.reconcile.pending_adjustments import finish_pending_adjustments
from channeling.settings import Settings
from channeling.usage.store import UsageStore

Report = dict[str, int | bool]

_log = logging.getLogger(__name__)


async def reconcile(dynamodb: DynamoDB, settings: Settings, clock: Clock, deadline_ms: int) -> Report:
    """Put right what can be until the deadline; return what was done and whether something is left.

    Running it again, or twice at once, is harmless. Raises StoreUnavailable.
    """
    tables = settings.tables
    walk = BudgetWalk(
        dynamodb,
        tables.budgets,
        Checkpoint(dynamodb, tables.usage, "expired-holds"),
        budget_steps(dynamodb, settings, clock),
        clock,
    )
    walked = await walk.run(deadline_ms)
    return {
        "budgets_read": walked.items,
        **walked.done,
        "budgets_failed": walked.failed,
        "budgets_left": not walked.at_end,
    }


async def reconcile_every(period_s: float, dynamodb: DynamoDB, settings: Settings, clock: Clock) -> None:
    """Run until cancelled, a period apart; a run that fails is logged, and the next goes on where it stopped."""
    while True:
        try:
            await reconcile(dynamodb, settings, clock, clock.now_ms() + round(period_s * 1000))
        except Exception:
            _log.exception("reconciling failed; it is tried again")
        await asyncio.sleep(period_s)


def budget_steps(dynamodb: DynamoDB, settings: Settings, clock: Clock) -> list[Step]:
    """Return what is done to each budget, in this order."""
    budgets = BudgetStore(dynamodb, settings.tables.budgets)
    usage = UsageStore(dynamodb, settings.tables.usage, clock)
    return [
        finish_pending_adjustments(budgets, usage),
        end_expired_holds(budgets, usage, settings.hold_lifetime_s),
    ]
