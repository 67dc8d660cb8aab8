"""A stored budget is read whole, or refused where somebody else wrote something else than money into it."""

import pytest

from channeling.budgets.item import Adjustment, BudgetItem, Raise, WindowState, adjustment_value, budget_item
from channeling.dynamodb import ForeignValue, Item, Value

ADJUSTMENT = Adjustment("a1", -5, 100, "adjustment", "ops", "a gift")
STORED: Item = {
    "pk": "demo#ana",
    "sk": "day",
    "origin": 40,
    "window_start": 100,
    "window_end": 200,
    "committed": 30,
    "settled": 10,
    "holds": {"h1": 15, "h2": 5},
    "prev_start": 0,
    "prev_end": 100,
    "prev_committed": 7,
    "prev_settled": 7,
    "prev_holds": {},
    "revoked_before": 99_000,
    "raise": {"amount": 1_000, "window_start": 100},
    "token_limit": 5_000,
    "adjustment": adjustment_value(ADJUSTMENT),
    "adjusted": "a0",
    "note": ForeignValue("SS", "['somebody else']"),
}


def test_every_attribute_is_read_and_what_is_not_known_is_passed_over() -> None:
    assert budget_item(STORED) == BudgetItem(
        window=WindowState(100, 200, 30, 10, {"h1": 15, "h2": 5}),
        previous=WindowState(0, 100, 7, 7, {}),
        origin_s=40,
        revoked_before_ms=99_000,
        raised=Raise(1_000, 100),
        adjustment=ADJUSTMENT,
        adjusted_id="a0",
        token_limit=5_000,
    )


def test_what_is_not_stored_is_not_there() -> None:
    assert budget_item(None) == budget_item({"pk": "demo#ana", "sk": "day"}) == BudgetItem()


AMOUNTS = [
    name for name, value in STORED.items() if isinstance(value, int) or name in ("holds", "prev_holds")
]


@pytest.mark.parametrize("name", AMOUNTS)
@pytest.mark.parametrize("foreign", ["5", None, [5], ForeignValue("N", "2.5"), {"h1": "5"}], ids=str)
def test_what_is_no_whole_number_is_never_taken_for_money(name: str, foreign: Value) -> None:
    with pytest.raises(TypeError, match="a budget item"):
        budget_item({**STORED, name: foreign})


def test_a_window_that_lacks_a_part_is_none() -> None:
    """Half a window is no budget to spend from."""
    for name in ("window_start", "committed", "settled", "holds", "prev_start", "prev_holds"):
        with pytest.raises(KeyError):
            budget_item({other: value for other, value in STORED.items() if other != name})
