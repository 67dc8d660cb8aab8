"""An operator's price is read exactly or refused with the key and the reason, and survives its store."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeling.pricing.cost import cost_nanousd
from channeling.pricing.custom_price import (
    MIN_NANOUSD_PER_1000_SEARCHES,
    MIN_NANOUSD_PER_MTOK,
    CustomPrice,
    parse_custom_price,
)
from channeling.pricing.price_table import PriceTable
from channeling.provider import Provider
from channeling.usage.token_counts import BillingTerms, TokenCounts
from tests.channeling.pricing.conftest import NOW_S

MINIMAL = {"model": "my-model", "input": "1", "output": "2"}


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("0", 0),
        ("0.000000000", 0),
        ("3", 3_000_000_000),
        ("2.50", 2_500_000_000),
        ("0.001", 1_000_000),
        ("0.001000001", 1_000_001),
        ("0.123456789", 123_456_789),
        ("0.1000000000000", 100_000_000),  # zeros are no decimals
        ("10000", 10_000_000_000_000),
        ("007", 7_000_000_000),
    ],
)
def test_dollars_are_read_exactly(text: str, rate: int) -> None:
    assert parse_custom_price({**MINIMAL, "input": text}).input == rate


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": "-1"}, "input must be dollars as a decimal string"),
        ({"input": "NaN"}, "input must be dollars"),
        ({"input": "inf"}, "input must be dollars"),
        ({"input": "1e3"}, "input must be dollars"),
        ({"input": "+1"}, "input must be dollars"),
        ({"input": "1_000"}, "input must be dollars"),
        ({"input": "1,5"}, "input must be dollars"),
        ({"input": ".5"}, "input must be dollars"),
        ({"input": "5."}, "input must be dollars"),
        ({"input": " 1"}, "input must be dollars"),
        ({"input": "1\n"}, "input must be dollars"),
        ({"input": "٣"}, "input must be dollars"),
        ({"input": ""}, "input must be dollars"),
        ({"input": "9" * 1_000_000}, "input must be dollars"),
        ({"input": 3}, 'input must be dollars as a decimal string, such as "2.50", not int'),
        ({"input": 3.5}, "not float"),
        ({"input": True}, "not bool"),
        ({"input": ["1"]}, "not list"),
        ({"input": "-0"}, "input must be dollars"),
        ({"input": Decimal("NaN")}, "not Decimal"),
        ({"input": float("nan")}, "not float"),
        ({"input": float("inf")}, "not float"),
        ({"input": -1}, "not int"),
        ({"input": b"1"}, "not bytes"),
        # $3 a million typed as dollars a token, and the dearest that any list has
        (
            {"input": "0.000003"},
            r"input is below 0.001 dollars and not 0: '0.000003'; is it per million tokens",
        ),
        ({"output": "0.0006"}, "output is below 0.001 dollars"),
        ({"cache_read": "0.000999999"}, "cache_read is below 0.001 dollars"),
        (
            {"web_search": "0.01"},
            r"web_search is below 0.1 dollars and not 0: '0.01'; is it per 1,000 searches",
        ),
        ({"web_search": "0.099999999"}, "web_search is below 0.1 dollars"),
        # … and a million times too much
        ({"input": "3000000"}, "input is above 10,000 dollars"),
        ({"web_search": "10000.01"}, "web_search is above 10,000 dollars"),
        ({"output": "0.0000000001"}, "output has more than 9 decimals"),
        ({"output": "10000.000000001"}, "output is above 10,000 dollars"),
        ({"cache_read": "10001"}, "cache_read is above 10,000 dollars"),
        ({"web_search": "-5"}, "web_search must be dollars"),
        ({"input": None}, "a price needs input"),
        ({"output": None}, "a price needs output"),
        ({"model": None}, "a price needs model"),
        ({"model": None, "output": None}, "a price needs model and output"),
        ({"model": ""}, "model must be a model name"),
        ({"model": "a b"}, "model must be a model name"),
        ({"model": "a*b"}, "model must be a model name"),
        ({"model": "a**"}, "model must be a model name"),
        ({"model": "a\n"}, "model must be a model name"),
        ({"model": "x" * 257}, "at most 256 characters"),
        ({"model": 7}, "model must be a model name"),
        ({"provider": "azure"}, "provider must be one of anthropic, openai, openrouter"),
        ({"provider": ["openai"]}, "provider must be one of"),
        ({"valid_from": -1}, "valid_from must be epoch seconds"),
        ({"valid_from": "1"}, "valid_from must be epoch seconds"),
        ({"valid_from": 1.5}, "valid_from must be epoch seconds"),
        ({"valid_from": True}, "valid_from must be epoch seconds"),
        ({"valid_from": 10**12}, "valid_from must be epoch seconds"),
        ({"cached_read": "1"}, "unknown key 'cached_read'"),
        ({"pk": "p1"}, "unknown key 'pk'"),
    ],
)
def test_a_bad_price_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_custom_price({**MINIMAL, **change})


def test_the_least_rate_is_below_all_listed_ones_and_above_all_of_them_by_the_token(
    table: PriceTable,
) -> None:
    providers: tuple[Provider, ...] = ("anthropic", "openai", "openrouter")
    prices = [
        table.price_of(provider, model.model_id, NOW_S)
        for provider in providers
        for model in table.models(provider)
    ]
    listed = {
        step.rate
        for price in prices
        if price is not None
        for listing in (price.listed, *(variant.rates for variant in price.variants))
        for kind in listing.__struct_fields__
        for step in getattr(listing, kind) or ()
        if step.rate
    }
    assert max(listed) // 10**6 < MIN_NANOUSD_PER_MTOK <= min(listed)
    fees = {price.web_search_nanousd for price in prices if price is not None and price.web_search_nanousd}
    assert max(fees) < MIN_NANOUSD_PER_1000_SEARCHES <= min(fees) * 1_000


RATE_KEYS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_search")


@pytest.mark.parametrize("key", RATE_KEYS)
@pytest.mark.parametrize(
    "value",
    [
        "-1",
        "-0.5",
        "nan",
        "NaN",
        "sNaN",
        "inf",
        "-inf",
        "Infinity",
        "1e400",
        "10001",
        "0.0000004",
        "free",
        1.0,
    ],
)
def test_no_key_takes_a_negative_endless_or_absurd_rate(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{key} "):
        parse_custom_price({**MINIMAL, key: value})


@pytest.mark.parametrize("left_out", ["model", "input", "output"])
def test_a_key_that_must_be_there_is_missed(left_out: str) -> None:
    with pytest.raises(ValueError, match=f"a price needs {left_out}"):
        parse_custom_price({key: value for key, value in MINIMAL.items() if key != left_out})


rates = st.just(0) | st.integers(10**6, 10_000 * 10**9)
fees = st.just(0) | st.integers(10**8, 10_000 * 10**9)
custom_prices = st.builds(
    CustomPrice,
    model=st.from_regex(r"\A[a-zA-Z0-9/:._-]{1,40}\*?\Z"),
    input=rates,
    output=rates,
    cache_read=st.none() | rates,
    cache_write_5m=st.none() | rates,
    cache_write_1h=st.none() | rates,
    web_search=st.none() | fees,
    provider=st.none() | st.sampled_from(("anthropic", "openai", "openrouter")),
    valid_from_s=st.none() | st.integers(0, 4_000_000_000),
)


@given(price=custom_prices)
def test_an_item_is_read_back_as_the_same_price(price: CustomPrice) -> None:
    item = price.to_item()
    assert all(type(value) in (int, str) for value in item.values())
    assert parse_custom_price(item) == price


@pytest.mark.parametrize(
    ("price", "message"),
    [
        (CustomPrice("m", input=-1, output=1_000_000), "input must be dollars"),
        (CustomPrice("m", input=1_000_000, output=-3 * 10**9), "output must be dollars"),
        (CustomPrice("m", input=3_000, output=15_000), "input is below 0.001 dollars"),
        (CustomPrice("m", input=10**6, output=10**14), "output is above 10,000 dollars"),
        (CustomPrice("m", input=10**6, output=10**6, web_search=1), "web_search is below 0.1 dollars"),
        (CustomPrice("", input=0, output=0), "model must be a model name"),
        (CustomPrice("m", input=0, output=0, valid_from_s=-1), "valid_from must be epoch seconds"),
    ],
)
def test_a_price_that_would_not_be_read_is_not_written(price: CustomPrice, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        price.to_item()


@pytest.mark.parametrize(
    ("pattern", "provider", "valid_from", "asked", "matches"),
    [
        ("my-model", None, None, ("openai", "my-model"), True),
        ("My-Model", None, None, ("openai", "mY-mOdEl"), True),
        ("my-model", None, None, ("openai", "my-model-2"), False),
        ("my-*", None, None, ("openai", "my-model"), True),
        ("my-*", None, None, ("openai", "not-my-model"), False),
        ("*", None, None, ("openrouter", "anything"), True),
        ("my-model", "openai", None, ("openai", "my-model"), True),
        ("my-model", "openai", None, ("openrouter", "my-model"), False),
        ("my-model", None, 1_000, ("openai", "my-model"), True),
        ("my-model", None, 1_001, ("openai", "my-model"), False),
    ],
)
def test_which_models_a_price_is_for(
    pattern: str, provider: Provider, valid_from: int, asked: tuple[Provider, str], matches: bool
) -> None:
    price = parse_custom_price({**MINIMAL, "model": pattern, "provider": provider, "valid_from": valid_from})
    assert price.matches(*asked, at_s=1_000) is matches


def test_cost_at_a_custom_price() -> None:
    price = parse_custom_price({**MINIMAL, "cache_read": "0.5", "web_search": "5"})
    # 1,000 × $1 + 1,000 × $0.50 + 1,000 × $1 (a write, as input) + 100 × $2 a million, and 2 searches at $0.005
    counts = TokenCounts(
        input_tokens=1_000,
        cache_read_tokens=1_000,
        cache_write_5m_tokens=1_000,
        output_tokens=100,
        web_search_requests=2,
    )
    model_price = price.price_of("openai", "my-model", "custom")
    assert cost_nanousd(model_price, counts, BillingTerms()) == 2_700_000 + 10_000_000


def test_an_explicit_0_is_free_searches_too() -> None:
    price = parse_custom_price({"model": "*", "input": "0", "output": "0"}).price_of(
        "anthropic", "m", "custom"
    )
    counts = TokenCounts(10**6, 10**6, 10**6, 10**6, 10**6, 0, 50, 50)
    assert price.is_free
    assert cost_nanousd(price, counts, BillingTerms(inference_geo="us")) == 0


@pytest.mark.parametrize(("provider", "fee"), [("anthropic", 10_000_000), ("openai", 25_000_000)])
def test_a_search_fee_left_out_is_the_providers_own(provider: Provider, fee: int) -> None:
    price = parse_custom_price(MINIMAL).price_of(provider, "my-model", "custom")
    assert price.web_search_nanousd == fee
    assert not price.is_free
