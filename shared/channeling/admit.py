"""Admitting a request under its budget: hold the quote, else count the input, else clamp, else refuse."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from channeling.budget_answer import BudgetState, held_by_others, spent, too_many_concurrent
from channeling.budgets.admission import Held, NotHeld
from channeling.budgets.decide import HoldAsk, OverBudget, Revoked, TooManyConcurrent
from channeling.budgets.quote import Quote
from channeling.errors import AuthenticationFailed, GatewayError


class Hold(Protocol):
    """Holds an amount; with `keep_reserve` only where it leaves what running streams may yet need."""

    def __call__(self, amount: int, *, keep_reserve: bool) -> Awaitable[Held | NotHeld]: ...


CountInput = Callable[[], Awaitable[int | None]]


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that is held for. `max_tokens` is what its output was lowered to, None where it was not;
    `covered_tokens` is how much output the hold covers."""

    held: Held
    quote: Quote
    max_tokens: int | None
    covered_tokens: int


async def admit(
    ask: HoldAsk,
    quote: Quote,
    *,
    hold: Hold,
    count_input: CountInput,
    now_s: int,
    streamed: bool,
    without_tool_rounds: Quote | None,
    expected_tokens: int | None = None,
) -> Admitted:
    """Hold what a request may cost, or raise the refusal: BudgetExceeded, BudgetHeld, RateLimited (too many in
    flight) or AuthenticationFailed (revoked).

    `without_tool_rounds` is the quote to fall back to where the project allows server tools without a bound.
    `expected_tokens` of output are held for, where the hold can grow with the answer; None holds for all of it.
    """
    covered = quote.max_tokens if expected_tokens is None else min(expected_tokens, quote.max_tokens)
    outcome = await hold(quote.amount(covered), keep_reserve=True)
    if isinstance(outcome, NotHeld) and without_tool_rounds is not None and _is_over_budget(outcome):
        quote = without_tool_rounds
        outcome = await hold(quote.amount(covered), keep_reserve=True)
    if isinstance(outcome, NotHeld) and quote.is_worth_counting and _is_over_budget(outcome):
        counted = await count_input()
        if counted is not None:
            quote = quote.counted(counted)
            outcome = await hold(quote.amount(covered), keep_reserve=True)
    max_tokens = None
    if isinstance(outcome, NotHeld) and (max_tokens := _clamp(quote, outcome, streamed=streamed)) is not None:
        covered = max_tokens
        outcome = await hold(quote.amount(max_tokens), keep_reserve=False)
    if isinstance(outcome, Held):
        return Admitted(outcome, quote, max_tokens, covered)
    raise refusal_of(outcome, ask, quote, now_s)


def refusal_of(outcome: NotHeld, ask: HoldAsk, quote: Quote, now_s: int) -> GatewayError:
    """Return what a caller is told of a refused hold: revoked, too many at once, spent, or held by others."""
    match outcome.reason:
        case Revoked():
            return AuthenticationFailed("The token was revoked. Ask for a new one.")
        case TooManyConcurrent(in_flight):
            return too_many_concurrent(in_flight)
        case OverBudget(window):
            state = BudgetState(ask.key.kind, outcome.limit, window)
            if outcome.limit - window.settled < quote.least_amount or not window.held:
                return spent(state, request_amount=quote.least_amount, now_s=now_s)
            return held_by_others(state, request_amount=quote.least_amount)


def _is_over_budget(outcome: NotHeld) -> bool:
    return isinstance(outcome.reason, OverBudget) and outcome.reason.window.settled < outcome.limit


def _clamp(quote: Quote, outcome: NotHeld, *, streamed: bool) -> int | None:
    """Return the `max_tokens` that fits what is free, where lowering it is fair.

    While others hold, a stream waits for its turn instead: a little later all of its answer may fit. An answer
    that comes whole cannot be stopped half-way, so that the provider itself must enforce the bound.
    """
    if not isinstance(outcome.reason, OverBudget):
        return None
    window = outcome.reason.window
    if streamed and window.held:
        return None
    return quote.tokens_within(outcome.limit - window.committed)
