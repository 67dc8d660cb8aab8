"""There is a price for every request: the nearest one counts, and none is 0 unless somebody said so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeling.pricing.custom_price import CustomPrice
from channeling.pricing.model_price import Rates
from channeling.pricing.price_book import PriceBook
from channeling.pricing.price_table import PriceTable
from channeling.provider import Provider
from tests.channeling.pricing.conftest import NOW_S

CEILING = Rates(20_000_000_000, 100_000_000_000, 20_000_000_000, 25_000_000_000, 40_000_000_000)
TABLE = PriceTable.load()


def _price(
    model: str, rate: int, provider: Provider | None = None, valid_from: int | None = None
) -> CustomPrice:
    return CustomPrice(model, input=rate, output=rate, provider=provider, valid_from_s=valid_from)


def _book(project: list[CustomPrice] | None = None, everywhere: list[CustomPrice] | None = None) -> PriceBook:
    return PriceBook(TABLE, project or [], everywhere or [], CEILING)


@pytest.mark.parametrize(
    ("provider", "model", "source", "rate"),
    [
        ("anthropic", "claude-opus-4-5", "custom", 1),
        ("anthropic", "claude-sonnet-4-5", "global", 2),
        ("anthropic", "claude-opus-5", f"default:{TABLE.baked_on}", 5_000_000_000),
        ("anthropic", "claude-nobody-knows", "ceiling", 20_000_000_000),
        ("openai", "whisper-1", "ceiling", 20_000_000_000),  # listed, but by the hour
        ("openrouter", "mistralai/devstral-2512:free", "free", 0),
        ("openrouter", "Nobody/Knows:FREE", "free", 0),
        ("openai", "gpt-5:free", "ceiling", 20_000_000_000),  # free only where the suffix means it
    ],
)
def test_the_nearest_price_counts(provider: Provider, model: str, source: str, rate: int) -> None:
    book = _book(
        project=[_price("claude-opus-4-5", 1), _price("mistralai/*", 9)],
        everywhere=[_price("claude-opus-4-5", 2), _price("claude-sonnet-*", 2)],
    )
    price = book.price_of(provider, model, NOW_S)
    assert (price.source, price.base.input) == (source, rate)


@pytest.mark.parametrize(
    ("prices", "rate"),
    [
        ([_price("*", 1), _price("my-*", 2)], 2),
        ([_price("my-model", 1), _price("my-mode*", 2)], 1),
        ([_price("my-model", 1, "openai"), _price("my-model", 2)], 1),
        ([_price("my-model", 1), _price("my-model", 2, valid_from=100)], 2),
        ([_price("my-model", 1, valid_from=50), _price("my-model", 2, valid_from=100)], 2),
        ([_price("my-model", 1, valid_from=50), _price("my-model", 2, valid_from=NOW_S + 1)], 1),
        ([_price("my-model", 1, "anthropic"), _price("m*", 2)], 2),
    ],
)
def test_of_several_custom_prices_the_closest_counts(prices: list[CustomPrice], rate: int) -> None:
    for ordered in (prices, prices[::-1]):
        assert _book(project=ordered).price_of("openai", "my-model", NOW_S).base.input == rate


def test_a_custom_price_keeps_the_name_and_window_of_the_table() -> None:
    price = _book(project=[_price("claude-opus-5", 1)]).price_of("anthropic", "claude-opus-5", NOW_S)
    assert (price.name, price.context_window) == ("Claude Opus 5", 1_000_000)


def test_an_explicit_0_is_free() -> None:
    assert _book(everywhere=[_price("claude-*", 0)]).price_of("anthropic", "claude-opus-5", NOW_S).is_free


@given(
    provider=st.sampled_from(("anthropic", "openai", "openrouter")),
    model=st.text(max_size=300),
    at_s=st.floats(0, 10**11),
)
def test_there_is_always_a_price_and_it_is_never_0_by_accident(
    provider: Provider, model: str, at_s: float
) -> None:
    price = _book().price_of(provider, model, at_s)
    assert price.source == "free" or (price.base.input > 0 and price.base.output > 0)


def test_no_listed_model_is_free_but_those_named_so() -> None:
    book = _book()
    providers: tuple[Provider, ...] = ("anthropic", "openai", "openrouter")
    names = [(provider, model.model_id) for provider in providers for model in TABLE.models(provider)]
    free = [name for provider, name in names if book.price_of(provider, name, NOW_S).is_free]
    assert [name for name in free if not name.endswith(":free")] == []


@pytest.mark.parametrize("kind", range(5))
def test_a_ceiling_of_0_is_refused(kind: int) -> None:
    rates = [1, 1, 1, 1, 1]
    rates[kind] = 0
    with pytest.raises(ValueError, match="ceiling price must be above 0"):
        PriceBook(TABLE, [], [], Rates(*rates))
