"""Every condition a budget write is made under, each a clause with its plain reading, in this one place.

DynamoDB's conditions cannot add, so what a clause compares with is computed first (`room = limit − amount`).
"""

from collections.abc import Sequence

from msgspec import Struct, field

from channeling.dynamodb import Value


class Clause(Struct, frozen=True):
    """A piece of a ConditionExpression with the names and values it uses."""

    text: str
    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)


def all_of(clauses: Sequence[Clause]) -> str:
    """All of the clauses hold."""
    if len(clauses) == 1:
        return clauses[0].text
    return f"({') AND ('.join([clause.text for clause in clauses])})"


class WindowAttributes(Struct, frozen=True):
    """The attribute names of one of the two windows that an item holds."""

    start: str
    committed: str
    settled: str
    holds: str


CURRENT = WindowAttributes("window_start", "committed", "settled", "holds")
PREVIOUS = WindowAttributes("prev_start", "prev_committed", "prev_settled", "prev_holds")


def window_is_live(now_s: int) -> Clause:
    """The item has a window and it has not ended."""
    return Clause("window_end > :now", values={":now": now_s})


def window_is_absent() -> Clause:
    """The item has never had a window (it may hold a revocation or a raise)."""
    return Clause("attribute_not_exists(window_end)")


def window_end_is(seen_s: int) -> Clause:
    """The window that was seen to have ended is still the one that stands there: nobody rolled it meanwhile."""
    return Clause("window_end = :seen_end", values={":seen_end": seen_s})


def previous_window_is_closed() -> Clause:
    """The window before has no hold left, so that it may be overwritten."""
    return Clause("attribute_not_exists(prev_holds) OR size(prev_holds) = :none", values={":none": 0})


def committed_leaves_room(limit: int, amount: int, attributes: WindowAttributes = CURRENT) -> Clause:
    """What is settled and held, plus this amount, stays within the limit."""
    return Clause(f"{attributes.committed} <= :room", values={":room": limit - amount})


def committed_is_below(limit: int) -> Clause:
    """The soft rule: admit whatever it may cost while the limit is not reached."""
    return Clause("committed < :soft_limit", values={":soft_limit": limit})


def hold_is_new(hold_id: str) -> Clause:
    """This hold has not landed already (the answer to a first try may have been lost)."""
    return Clause("attribute_not_exists(holds.#id)", {"#id": hold_id})


def a_slot_is_free(max_concurrent: int) -> Clause:
    """The user has fewer requests in flight than the project allows."""
    return Clause("size(holds) < :max_concurrent", values={":max_concurrent": max_concurrent})


def token_is_not_revoked(issued_at_ms: int) -> Clause:
    """The token was issued after the user's last revocation."""
    return Clause(
        "attribute_not_exists(revoked_before) OR revoked_before < :issued_at",
        values={":issued_at": issued_at_ms},
    )


def raise_is(amount: int) -> Clause:
    """The raise that was counted in is still there, and is for the window that stands there."""
    return Clause(
        "#raise.amount = :raise_seen AND #raise.window_start = window_start",
        {"#raise": "raise"},
        {":raise_seen": amount},
    )


def window_is(window_start_s: int, attributes: WindowAttributes = CURRENT) -> Clause:
    """The window that was meant is still the current one, or the one before where that was meant."""
    return Clause(f"{attributes.start} = :mine", values={":mine": window_start_s})


def no_adjustment_is_pending() -> Clause:
    """No operator's order waits to be carried out: one at a time, and none is lost with its window."""
    return Clause("attribute_not_exists(adjustment)")


def adjustment_is_pending(adjustment_id: str) -> Clause:
    """This order is the one that waits to be carried out: nobody has done so meanwhile."""
    return Clause("adjustment.id = :adjustment_id", values={":adjustment_id": adjustment_id})


def nothing_was_adjusted_since(last_adjustment_id: str | None) -> Clause:
    """The order last carried out is the one that was seen: nobody has carried out this one, or others, since."""
    if last_adjustment_id is None:
        return Clause("attribute_not_exists(adjusted)")
    return Clause("adjusted = :last_adjusted", values={":last_adjusted": last_adjustment_id})


def settled_is_at_least(amount: int, attributes: WindowAttributes = CURRENT) -> Clause:
    """What is taken back was settled, so that `settled` never falls below 0; requests only add to it."""
    return Clause(f"{attributes.settled} >= :taken_back", values={":taken_back": amount})


def revocation_is_later(before_ms: int) -> Clause:
    """No later revocation stands: clocks that disagree cannot give revoked tokens back."""
    return Clause(
        "attribute_not_exists(revoked_before) OR revoked_before < :before", values={":before": before_ms}
    )


def hold_is(hold_id: str, held: int, window_start_s: int, attributes: WindowAttributes) -> Clause:
    """The hold stands at the amount last seen, in the window that it was admitted in."""
    return Clause(
        f"{attributes.holds}.#id = :held AND {attributes.start} = :mine",
        {"#id": hold_id},
        {":held": held, ":mine": window_start_s},
    )
