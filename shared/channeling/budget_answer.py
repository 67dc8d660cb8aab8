"""What a caller is told of their budget: headers of every answer, the two refusals, and GET /v1/budget. Pure.

The `anthropic-ratelimit-unified-*` headers are those that Claude Code reads to show a spend cap in its own
interface (protocol page of Anthropic's `claude gateway`, shipped with `@anthropic-ai/claude-code` 2.1.330). The
upstream's own rate-limit headers are the shared account's and never reach a user.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from msgspec import Struct

from channeling.budgets.item import WindowState
from channeling.errors import BudgetExceeded, BudgetHeld, RateLimited
from channeling.money import dollars
from channeling.window_kind import WindowKind

HELD_RETRY_AFTER_S = 1
# Claude Code shows its notice once one of these is passed.
_WARNING_THRESHOLDS = (("0.95", 95), ("0.75", 75))
# Claude Code's words for a period; it has none for an hour.
_PERIODS: dict[WindowKind, str] = {"day": "daily", "week": "weekly", "month": "monthly"}


class BudgetState(Struct, frozen=True):
    """A budget at one moment: `limit` with any raise; money in nanodollars."""

    kind: WindowKind
    limit: int
    window: WindowState

    @property
    def remaining(self) -> int:
        """What is neither settled nor held; never below 0."""
        return max(0, self.limit - self.window.committed)


def budget_headers(state: BudgetState) -> list[tuple[str, str]]:
    """Return the headers of an answer that was admitted."""
    used_percent = _used_percent(state)
    passed = next((name for name, percent in _WARNING_THRESHOLDS if used_percent >= percent), None)
    status = "allowed" if passed is None else "allowed_warning"
    headers = [
        *_plain_headers(state),
        ("anthropic-ratelimit-unified-status", status),
        ("anthropic-ratelimit-unified-overage-status", status),
        ("anthropic-ratelimit-unified-representative-claim", "overage"),
        # Below 1 while the user is allowed: at 1 the client says that the cap is reached.
        ("anthropic-ratelimit-unified-overage-utilization", f"{min(used_percent, 99) / 100:.2f}"),
        ("anthropic-ratelimit-unified-reset", str(state.window.end_s)),
        ("anthropic-ratelimit-unified-overage-reset", str(state.window.end_s)),
    ]
    if passed is not None:
        headers.append(("anthropic-ratelimit-unified-overage-surpassed-threshold", passed))
    return headers


def spent(state: BudgetState, *, request_amount: int, now_s: int) -> BudgetExceeded:
    """Return the refusal of a request that the budget has no room for until its window ends.

    No `representative-claim` and no `overage-status`: with them Claude Code replaces our message by its own.
    """
    refusal = BudgetExceeded(
        "AI budget exceeded for user",
        retry_after_s=max(1, state.window.end_s - now_s),
        details=_details("budget_exceeded", state, request_amount),
    )
    refusal.headers |= dict(_plain_headers(state))
    refusal.headers |= {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": str(state.window.end_s),
        "anthropic-ratelimit-unified-overage-reset": str(state.window.end_s),
        "anthropic-ratelimit-unified-overage-utilization": "1",
        "anthropic-ratelimit-unified-overage-surpassed-threshold": "1",
        "anthropic-ratelimit-unified-overage-disabled-reason": "org_spend_cap_reached",
    }
    if state.kind in _PERIODS:
        refusal.headers["anthropic-ratelimit-unified-overage-period"] = _PERIODS[state.kind]
    return refusal


def held_by_others(state: BudgetState, *, request_amount: int) -> BudgetHeld:
    """Return the refusal of a request that would fit, but for what others in flight hold: worth a retry."""
    refusal = BudgetHeld(
        "AI budget is held by requests in flight",
        retry_after_s=HELD_RETRY_AFTER_S,
        details=_details("budget_held", state, request_amount)
        | {"requests_in_flight": len(state.window.holds)},
    )
    refusal.headers |= dict(_plain_headers(state))
    return refusal


def too_many_concurrent(in_flight: int) -> RateLimited:
    """Return the refusal of a user with as many requests in flight as the project allows."""
    return RateLimited(
        f"{in_flight} requests of this user are in flight, as many as this project allows at once",
        retry_after_s=HELD_RETRY_AFTER_S,
        details={"error_code": "too_many_concurrent_requests", "requests_in_flight": in_flight},
    )


def budget_body(state: BudgetState) -> dict[str, Any]:
    """Return the body of GET /v1/budget: decimal dollars as strings, times ISO 8601."""
    return {
        "limit": dollars(state.limit),
        "settled": dollars(state.window.settled),
        "held": dollars(state.window.held),
        "remaining": dollars(state.remaining),
        "window": state.kind,
        "start": iso_time(state.window.start_s),
        "end": iso_time(state.window.end_s),
    }


@lru_cache(maxsize=64)
def iso_time(seconds: int) -> str:
    """Return a moment as ISO 8601 in UTC, to the second; the few moments that windows end at come again."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain_headers(state: BudgetState) -> list[tuple[str, str]]:
    return [
        ("x-channeling-budget-limit", dollars(state.limit)),
        ("x-channeling-budget-remaining", dollars(state.remaining)),
        ("x-channeling-budget-reset", iso_time(state.window.end_s)),
    ]


def _details(error_code: str, state: BudgetState, request_amount: int) -> dict[str, Any]:
    return {
        "error_code": error_code,
        "limit_usd": dollars(state.limit),
        "settled_usd": dollars(state.window.settled),
        "held_usd": dollars(state.window.held),
        "request_usd": dollars(request_amount),
        "resets_at": iso_time(state.window.end_s),
    }


def _used_percent(state: BudgetState) -> int:
    # What is settled, not what is held: a hold is what a request may cost, and would warn of money never spent.
    return state.window.settled * 100 // state.limit if state.limit > 0 else 100
