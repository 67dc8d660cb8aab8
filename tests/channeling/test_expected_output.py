"""A stream takes no money that those that run are expected to need."""

import pytest

from channeling.budgets.item import WindowState
from channeling.budgets.quote import Quote
from channeling.expected_output import ExpectedOutput
from channeling.usage.output_sizes import OutputSizes

# One nanodollar a token. Answers are of 100 tokens, or of 300 (running: 250 on average, spread 86.6); mean 200.
QUOTE = Quote(input_tokens=10, input_rate=10**6, output_rate=10**6, max_tokens=1_000, least_tokens=1)
EXPECTED = ExpectedOutput(OutputSizes(((100, 0.5), (300, 0.5))), ahead_tokens=50)


def window(settled: int, *holds: int) -> WindowState:
    return WindowState(
        0, 86_400, settled + sum(holds), settled, {f"h{n}": amount for n, amount in enumerate(holds)}
    )


@pytest.mark.parametrize(
    ("others", "free", "planned"),
    [
        # Nobody else runs: nothing is left for others. 350 is ample, 150 likely; 10 is the input.
        ((), 360, (350, 0)),
        ((), 359, (150, 0)),
        ((), 159, None),
        # One other holds 150 and will need 250; this one's mean is 50 above what is likely; 1.25 spreads are 108.
        ((150,), 418, (150, 100 + 50 + 108)),
        ((150,), 417, None),
        # What it holds is enough: only the mean of this one and the spreads are kept.
        ((400,), 318, (150, 50 + 108)),
        ((400,), 317, None),
        # Ample, where the reserve and it fit.
        ((400,), 518, (350, 50 + 108)),
        # Four others: twice the spread of one.
        ((250,) * 4, 160 + 50 + 216, (150, 50 + 216)),
    ],
)
def test_plans(others: tuple[int, ...], free: int, planned: tuple[int, int] | None) -> None:
    """Each case worked out in its comment."""
    held = window(1_000, *others)
    plan = EXPECTED.beside_others(QUOTE, held, held.committed + free)
    assert (None if plan is None else (plan.tokens, plan.reserve)) == planned


def test_never_more_than_was_asked() -> None:
    """`max_tokens` bounds what is held, and what others of its kind are taken to need."""
    short = Quote(input_tokens=10, input_rate=10**6, output_rate=10**6, max_tokens=120, least_tokens=1)
    assert EXPECTED.ample(short).tokens == 120
    held = window(0, 120)
    plan = EXPECTED.beside_others(short, held, held.committed + 1_000)
    assert plan is not None
    assert plan.tokens == 120
