"""Rates become the limit that OpenRouter is told, to the nanodollar."""

import pytest

from channeling.providers.openrouter.price_limit import PriceLimit


@pytest.mark.parametrize(
    ("rate", "usd"),
    [(1, "0.000000001"), (280_000_000, "0.28"), (15_000_000_000, "15"), (1_250_000_001, "1.250000001")],
)
def test_rates(rate: int, usd: str) -> None:
    """They are decimals without an exponent."""
    assert PriceLimit(rate, rate * 2).max_price["prompt"] == usd


def test_nothing_is_no_limit() -> None:
    """What costs nothing may not become a limit of nothing: the price may be the project's own."""
    assert PriceLimit(0, 5_000_000_000).max_price == {"completion": "5"}
    assert PriceLimit(0, 0).max_price == {}
