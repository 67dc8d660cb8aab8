"""One run of the reconciler, and one after another where nothing else calls it."""

import asyncio
import logging
import os

from channeling.budgets.store import BudgetStore
from channeling.clock import Clock
from channeling.dynamodb import DynamoDB
from channeling.reconcile.budget_walk import BudgetWalk, Step
from channeling.reconcile.checkpoint import Checkpoint
from channeling.reconcile.expired_holds import end_expired_holds
from channeling.reconcile.hourly_rollups import hourly_rollups
from channeling.reconcile.pending_adjustments import finish_pending_adjustments
from channeling.reconcile.period_totals import period_totals
from channeling.reconcile.projects import tend_projects
from channeling.settings import Settings
from channeling.usage.store import UsageStore

Report = dict[str, int | bool]

# Budgets come first, and may not take all the time for ever: usage would never be totalled.
_SHARE_OF_ROLLUPS_PERCENT = 33

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
    now_ms = clock.now_ms()
    walked = await walk.run(deadline_ms - (deadline_ms - now_ms) * _SHARE_OF_ROLLUPS_PERCENT // 100)
    rolled_up = await hourly_rollups(dynamodb, tables, clock).run(deadline_ms, walked.projects)
    return {
        "budgets_read": walked.items,
        **walked.done,
        "budgets_failed": walked.failed,
        "budgets_left": not walked.at_end,
        "partitions_rolled_up": rolled_up.partitions,
        "rollups_written": rolled_up.written,
        "rollups_failed": rolled_up.failed,
        "rollups_left": rolled_up.left,
        "records_unreadable": rolled_up.unreadable,
    }


async def reconcile_every(period_s: float, dynamodb: DynamoDB, settings: Settings, clock: Clock) -> None:
    """Run until cancelled, a period apart; a run that fails is logged, and the next goes on where it stopped."""
    while True:
        try:
            deadline_ms = clock.now_ms() + round(period_s * 1000)
            await reconcile(dynamodb, settings, clock, deadline_ms)
            await period_totals(dynamodb, settings.tables, clock).run(deadline_ms)
            await tend_projects(dynamodb, settings.tables, clock, os.urandom, deadline_ms)
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
