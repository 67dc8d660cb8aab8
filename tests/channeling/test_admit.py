"""The ladder of admission: hold the quote, count, clamp, refuse; each rung only where it can help."""

from dataclasses import dataclass, field

import pytest

from channeling.admit import admit
from channeling.budgets.admission import Held, NotHeld
from channeling.budgets.decide import HoldAsk, OverBudget, Revoked, TooManyConcurrent
from channeling.budgets.item import BudgetItem, BudgetKey, WindowState
from channeling.budgets.quote import Quote
from channeling.budgets.store import Hold
from channeling.errors import AuthenticationFailed, BudgetExceeded, BudgetHeld, RateLimited
from channeling.expected_output import ExpectedOutput
from channeling.usage.output_sizes import OutputSizes

LIMIT = 1_000_000
ASK = HoldAsk(BudgetKey("demo", "u", "day"), "h", LIMIT, 0, 0, 100, 960, "strict")
# One nanodollar a token each way: amounts are token counts.
QUOTE = Quote(input_tokens=100_000, input_rate=10**6, output_rate=10**6, max_tokens=500_000, least_tokens=64)


@dataclass
class Budget:
    """A budget that admits what fits, and notes what was asked of it."""

    settled: int = 0
    held: int = 0
    counted: int | None = None
    asked: list[int | str] = field(default_factory=list)
    reserves: list[int] = field(default_factory=list)
    covered: int = 0

    async def hold(self, amount: int, *, reserve: int) -> Held | NotHeld:
        self.asked.append(amount)
        self.reserves.append(reserve)
        holds = {"other": self.held} if self.held else {}
        window = WindowState(0, 86_400, self.settled + self.held, self.settled, holds)
        if self.settled + self.held + amount + reserve <= LIMIT:
            return Held(Hold(ASK.key, ASK.hold_id, 0, amount), BudgetItem(window), LIMIT)
        return NotHeld(OverBudget(window), LIMIT)

    async def count_input(self) -> int | None:
        self.asked.append("count")
        return self.counted

    async def admit(
        self,
        *,
        streamed: bool = True,
        quote: Quote = QUOTE,
        without: Quote | None = None,
        expected: ExpectedOutput | None = None,
    ) -> int | None:
        admitted = await admit(
            ASK,
            quote,
            hold=self.hold,
            count_input=self.count_input,
            now_s=0,
            streamed=streamed,
            without_tool_rounds=without,
            expected=expected,
        )
        self.covered = admitted.covered_tokens
        return admitted.max_tokens


async def test_what_fits_is_held_at_once() -> None:
    """No count and no clamp where the quote fits as it is."""
    budget = Budget(settled=400_000)
    assert await budget.admit() is None
    assert budget.asked == [600_000]


async def test_a_count_makes_room() -> None:
    """The counted input, with its margin, is held in the bound's place."""
    budget = Budget(settled=470_000, counted=20_000)
    assert await budget.admit() is None
    assert budget.asked == [600_000, "count", 20_000 + 1_000 + 1_000 + 500_000]


async def test_what_still_does_not_fit_is_clamped_to_what_is_left() -> None:
    """With nothing else held, the output is lowered until it fits to the token."""
    budget = Budget(settled=800_000, counted=20_000)
    assert await budget.admit() == 200_000 - 22_000
    assert budget.asked == [600_000, "count", 522_000, 200_000]


@pytest.mark.parametrize(("streamed", "clamped"), [(True, None), (False, 1_000_000 - 700_000 - 100_000)])
async def test_while_others_hold_a_stream_waits_and_a_whole_answer_is_clamped(
    streamed: bool, clamped: int | None
) -> None:
    """A stream is told to come back; an answer that comes whole can only be bounded by the provider."""
    budget = Budget(settled=100_000, held=600_000)
    if streamed:
        with pytest.raises(BudgetHeld):
            await budget.admit(streamed=True)
    else:
        assert await budget.admit(streamed=False) == clamped


@pytest.mark.parametrize(
    ("settled", "held", "error"),
    [
        # 100,000 of input and 64 of output are the least: they fit beside what is settled, or they do not.
        (1_000_000 - 100_064, 100_064, BudgetHeld),
        (1_000_000 - 100_063, 100_063, BudgetExceeded),
        (1_000_000, 0, BudgetExceeded),
        (0, 1_000_000, BudgetHeld),
    ],
)
async def test_spent_and_held_are_told_apart_to_the_nanodollar(
    settled: int, held: int, error: type[Exception]
) -> None:
    """Held: it would fit once the others are done. Spent: it would not, so that a retry is no use."""
    with pytest.raises(error):
        await Budget(settled=settled, held=held).admit()


async def test_a_spent_budget_asks_for_no_count() -> None:
    """A count could not help, and is a call on the provider."""
    budget = Budget(settled=LIMIT)
    with pytest.raises(BudgetExceeded):
        await budget.admit()
    assert "count" not in budget.asked


async def test_tool_rounds_that_do_not_fit_fall_back_where_the_project_allows() -> None:
    """The quote without the rounds is held, and nothing is clamped for their sake."""
    rounds = Quote(2_000_000, 10**6, 10**6, 1_000, 64, has_tool_rounds=True, is_countable=False)
    plain = Quote(1_000, 10**6, 10**6, 1_000, 64)
    budget = Budget()
    assert await budget.admit(quote=rounds, without=plain) is None
    assert budget.asked == [2_001_000, 2_000]
    with pytest.raises(BudgetExceeded):
        await Budget().admit(quote=rounds)


@pytest.mark.parametrize(
    ("reason", "error"), [(Revoked(), AuthenticationFailed), (TooManyConcurrent(100), RateLimited)]
)
async def test_other_reasons_are_refused_at_once(
    reason: Revoked | TooManyConcurrent, error: type[Exception]
) -> None:
    """A revoked token and a user with too much in flight are neither counted nor clamped."""

    async def hold(_: int, *, reserve: int) -> NotHeld:
        return NotHeld(reason, LIMIT)

    async def count_input() -> int:
        raise AssertionError("nothing to count for")

    with pytest.raises(error):
        await admit(
            ASK, QUOTE, hold=hold, count_input=count_input, now_s=0, streamed=False, without_tool_rounds=None
        )


# Half of the answers are 10,000 tokens long, half 90,000; the hold has to be 1,000 ahead.
EXPECTED = ExpectedOutput(OutputSizes(((10_000, 0.5), (90_000, 0.5))), 1_000)
SMALL = Quote(1_000, 10**6, 10**6, max_tokens=500_000, least_tokens=64)


async def test_a_stream_holds_amply_where_money_is_free() -> None:
    """The 95th percentile, and only where two more of its kind would fit beside it."""
    budget = Budget()
    assert await budget.admit(quote=SMALL, expected=EXPECTED) is None
    assert (budget.asked, budget.reserves, budget.covered) == ([92_000], [182_000], 91_000)


async def test_a_stream_holds_what_is_likely_where_money_is_short() -> None:
    """The median, where what it leaves lets the one that runs grow to its likely end."""
    budget = Budget(settled=700_000, held=150_000)
    assert await budget.admit(quote=SMALL, expected=EXPECTED) is None
    assert budget.covered == 11_000
    assert budget.asked == [92_000, 12_000]


async def test_a_stream_waits_where_those_that_run_need_what_is_free() -> None:
    """It is held, not spent: a retry will find room when one has ended."""
    budget = Budget(settled=800_000, held=150_000)
    with pytest.raises(BudgetHeld):
        await budget.admit(quote=SMALL, expected=EXPECTED)
    assert budget.asked == [92_000]


async def test_a_stream_that_runs_alone_needs_leave_nothing() -> None:
    """Ample or likely where that fits, all that is left where not: then the provider itself enforces the bound."""
    ample = Budget(settled=900_000)
    assert await ample.admit(quote=SMALL, expected=EXPECTED) is None
    assert (ample.asked, ample.reserves) == ([92_000, 92_000], [182_000, 0])
    likely = Budget(settled=950_000)
    assert await likely.admit(quote=SMALL, expected=EXPECTED) is None
    assert (likely.asked, likely.reserves) == ([92_000, 12_000], [182_000, 0])
    last = Budget(settled=990_000)
    assert await last.admit(quote=SMALL, expected=EXPECTED) == 9_000
    assert last.asked == [92_000, 10_000]
