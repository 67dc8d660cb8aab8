"""Telling of the marks of a budget that the end of a hold has passed."""

import logging

from channeling.budgets.alert import marks_passed
from channeling.budgets.item import BudgetItem
from channeling.budgets.settlement import Ended
from channeling.budgets.store import Hold, window_of
from channeling.caller import Caller
from channeling.gateway import Gateway

_log = logging.getLogger(__name__)


async def tell_of_marks(gateway: Gateway, caller: Caller, hold: Hold, ended: Ended) -> None:
    """Tell of the marks that the end of a hold of the caller's has passed, if any.

    Where the answer of the settling write was lost, it is taken to have been the last one: should another have
    settled meanwhile, a mark may be told twice, with the same id, or not at all.
    """
    found = window_of(ended.item, hold.window_start_s)
    if found is None or ended.record.cost <= 0:
        return
    window, _ = found
    limit = caller.claims.budget.limit_nanousd + _raise_of(ended.item, window.start_s)
    passed = marks_passed(hold.key, window, limit, ended.record.cost)
    if not passed:
        return
    try:
        await gateway.doors.alerts.tell(passed)
    except Exception:
        # The request is answered and billed; that nobody was told must not look as if it were not.
        _log.exception("marks of a budget could not be told of")


def _raise_of(item: BudgetItem, window_start_s: int) -> int:
    raised = item.raised
    return raised.amount if raised is not None and raised.window_start_s == window_start_s else 0
