"""Admitting a request under its budget: hold the quote, else count the input, else clamp, else refuse."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec import Struct

from channeling.budget_answer import BudgetState, held_by_others, spent, too_many_concurrent
from channeling.budgets.admission import Held, NotHeld
from channeling.budgets.decide import HoldAsk, OverBudget, Revoked, TooManyConcurrent
from channeling.budgets.quote import Quote
from channeling.errors import AuthenticationFailed, GatewayError
from channeling.expected_output import ExpectedOutput


class Hold(Protocol):
    """Holds an amount where that leaves a reserve free beside it, both in nanodollars."""

    def __call__(self, amount: int, *, reserve: int) -> Awaitable[Held | NotHeld]: ...


CountInput = Callable[[], Awaitable[int | None]]


class Admitted(Struct, frozen=True):
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
    expected: ExpectedOutput | None = None,
) -> Admitted:
    """Hold what a request may cost, or raise the refusal: BudgetExceeded, BudgetHeld, RateLimited (too many in
    flight) or AuthenticationFailed (revoked).

    `without_tool_rounds` is the quote to fall back to where the project allows server tools without a bound.
    `expected` output is held for, where the hold can grow with the answer; None holds for all of it.
    """
    outcome, covered = await _hold_output(hold, quote, expected)
    if isinstance(outcome, NotHeld) and without_tool_rounds is not None and _is_over_budget(outcome):
        quote = without_tool_rounds
        outcome, covered = await _hold_output(hold, quote, expected)
    if isinstance(outcome, NotHeld) and quote.is_worth_counting and _is_over_budget(outcome):
        counted = await count_input()
        if counted is not None:
            quote = quote.counted(counted)
            outcome, covered = await _hold_output(hold, quote, expected)
    max_tokens = None
    if isinstance(outcome, NotHeld) and (max_tokens := _clamp(quote, outcome, streamed=streamed)) is not None:
        covered = max_tokens
        outcome = await hold(quote.amount(max_tokens), reserve=0)
    if isinstance(outcome, Held):
        return Admitted(outcome, quote, max_tokens, covered)
    raise refusal_of(outcome, ask, quote, now_s)


async def _hold_output(
    hold: Hold, quote: Quote, expected: ExpectedOutput | None
) -> tuple[Held | NotHeld, int]:
    """Hold for all of the output, or for what is expected of it; return how many tokens are covered, too."""
    if expected is None:
        return await hold(quote.amount(), reserve=0), quote.max_tokens
    plan = expected.ample(quote)
    outcome = await hold(quote.amount(plan.tokens), reserve=plan.reserve)
    if isinstance(outcome, NotHeld) and isinstance(outcome.reason, OverBudget):
        tighter = expected.beside_others(quote, outcome.reason.window, outcome.limit)
        if tighter is not None:
            plan = tighter
            outcome = await hold(quote.amount(plan.tokens), reserve=plan.reserve)
    return outcome, plan.tokens


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
