"""Fields of usage are read where they are what they should be, and tiers by the names of the price list."""

from typing import Any

import pytest

from channeling.providers.usage_fields import billing_terms, count_in, object_in
from channeling.usage.token_counts import BillingTerms


@pytest.mark.parametrize(
    ("tier", "billed"),
    [
        (None, "standard"),
        ("", "standard"),
        (7, "standard"),
        ("auto", "standard"),
        ("default", "standard"),
        ("scale", "standard"),
        ("priority", "priority"),
        ("fast", "priority"),
        ("flex", "flex"),
        ("ultrafast", "ultrafast"),
    ],
)
def test_terms_are_those_of_the_price_list(tier: Any, billed: str) -> None:
    assert billing_terms({"service_tier": tier}) == BillingTerms(service_tier=billed)


@pytest.mark.parametrize("value", [True, -1, 1.5, "7", None, [], {}])
def test_what_is_no_count_is_none(value: Any) -> None:
    assert count_in({"n": value}, "n") is None
    assert count_in({"n": 0}, "n") == 0


@pytest.mark.parametrize("value", [None, 7, "x", []])
def test_what_is_no_object_is_empty(value: Any) -> None:
    assert object_in({"o": value}, "o") == {}
    assert object_in({"o": {"a": 1}}, "o") == {"a": 1}
