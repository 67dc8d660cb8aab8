"""What OpenRouter reports is billed to the nanodollar: digits as JSON had them, rounded up once."""

from decimal import ROUND_CEILING, Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeling.providers.openrouter.cost import reported_cost


@pytest.mark.parametrize(
    ("usage", "nanousd"),
    [
        ({"cost": 0}, 0),
        ({"cost": 0.0}, 0),
        ({"cost": 0.000123}, 123_000),
        ({"cost": 1.23456789e-05}, 12_346),
        ({"cost": 1e-09}, 1),
        ({"cost": 1e-12}, 1),
        ({"cost": 5e-324}, 1),
        ({"cost": 0.3}, 300_000_000),
        ({"cost": 0.1 + 0.2}, 300_000_001),  # a server's own arithmetic is what it says
        ({"cost": 2}, 2_000_000_000),
        ({"cost": 1_000_000}, 10**15),
        # A key of one's own: the vendor bills beside OpenRouter, and both are rounded together.
        (
            {"cost": 0.00000625, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.000125}},
            131_250,
        ),
        ({"cost": 4e-10, "is_byok": True, "cost_details": {"upstream_inference_cost": 4e-10}}, 1),
        ({"cost": 0.5, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, 500_000_000),
        ({"cost": 0.5, "is_byok": True, "cost_details": None}, 500_000_000),
        # Not a key of one's own: what OpenRouter pays its vendor is not billed beside it.
        ({"cost": 0.5, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.4}}, 500_000_000),
    ],
)
def test_costs(usage: dict[str, Any], nanousd: int) -> None:
    assert reported_cost(usage) == nanousd


@pytest.mark.parametrize(
    "cost", [None, "0.1", True, -0.1, -1e-300, 1_000_001, 1e300, float("inf"), float("nan"), [], {}]
)
def test_what_can_be_no_cost_is_none(cost: Any) -> None:
    """The price table then says what the answer cost."""
    assert reported_cost({"cost": cost}) is None
    assert reported_cost({}) is None


@given(st.decimals(0, 1000, places=12), st.booleans())
def test_every_cost_is_that_of_its_digits(cost: Decimal, is_byok: bool) -> None:
    usage = orjson.loads(f'{{"cost": {cost:f}, "is_byok": {"true" if is_byok else "false"}}}')
    told = Decimal(repr(usage["cost"]))  # 17 digits are what a number in JSON is read with
    assert reported_cost(usage) == int((told * 10**9).to_integral_value(ROUND_CEILING))
