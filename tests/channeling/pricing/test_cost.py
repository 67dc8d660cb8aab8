"""Costs are what a person computes by hand from the price list, to the nanodollar, rounded up once."""

from datetime import UTC, datetime

import pytest

from channeling.pricing.cost import BilledPart, cost_nanousd, cost_of_parts
from channeling.pricing.model_price import ListedRates, ModelPrice, Rates, Step, Variant, flat_rates, rates_of
from channeling.pricing.price_table import PriceTable
from channeling.provider import Provider
from channeling.usage.token_counts import BillingTerms, TokenCounts
from tests.channeling.pricing.conftest import NOW_S

STANDARD = BillingTerms()
BATCH = BillingTerms(service_tier="batch")
FAST = BillingTerms(speed="fast")
US = BillingTerms(inference_geo="us")

# (what, provider, model, counts, terms, nanodollars): dollars per million are nanodollars per token times 1,000.
GOLDEN: list[tuple[str, Provider, str, TokenCounts, BillingTerms, int]] = [
    # 1,000 × $3 + 500 × $15 a million = $0.003 + $0.0075
    (
        "plain",
        "anthropic",
        "claude-sonnet-4-5-20250929",
        TokenCounts(input_tokens=1_000, output_tokens=500),
        STANDARD,
        10_500_000,
    ),
    # one token at $0.25 is 250 nanodollars
    ("one token", "anthropic", "claude-3-haiku-20240307", TokenCounts(input_tokens=1), STANDARD, 250),
    # cache: 10 × $5 + 1,000 × $0.50 + 100 × $6.25 + 10 × $10 + 7 × $25 = 50 + 500 + 625 + 100 + 175 = 1,450 µ$
    (
        "every kind of cache",
        "anthropic",
        "claude-opus-4-5",
        TokenCounts(
            input_tokens=10,
            cache_read_tokens=1_000,
            cache_write_5m_tokens=100,
            cache_write_1h_tokens=10,
            output_tokens=7,
        ),
        STANDARD,
        1_450_000,
    ),
    # thinking is a part of output and costs nothing more: 100 × $25 = 2,500 µ$
    (
        "thinking",
        "anthropic",
        "claude-opus-5",
        TokenCounts(output_tokens=100, thinking_tokens=90),
        STANDARD,
        2_500_000,
    ),
    # 3 searches at $10 per 1,000 = $0.03, beside 100 × $5 = $0.0005; a fetch is free
    (
        "searches",
        "anthropic",
        "claude-opus-5",
        TokenCounts(input_tokens=100, web_search_requests=3, web_fetch_requests=4),
        STANDARD,
        30_500_000,
    ),
    # 200,000 in all: still short, 150,000 × $3 + 50,000 × $0.30 + 1,000 × $15 = 0.45 + 0.015 + 0.015
    (
        "at the step",
        "anthropic",
        "claude-sonnet-4-5",
        TokenCounts(input_tokens=150_000, cache_read_tokens=50_000, output_tokens=1_000),
        STANDARD,
        480_000_000,
    ),
    # 200,001: all at the long rates, 150,001 × $6 + 50,000 × $0.60 + 1,000 × $22.50 = 0.900006 + 0.03 + 0.0225
    (
        "above the step",
        "anthropic",
        "claude-sonnet-4-5",
        TokenCounts(input_tokens=150_001, cache_read_tokens=50_000, output_tokens=1_000),
        STANDARD,
        952_506_000,
    ),
    # Haiku 5.5 at 100,000: 100,000 × $0.10 + 10 × $0.50 = 0.01 + 0.000005
    (
        "Haiku 5.5 short",
        "anthropic",
        "claude-haiku-5-5",
        TokenCounts(input_tokens=100_000, output_tokens=10),
        STANDARD,
        10_005_000,
    ),
    # … and a cache read more: 100,000 × $0.50 + 1 × $0.05 + 10 × $2.50 = 50,000 + 0.05 + 25 µ$
    (
        "Haiku 5.5 long",
        "anthropic",
        "claude-haiku-5-5",
        TokenCounts(input_tokens=100_000, cache_read_tokens=1, output_tokens=10),
        STANDARD,
        50_025_050,
    ),
    # fast Opus 5.5: 1,000 × $8 + 100 × $40 + 1,000 × $0.40 = 8,000 + 4,000 + 400 µ$
    (
        "fast",
        "anthropic",
        "claude-opus-5-5",
        TokenCounts(input_tokens=1_000, output_tokens=100, cache_read_tokens=1_000),
        FAST,
        12_400_000,
    ),
    # batch is half: (1,000 × $5 + 100 × $25) / 2 = 3,750 µ$
    (
        "batch",
        "anthropic",
        "claude-opus-4-7",
        TokenCounts(input_tokens=1_000, output_tokens=100),
        BATCH,
        3_750_000,
    ),
    # in the US 1.1 times: 1,000 × $5 × 1.1 = 5,500 µ$; the search fee stays $0.01
    (
        "us",
        "anthropic",
        "claude-opus-4-6",
        TokenCounts(input_tokens=1_000, web_search_requests=1),
        US,
        15_500_000,
    ),
    # 1 × $0.01 × 1.1 a million = 11 nanodollars: the surcharge comes before the rounding
    ("us, cheap", "anthropic", "claude-haiku-5-5", TokenCounts(cache_read_tokens=1), US, 11),
    # GPT-5.2: 1,000 × $1.75 + 2,000 × $0.175 + 100 × $14 = 1,750 + 350 + 1,400 µ$
    (
        "OpenAI",
        "openai",
        "gpt-5.2",
        TokenCounts(input_tokens=1_000, cache_read_tokens=2_000, output_tokens=100),
        STANDARD,
        3_500_000,
    ),
    # … at its priority tier, 1,000 × $3.50 + 100 × $28 = 6,300 µ$
    (
        "OpenAI priority",
        "openai",
        "gpt-5.2",
        TokenCounts(input_tokens=1_000, output_tokens=100),
        BillingTerms(service_tier="priority"),
        6_300_000,
    ),
    # … and flex, half: 1,000 × $0.875 + 100 × $7 = 1,575 µ$
    (
        "OpenAI flex",
        "openai",
        "gpt-5.2",
        TokenCounts(input_tokens=1_000, output_tokens=100),
        BillingTerms(service_tier="flex"),
        1_575_000,
    ),
    # GPT-5.5 above 272,000: 272,001 × $10 + 1 × $45 = 2.72001 + 0.000045
    (
        "OpenAI long",
        "openai",
        "gpt-5.5",
        TokenCounts(input_tokens=272_001, output_tokens=1),
        STANDARD,
        2_720_055_000,
    ),
    # DeepSeek on OpenRouter: 1 × $0.2574 a million is 257.4 nanodollars, rounded up
    ("rounded up", "openrouter", "deepseek/deepseek-chat", TokenCounts(input_tokens=1), STANDARD, 258),
    # … 5 × 257.4 = 1,287 and 10 × 1,028.7 = 10,287: rounded once for the request, so not at all here
    (
        "rounded once",
        "openrouter",
        "deepseek/deepseek-chat",
        TokenCounts(input_tokens=5, output_tokens=10),
        STANDARD,
        11_574,
    ),
    ("nothing", "anthropic", "claude-opus-5", TokenCounts(), STANDARD, 0),
]


@pytest.mark.parametrize(
    ("provider", "model", "counts", "terms", "expected"),
    [case[1:] for case in GOLDEN],
    ids=[case[0] for case in GOLDEN],
)
def test_golden_costs(
    table: PriceTable,
    provider: Provider,
    model: str,
    counts: TokenCounts,
    terms: BillingTerms,
    expected: int,
) -> None:
    price = table.price_of(provider, model, NOW_S)
    assert price is not None
    assert cost_nanousd(price, counts, terms) == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        # Sonnet 4.6 above 200,000: $6 until 12 March 2026, $3 from the 13th, UTC
        (datetime(2026, 3, 12, 23, 59, 59, tzinfo=UTC), 1_200_006_000),
        (datetime(2026, 3, 13, tzinfo=UTC), 600_003_000),
    ],
)
def test_the_price_of_the_day_counts(table: PriceTable, day: datetime, expected: int) -> None:
    price = table.price_of("anthropic", "claude-sonnet-4-6", day.timestamp())
    assert price is not None
    assert cost_nanousd(price, TokenCounts(input_tokens=200_001), STANDARD) == expected


def test_a_variant_counts_from_its_day(table: PriceTable) -> None:
    before = table.price_of("anthropic", "claude-opus-4-7", datetime(2026, 10, 13, tzinfo=UTC).timestamp())
    assert before is not None
    # No batch price is known for that day: the standard one, 1,000 × $5
    assert cost_nanousd(before, TokenCounts(input_tokens=1_000), BATCH) == 5_000_000


@pytest.mark.parametrize(
    ("geo", "expected"),
    [
        (None, 1_000_000),
        ("", 1_000_000),
        ("global", 1_000_000),
        ("not_available", 1_000_000),
        ("us", 1_100_000),
        ("somewhere-new", 1_100_000),
    ],
)
def test_only_a_place_has_a_surcharge(geo: str | None, expected: int) -> None:
    price = _price("anthropic", "claude-x", input_rate=1_000_000_000)
    assert cost_nanousd(price, TokenCounts(input_tokens=1_000), BillingTerms(inference_geo=geo)) == expected


def test_only_anthropic_has_a_surcharge_by_place() -> None:
    price = _price("openai", "gpt-x", input_rate=1_000_000_000)
    assert cost_nanousd(price, TokenCounts(input_tokens=1_000), US) == 1_000_000


@pytest.mark.parametrize(
    ("provider", "model", "read", "write_5m", "write_1h"),
    [
        # what no list says: 5/4 and 2 times input for Claude, 5/4 of 3 rounded up
        ("anthropic", "claude-x", 3, 4, 6),
        ("openrouter", "anthropic/claude-x", 3, 4, 6),
        ("openrouter", "~anthropic/claude-latest", 3, 4, 6),
        ("openrouter", "other/model", 3, 3, 3),
        ("openai", "gpt-x", 3, 3, 3),
    ],
)
def test_cache_rates_that_the_list_leaves_out(
    provider: Provider, model: str, read: int, write_5m: int, write_1h: int
) -> None:
    rates = rates_of(_price(provider, model, input_rate=3), STANDARD, 0)
    assert (rates.cache_read, rates.cache_write_5m, rates.cache_write_1h) == (read, write_5m, write_1h)


def test_a_listed_write_rate_holds_for_hours_too_elsewhere_than_at_anthropic() -> None:
    listed = ListedRates(input=(Step(0, 3),), output=(Step(0, 9),), cache_write_5m=(Step(0, 5),))
    rates = rates_of(ModelPrice("openai", "gpt-x", "X", "custom", listed), STANDARD, 0)
    assert rates.cache_write_1h == 5


def test_of_two_variants_the_first_that_lists_a_kind_decides_it() -> None:
    price = ModelPrice(
        "anthropic",
        "claude-x",
        "X",
        "custom",
        listed=flat_rates(Rates(10, 20, 1, 12, 20)),
        variants=(
            Variant(ListedRates(input=(Step(0, 5),)), service_tier="batch"),
            Variant(ListedRates(input=(Step(0, 100),), output=(Step(0, 200),)), speed="fast"),
        ),
    )
    both = rates_of(price, BillingTerms(service_tier="batch", speed="fast"), 0)
    assert (both.input, both.output, both.cache_read) == (5, 200, 1)


def test_the_longest_step_reached_decides() -> None:
    listed = ListedRates(input=(Step(0, 1), Step(10, 2), Step(20, 3)), output=(Step(0, 1),))
    price = ModelPrice("openai", "gpt-x", "X", "custom", listed)
    seen = [rates_of(price, STANDARD, total).input for total in (0, 10, 11, 20, 21, 10**9)]
    assert seen == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    "listed",
    [
        {"input": (Step(0, 1),)},
        {"output": (Step(0, 1),)},
        {"input": (), "output": (Step(0, 1),)},
        {"input": (Step(10, 1), Step(0, 2)), "output": (Step(0, 1),)},
    ],
)
def test_a_price_without_text_or_with_disordered_steps_is_refused(
    listed: dict[str, tuple[Step, ...]],
) -> None:
    with pytest.raises(ValueError, match=r"needs an input and an output rate|ascending and not empty"):
        ModelPrice("openai", "gpt-x", "X", "custom", ListedRates(**listed))


@pytest.mark.parametrize("rate", [-1, 1.5, True, "1"])
def test_a_rate_that_is_no_whole_number_is_refused(rate: object) -> None:
    with pytest.raises(ValueError, match="rate input must be a whole number"):
        Rates(rate, 1, 1, 1, 1)  # type: ignore[arg-type]


def test_base_is_the_short_standard_request(table: PriceTable) -> None:
    price = table.price_of("anthropic", "claude-sonnet-4-5", NOW_S)
    assert price is not None
    assert price.base == Rates(3_000_000_000, 15_000_000_000, 300_000_000, 3_750_000_000, 6_000_000_000)
    assert not price.is_free


def _price(provider: Provider, model: str, input_rate: int) -> ModelPrice:
    listed = ListedRates(input=(Step(0, input_rate),), output=(Step(0, 9),))
    return ModelPrice(provider, model, "X", "custom", listed)


def test_parts_of_one_answer_are_rounded_together() -> None:
    """Two models' fractions of a nanodollar make one rounding, not two."""
    third = ModelPrice("anthropic", "m", "M", "custom", flat_rates(Rates(333_333, 333_333, 0, 0, 0)))
    part = BilledPart(third, TokenCounts(input_tokens=1), BillingTerms())
    assert cost_of_parts([part]) == 1
    assert cost_of_parts([part, part, part]) == 1
    assert cost_of_parts([]) == 0
