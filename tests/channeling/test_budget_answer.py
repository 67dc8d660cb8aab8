"""What a caller is told of their budget: thresholds, refusals, and a figure that never says less than nothing."""

import pytest

from channeling.budget_answer import BudgetState, budget_body, budget_headers, held_by_others, spent
from channeling.budgets.item import WindowState
from channeling.window_kind import WindowKind

UNIFIED = "anthropic-ratelimit-unified"
DOLLAR = 1_000_000_000
START_S, END_S = 1_796_083_200, 1_796_169_600


def state(
    settled: int, committed: int | None = None, limit: int = 100, kind: WindowKind = "day"
) -> BudgetState:
    committed = settled if committed is None else committed
    return BudgetState(kind, limit, WindowState(START_S, END_S, committed, settled, {"h": 1}))


@pytest.mark.parametrize(
    ("settled", "status", "threshold", "utilization"),
    [
        (0, "allowed", None, "0.00"),
        (74, "allowed", None, "0.74"),
        (75, "allowed_warning", "0.75", "0.75"),
        (94, "allowed_warning", "0.75", "0.94"),
        (95, "allowed_warning", "0.95", "0.95"),
        (100, "allowed_warning", "0.95", "0.99"),
        (120, "allowed_warning", "0.95", "0.99"),
    ],
)
def test_warnings_start_at_three_quarters(
    settled: int, status: str, threshold: str | None, utilization: str
) -> None:
    """Claude Code's headers: warnings from 75 % and 95 %, a utilization below 1 while the user is allowed."""
    headers = dict(budget_headers(state(settled)))
    assert headers[f"{UNIFIED}-status"] == headers[f"{UNIFIED}-overage-status"] == status
    assert headers.get(f"{UNIFIED}-overage-surpassed-threshold") == threshold
    assert headers[f"{UNIFIED}-overage-utilization"] == utilization
    assert headers[f"{UNIFIED}-reset"] == str(END_S)


def test_holds_do_not_warn_but_are_not_remaining() -> None:
    """A hold is what a request may cost: it lowers what remains, and warns of nothing."""
    headers = dict(budget_headers(state(0, committed=99 * DOLLAR, limit=100 * DOLLAR)))
    assert headers[f"{UNIFIED}-status"] == "allowed"
    assert headers["x-channeling-budget-remaining"] == "1"


@pytest.mark.parametrize(
    ("kind", "period"), [("hour", None), ("day", "daily"), ("week", "weekly"), ("month", "monthly")]
)
def test_the_refusal_of_a_spent_budget(kind: WindowKind, period: str | None) -> None:
    """Its period is named where Claude Code has a word for it, and the reset is in every form."""
    refusal = spent(
        state(90 * DOLLAR, limit=100 * DOLLAR, kind=kind), request_amount=20 * DOLLAR, now_s=END_S - 60
    )
    assert refusal.headers["retry-after"] == "60"
    assert refusal.headers.get(f"{UNIFIED}-overage-period") == period
    assert refusal.details == {
        "error_code": "budget_exceeded",
        "limit_usd": "100",
        "settled_usd": "90",
        "held_usd": "0",
        "request_usd": "20",
        "resets_at": "2026-12-02T00:00:00Z",
    }


def test_a_window_that_ends_now_is_still_worth_a_second() -> None:
    """`retry-after` is at least 1."""
    assert spent(state(1), request_amount=1, now_s=END_S + 5).headers["retry-after"] == "1"


def test_the_refusal_for_held_money_says_how_many_hold() -> None:
    """It can be retried, so it carries no `x-should-retry: false`."""
    refusal = held_by_others(state(0, committed=100), request_amount=5)
    assert refusal.headers["retry-after"] == "1"
    assert "x-should-retry" not in refusal.headers
    assert refusal.details is not None
    assert refusal.details["requests_in_flight"] == 1


def test_what_remains_is_never_below_nothing() -> None:
    """A soft budget that was passed shows 0."""
    assert budget_body(state(150))["remaining"] == "0"


def test_a_budget_of_zero_has_nothing_left() -> None:
    """No division by a limit of 0."""
    assert dict(budget_headers(state(0, limit=0)))[f"{UNIFIED}-status"] == "allowed_warning"
