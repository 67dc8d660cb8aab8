"""No usage that the possible terms allow costs more than the bound, for every model of the table."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeling.pricing.bound import (
    PossibleTerms,
    amount_nanousd,
    bound_nanousd,
    dearest_rates,
    tokens_within,
)
from channeling.pricing.cost import cost_nanousd
from channeling.pricing.model_price import ListedRates, ModelPrice, Step
from channeling.pricing.price_table import PriceTable
from channeling.provider import Provider
from channeling.usage.token_counts import BillingTerms, TokenCounts
from tests.channeling.pricing.conftest import NOW_S

TABLE = PriceTable.load()
PROVIDERS: tuple[Provider, ...] = ("anthropic", "openai", "openrouter")
PRICES: list[ModelPrice] = [
    price
    for provider in PROVIDERS
    for model in TABLE.models(provider)
    if (price := TABLE.price_of(provider, model.model_id, NOW_S)) is not None
]
TIERS = ("standard", "priority", "batch", "flex", "fast", "never-heard-of")
SPEEDS = ("standard", "fast")
GEOS = (None, "global", "us", "elsewhere")

counts_of_input = st.tuples(*(st.one_of(st.integers(0, 300_000), st.just(0)) for _ in range(4)))


@st.composite
def possible_and_actual(draw: st.DrawFn) -> tuple[PossibleTerms, BillingTerms, TokenCounts]:
    """Possible terms, and what then comes: terms among them, kinds of cache among them, input within the bound."""
    tiers = tuple(draw(st.lists(st.sampled_from(TIERS), min_size=1, max_size=3, unique=True)))
    speeds = tuple(draw(st.lists(st.sampled_from(SPEEDS), min_size=1, max_size=2, unique=True)))
    geo = draw(st.sampled_from(GEOS))
    cache_5m, cache_1h = draw(st.booleans()), draw(st.booleans())
    plain, read, write_5m, write_1h = draw(counts_of_input)
    counts = TokenCounts(
        input_tokens=plain,
        cache_read_tokens=read,
        cache_write_5m_tokens=write_5m if cache_5m else 0,
        cache_write_1h_tokens=write_1h if cache_1h else 0,
        output_tokens=draw(st.integers(0, 200_000)),
        web_search_requests=draw(st.integers(0, 5)),
    )
    headroom = draw(st.sampled_from((None, 0, 1, 50_000)))
    most = None if headroom is None else counts.total_input_tokens + headroom
    possible = PossibleTerms(cache_5m, cache_1h, tiers, speeds, geo, most)
    actual = BillingTerms(draw(st.sampled_from(tiers)), draw(st.sampled_from(speeds)), geo)
    return possible, actual, counts


@settings(max_examples=150, deadline=None, derandomize=True)
@given(case=possible_and_actual(), offset=st.integers(0, 96))
def test_no_cost_is_above_its_bound(
    case: tuple[PossibleTerms, BillingTerms, TokenCounts], offset: int
) -> None:
    possible, actual, counts = case
    # Every 97th model for each example: between them the examples meet each model more than once.
    for price in PRICES[offset::97]:
        bound = bound_nanousd(
            price,
            possible,
            input_tokens=counts.total_input_tokens,
            output_tokens=counts.output_tokens,
            web_searches=counts.web_search_requests,
        )
        assert cost_nanousd(price, counts, actual) <= bound, price.model_id


def test_every_model_is_bound_at_its_steps_under_every_term() -> None:
    broken = []
    for price in PRICES:
        totals = {1} | {
            length
            for variant in (price.listed, *(v.rates for v in price.variants))
            for steps in (variant.input, variant.output)
            for step in (steps or ())[1:]
            for length in (step.above_tokens, step.above_tokens + 1)
        }
        for total, tier, speed, kind in product(totals, TIERS, SPEEDS, ("plain", "read", "5m", "1h")):
            counts = TokenCounts(
                input_tokens=total if kind == "plain" else 0,
                cache_read_tokens=total if kind == "read" else 0,
                cache_write_5m_tokens=total if kind == "5m" else 0,
                cache_write_1h_tokens=total if kind == "1h" else 0,
                output_tokens=7,
            )
            possible = PossibleTerms(kind == "5m", kind == "1h", (tier,), (speed,), "us", total)
            bound = bound_nanousd(price, possible, input_tokens=total, output_tokens=7)
            if cost_nanousd(price, counts, BillingTerms(tier, speed, "us")) > bound:
                broken.append((price.model_id, total, tier, speed, kind))
    assert broken == []


def _sonnet() -> ModelPrice:
    price = TABLE.price_of("anthropic", "claude-sonnet-4-5", NOW_S)
    assert price is not None
    return price


@pytest.mark.parametrize(
    ("possible", "expected_input", "expected_output"),
    [
        # Sonnet 4.5: input $3, write $3.75 and $6, above 200,000 input $6, writes $7.50 and $12; output $15, $22.50
        (PossibleTerms(max_input_tokens=200_000), 3_000_000_000, 15_000_000_000),
        (PossibleTerms(max_input_tokens=200_001), 6_000_000_000, 22_500_000_000),
        (PossibleTerms(), 6_000_000_000, 22_500_000_000),
        (PossibleTerms(cache_5m=True, max_input_tokens=1_000), 3_750_000_000, 15_000_000_000),
        (PossibleTerms(cache_1h=True, max_input_tokens=1_000), 6_000_000_000, 15_000_000_000),
        (PossibleTerms(cache_1h=True), 12_000_000_000, 22_500_000_000),
        (PossibleTerms(inference_geo="us", max_input_tokens=1_000), 3_300_000_000, 16_500_000_000),
        # batch alone is half; together with standard the dearer counts
        (PossibleTerms(service_tiers=("batch",), max_input_tokens=1_000), 1_500_000_000, 7_500_000_000),
        (
            PossibleTerms(service_tiers=("batch", "standard"), max_input_tokens=0),
            3_000_000_000,
            15_000_000_000,
        ),
    ],
)
def test_dearest_rates_of_a_stepped_model(
    possible: PossibleTerms, expected_input: int, expected_output: int
) -> None:
    assert dearest_rates(_sonnet(), possible) == (expected_input, expected_output)


def test_fast_counts_when_it_is_asked_for() -> None:
    price = TABLE.price_of("anthropic", "claude-opus-5", NOW_S)
    assert price is not None
    assert dearest_rates(price, PossibleTerms())[1] == 25_000_000_000
    assert dearest_rates(price, PossibleTerms(speeds=("standard", "fast")))[1] == 50_000_000_000


def test_automatic_caching_counts_unasked_elsewhere_than_at_anthropic() -> None:
    listed = ListedRates(input=(Step(0, 4),), output=(Step(0, 9),), cache_write_5m=(Step(0, 5),))
    assert dearest_rates(ModelPrice("openai", "gpt-x", "X", "custom", listed), PossibleTerms())[0] == 5
    assert dearest_rates(ModelPrice("anthropic", "claude-x", "X", "custom", listed), PossibleTerms())[0] == 4


@given(amount=st.integers(-10, 10**15), rate=st.integers(1, 10**13))
def test_what_fits_into_an_amount_costs_no_more_and_one_more_token_does(amount: int, rate: int) -> None:
    tokens = tokens_within(amount, rate)
    assert tokens is not None
    assert amount_nanousd(tokens, rate) <= max(amount, 0)
    assert amount_nanousd(tokens + 1, rate) > amount


def test_any_number_of_free_tokens_fits() -> None:
    assert tokens_within(0, 0) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"service_tiers": ()}, "at least one service tier"),
        ({"speeds": ()}, "at least one service tier and one speed"),
        ({"max_input_tokens": -1}, "at least 0"),
    ],
)
def test_impossible_terms_are_refused(arguments: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PossibleTerms(**arguments)  # type: ignore[arg-type]
