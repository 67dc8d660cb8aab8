"""Money is shown exactly, without needless digits."""

import pytest

from channeling.money import dollars


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (5_000_000_000, "5"),
        (12_345_678, "0.012345678"),
        (1, "0.000000001"),
        (1_500_000_000, "1.5"),
        (-500_000_000, "-0.5"),
        (10**21, "1000000000000"),
    ],
)
def test_dollars(amount: int, text: str) -> None:
    """Nanodollars become decimal dollars without rounding."""
    assert dollars(amount) == text
