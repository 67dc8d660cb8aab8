"""The table names the same model and the same cost as `genai-prices` does, for every model it was baked from."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

import pytest
from genai_prices.data import providers as source_providers
from genai_prices.types import ModelInfo, ModelPrice, Usage
from genai_prices.types import Provider as SourceProvider

from channeling.pricing.cost import cost_nanousd
from channeling.pricing.price_table import DATA_PATH, PriceTable
from channeling.provider import Provider
from channeling.usage.token_counts import BillingTerms, TokenCounts
from scripts import bake_prices
from tests.channeling.pricing.conftest import NOW_S

SOURCES: dict[Provider, SourceProvider] = {
    provider.id: provider  # type: ignore[misc]
    for provider in source_providers
    if provider.id in ("anthropic", "openai", "openrouter")
}
USAGES = [
    TokenCounts(input_tokens=1),
    TokenCounts(output_tokens=1),
    TokenCounts(cache_read_tokens=1),
    TokenCounts(input_tokens=1_234, output_tokens=567),
    TokenCounts(input_tokens=10, cache_read_tokens=99_990, output_tokens=1_000),  # 100,000 in all
    TokenCounts(input_tokens=11, cache_read_tokens=99_990, output_tokens=1_000),
    TokenCounts(input_tokens=200_000, output_tokens=3),
    TokenCounts(input_tokens=200_001, output_tokens=3),
    TokenCounts(input_tokens=100_000, cache_read_tokens=100_000, cache_write_5m_tokens=72_000),  # 272,000
    TokenCounts(
        input_tokens=100_000, cache_read_tokens=100_000, cache_write_5m_tokens=72_001, output_tokens=9
    ),
    TokenCounts(cache_write_5m_tokens=777, output_tokens=1),
    TokenCounts(cache_write_1h_tokens=777, cache_write_5m_tokens=3, output_tokens=1),
    TokenCounts(input_tokens=999_999, output_tokens=128_000),
    TokenCounts(input_tokens=5, web_search_requests=3),
]
CONTEXTS: list[tuple[BillingTerms, dict[str, str]]] = [
    (BillingTerms(), {}),
    (BillingTerms(), {"service_tier": "default"}),
    (BillingTerms(service_tier="batch"), {"processing": "batch"}),
    (BillingTerms(service_tier="priority"), {"service_tier": "priority"}),
    (BillingTerms(service_tier="flex"), {"service_tier": "flex"}),
    (BillingTerms(service_tier="fast"), {"service_tier": "fast"}),
    (BillingTerms(speed="fast"), {"speed": "fast"}),
    (BillingTerms(service_tier="batch", speed="fast"), {"processing": "batch", "speed": "fast"}),
]
DAYS = [
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(2026, 3, 12, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 3, 13, tzinfo=UTC),
    datetime(2026, 10, 14, tzinfo=UTC),
    datetime.fromtimestamp(NOW_S, tz=UTC),
]


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_costs_are_those_of_the_source(table: PriceTable, provider: Provider) -> None:
    compared = 0
    for model in SOURCES[provider].models:
        for day in DAYS:
            price = table.price_of(provider, _own_name(provider, model), day.timestamp())
            if price is None:
                assert _has_no_text_price(model, day)
                continue
            for terms, context in CONTEXTS:
                listed = model.get_prices(day, context)
                for counts in USAGES:
                    if _is_left_to_us(listed, counts):
                        continue
                    expected = _source_cost(listed, counts)
                    assert cost_nanousd(price, counts, terms) == expected, (model.id, day, context, counts)
                    compared += 1
    assert compared > 5_000


def test_costs_of_openrouter_models_are_those_of_the_source(table: PriceTable) -> None:
    compared = 0
    for model in SOURCES["openrouter"].models:
        day = DAYS[-1]
        price = table.price_of("openrouter", _own_name("openrouter", model), NOW_S)
        if price is None:
            assert _has_no_text_price(model, day)
            continue
        listed = model.get_prices(day)
        for counts in USAGES:
            # A rate with more digits than a nanodollar a million is rounded up: at most 1 more for these counts.
            if not _is_left_to_us(listed, counts):
                difference = cost_nanousd(price, counts, BillingTerms()) - _source_cost(listed, counts)
                assert 0 <= difference <= (1 if _has_finer_digits(listed) else 0), (model.id, counts)
                compared += 1
    assert compared > 5_000


def test_names_mean_the_same_models(table: PriceTable) -> None:
    wrong = []
    for provider, source in SOURCES.items():
        for name in _names(source):
            model = source.find_model(name)
            price = table.price_of(provider, name, NOW_S)
            ours = None if price is None else price.model_id
            theirs = None if model is None or _has_no_text_price(model, DAYS[-1]) else model.id
            if ours != theirs:
                wrong.append((provider, name, ours, theirs))
    assert wrong == []


@pytest.mark.parametrize(
    ("provider", "name", "model_id"),
    [
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("anthropic", "Claude-Opus-4-5-20251101", "claude-opus-4-5"),
        ("anthropic", "claude-3-5-haiku-20241022", "claude-3-5-haiku-latest"),
        ("anthropic", "claude-opus-5-5", "claude-opus-5-5"),
        ("anthropic", "claude-opus-5-20261122", "claude-opus-5"),
        ("anthropic", "claude-opus-5-6", None),
        ("openai", "gpt-5.2", "gpt-5.2"),
        ("openai", "gpt-5.2-2025-12-11", "gpt-5.2"),
        ("openai", "gpt-5.2-20251211", "gpt-5.2"),
        ("openai", "gpt-5.2-20251341", None),
        ("openai", "o4-mini", "o4-mini"),
        ("openai", "whisper-1", None),
        ("openrouter", "mistralai/mistral-large", "mistralai/mistral-large"),
        ("openrouter", "deepseek/deepseek-chat", "deepseek/deepseek-chat"),
        ("openrouter", "deepseek/deepseek-chat:nitro", None),
        ("openrouter", "", None),
        ("openrouter", "x" * 1_000_000, None),
    ],
)
def test_names_that_people_use(
    table: PriceTable, provider: Provider, name: str, model_id: str | None
) -> None:
    price = table.price_of(provider, name, NOW_S)
    assert (None if price is None else price.model_id) == model_id
    if price is not None:
        assert price.source == f"default:{table.baked_on}"


def test_what_is_remembered_of_names_is_bounded(table: PriceTable) -> None:
    for number in range(5_000):
        table.price_of("anthropic", f"no-such-model-{number}", NOW_S)
    assert len(table._found) <= 4_096


@pytest.mark.parametrize(
    ("clock", "rate"),
    [("00:00:00", 1), ("16:29:59", 1), ("16:30:00", 2), ("23:59:59", 2), ("05:59:59", 3), ("06:00:00", 1)],
)
def test_a_price_by_time_of_day(clock: str, rate: int) -> None:
    periods = [
        [None, [1, 1]],
        [["daily", 59_400, 0], [2, 2]],  # from 16:30 until midnight
        [["daily", 18_000, 21_600], [3, 3]],  # from 05:00 until 06:00
    ]
    table = _table_of([["m", None, None, 1, periods, []]])
    at = datetime.fromisoformat(f"2026-11-24T{clock}+00:00").timestamp()
    price = table.price_of("openai", "m", at)
    assert price is not None
    assert price.base.input == rate


def test_a_price_over_midnight() -> None:
    table = _table_of([["m", None, None, 1, [[None, [1, 1]], [["daily", 79_200, 7_200], [2, 2]]], []]])
    rates = [table.price_of("openai", "m", hour * 3_600.0) for hour in (21, 22, 23, 24, 25, 26)]
    assert [price.base.input for price in rates if price] == [1, 2, 2, 2, 2, 1]


def test_the_first_period_counts_when_none_holds() -> None:
    table = _table_of([["m", None, None, 1, [[["from", 100], [1, 1]], [["from", 200], [2, 2]]], []]])
    prices = [table.price_of("openai", "m", at_s) for at_s in (0, 99, 100, 199, 200, 201)]
    assert [price.base.input for price in prices if price] == [1, 1, 1, 1, 2, 2]


def test_of_several_models_that_a_name_means_the_first_counts() -> None:
    models = [[name, None, None, 1, [[None, [rate, rate]]], []] for rate, name in enumerate("abc", start=1)]
    entry = {
        "equals": {"x-1": 0, "y-1": 1},
        "rules": [[0, {"starts_with": "y"}], [1, {"starts_with": "x"}], [2, {"ends_with": "1"}]],
        "models": models,
    }
    provenance = {"baked_on": "2026-01-01", "version": "0"}
    table = PriceTable.of_data({"provenance": provenance, "providers": {"openai": entry}})
    prices = [table.price_of("openai", name, 0) for name in ("x-1", "y-1", "x-2", "z-1")]
    assert [price.model_id for price in prices if price] == ["a", "a", "b", "c"]


def test_the_file_is_what_the_installed_package_gives() -> None:
    present = DATA_PATH.read_text(encoding="utf-8")
    baked_on = json.loads(present)["provenance"]["baked_on"]
    fresh = bake_prices.render(bake_prices.bake(baked_on))
    assert fresh == present, "run: python scripts/bake_prices.py"


def test_nothing_of_the_source_is_imported_to_price_a_request() -> None:
    program = (
        "import sys\n"
        "from channeling.pricing import allowances, bound, cost, custom_price, listing, price_book, price_table\n"
        "price_table.PriceTable.load().price_of('anthropic', 'claude-opus-5', 0)\n"
        "heavy = {'genai_prices', 'pydantic', 'fastapi', 'boto3', 'cryptography', 'typer', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.strip() == "[]"


def _own_name(provider: Provider, model: ModelInfo) -> str:
    """A name that the source itself resolves to this model: most often its id."""
    source = SOURCES[provider]
    for name in (model.id, *_clause_texts(model.match)):
        if source.find_model(name) is model:
            return name
    pytest.fail(f"no name leads to {model.id}")


def _names(source: SourceProvider) -> set[str]:
    names = {model.id for model in source.models}
    names |= {text for model in source.models for text in _clause_texts(model.match)}
    return names | {f"{name}{suffix}" for name in names for suffix in ("-20260101", "-latest", "x")}


def _clause_texts(match: Any) -> Iterator[str]:
    for part in getattr(match, "or_", ()) or getattr(match, "and_", ()):
        yield from _clause_texts(part)
    for kind in ("equals", "starts_with", "contains", "ends_with"):
        if hasattr(match, kind):
            yield getattr(match, kind)
    if hasattr(match, "regex"):
        yield match.regex.strip("^$").replace(r"\d{8}", "20260101").replace(r"\.", ".").replace(r"[-@]", "-")


def _has_no_text_price(model: ModelInfo, day: datetime) -> bool:
    listed = model.get_prices(day)
    return listed.input_mtok is None or listed.output_mtok is None


def _is_left_to_us(listed: ModelPrice, counts: TokenCounts) -> bool:
    """Tell whether the source has no rate for what we price by a rule of ours: cache writes, searches."""
    writes_5m = listed.cache_write_5m_mtok is None and listed.cache_write_mtok is None
    writes_1h = listed.cache_write_1h_mtok is None
    return bool(
        (counts.cache_write_5m_tokens and writes_5m)
        or (counts.cache_write_1h_tokens and writes_1h)
        or (counts.web_search_requests and listed.web_searches_kcount is None)
    )


def _source_cost(listed: ModelPrice, counts: TokenCounts) -> int:
    usage = Usage(
        input_tokens=counts.total_input_tokens,
        cache_read_tokens=counts.cache_read_tokens,
        cache_write_tokens=counts.cache_write_5m_tokens + counts.cache_write_1h_tokens,
        cache_write_1h_tokens=counts.cache_write_1h_tokens,
        output_tokens=counts.output_tokens,
        web_searches=counts.web_search_requests,
    )
    usd: Decimal = listed.calc_price(usage)["total_price"]
    return int((usd * 1_000_000_000).to_integral_value(rounding=ROUND_CEILING))


def _has_finer_digits(listed: ModelPrice) -> bool:
    prices = [price for price in vars(listed).values() if isinstance(price, Decimal)]
    return any(price * 1_000_000_000 % 1 for price in prices)


def _table_of(models: list[list[Any]]) -> PriceTable:
    entry = {"equals": {model[0]: index for index, model in enumerate(models)}, "rules": [], "models": models}
    return PriceTable.of_data(
        {"provenance": {"baked_on": "2026-01-01", "version": "0"}, "providers": {"openai": entry}}
    )
