"""Where the correction of a bill stands: beside the record that it corrects, which is never rewritten."""

from channeling.budgets.hold_id import hold_started_s
from channeling.budgets.item import BudgetKey
from channeling.usage.record import RecordKey, record_key

_CORRECTION = "#c1"


def correction_id(hold_id: str) -> str:
    """Return the id of the correction of a hold's bill: there is one, whoever makes it and however often."""
    return hold_id + _CORRECTION


def key_of_adjustment(key: BudgetKey, adjustment_id: str) -> RecordKey:
    """Return where the record of an adjustment belongs; that of a correction is the corrected one's, and "#c1"."""
    hold_id, _, number = adjustment_id.partition("#")
    of_hold = record_key(key.project_id, key.user_id, key.kind, hold_id, hold_started_s(hold_id))
    return RecordKey(of_hold.pk, f"{of_hold.sk}#{number}") if number else of_hold
