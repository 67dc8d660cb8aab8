"""The default table, read once for all pricing tests, and a time at which its newest prices hold."""

import pytest

from channeling.pricing.price_table import PriceTable

NOW_S = 1_795_500_000  # 2026-11-24


@pytest.fixture(scope="session")
def table() -> PriceTable:
    return PriceTable.load()
