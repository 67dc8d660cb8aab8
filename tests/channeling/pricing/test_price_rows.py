"""A custom price that cannot be read takes away the price of its own models, and of no others."""

from typing import Any

import pytest

from channeling.dynamodb import ForeignValue
from channeling.pricing.model_price import Rates
from channeling.pricing.price_book import PriceBook
from channeling.pricing.price_rows import PriceRows, read_price_rows
from channeling.pricing.price_table import PriceTable
from channeling.provider import Provider
from tests.channeling.pricing.conftest import NOW_S

CEILING = Rates(20_000_000_000, 100_000_000_000, 20_000_000_000, 25_000_000_000, 40_000_000_000)
TABLE = PriceTable.load()


def row(model: Any, name: str = "price#good", **changes: Any) -> dict[str, Any]:
    return {"pk": "shop", "sk": name, "model": model, "input": "1", "output": "2"} | changes


def bad(model: Any, **changes: Any) -> dict[str, Any]:
    return row(model, "price#bad", **({"input": 1} | changes))


def book(project: list[dict[str, Any]], everywhere: list[dict[str, Any]] | None = None) -> PriceBook:
    own, common = read_price_rows(project), read_price_rows(everywhere or [])
    return PriceBook(TABLE, own.prices, common.prices, CEILING, own.unreadable, common.unreadable)


def is_refused(prices: PriceBook, model: str, provider: Provider = "anthropic") -> bool:
    found = prices.unreadable_for(provider, model, NOW_S)
    assert found is None or found.name == "price#bad"
    return found is not None


def test_rows_that_can_be_read_are() -> None:
    assert read_price_rows([]) == PriceRows()
    read = read_price_rows([row("a"), bad("b"), row("c*", provider="openai")])
    assert [price.model for price in read.prices] == ["a", "c*"]
    assert [(price.name, price.model) for price in read.unreadable] == [("price#bad", "b")]


@pytest.mark.parametrize(
    "changes",
    [
        {"input": 1},
        {"input": None},
        {"input": ForeignValue("N", "2.5")},
        {"output": "NaN"},
        {"output": "-1"},
        {"output": ""},
        {"output": ["1"]},
        {"cache_read": True},
        {"web_search": b"1"},
        {"surcharge": "1"},
        {"input": "0.0000025"},
        {"provider": "Anthropic"},
        {"provider": 7},
        {"valid_from": "today"},
        {"valid_from": -1},
        {"valid_from": ForeignValue("N", "1.5")},
        {"valid_from": 10**30},
    ],
    ids=str,
)
def test_whatever_is_wrong_with_a_price_its_model_has_none(changes: dict[str, Any]) -> None:
    """The row says what is wrong, and what cannot be read of it does not narrow what it may be for."""
    prices = book([row("my-model", "price#bad", **changes)])
    assert is_refused(prices, "My-Model")
    assert not is_refused(prices, "my-model-2")
    found = prices.unreadable_for("anthropic", "my-model", NOW_S)
    assert found is not None
    assert found.reason


@pytest.mark.parametrize(
    ("model", "refused", "others"),
    [
        ("claude-opus-*", ["claude-opus-4-5", "CLAUDE-OPUS-"], ["claude-sonnet-4-5"]),
        ("claude-*-opus", ["claude-3-opus", "claude-sonnet-4-5"], ["gpt-5"]),
        (" gpt-5 ", ["gpt-5"], ["gpt-5-mini"]),
        ("**", ["gpt-5", "claude-opus-4-5"], []),
        ("", [], ["gpt-5", ""]),
        (None, [], ["gpt-5"]),
        (5, [], ["gpt-5", "5"]),
        (["gpt-5"], [], ["gpt-5"]),
    ],
    ids=str,
)
def test_a_name_that_is_none_covers_what_it_seems_to(
    model: Any, refused: list[str], others: list[str]
) -> None:
    """What stands before a star counts; a row that names no model could not have been for any."""
    prices = book([bad(model)])
    assert [name for name in refused if not is_refused(prices, name)] == []
    assert [name for name in others if is_refused(prices, name)] == []


@pytest.mark.parametrize(
    ("project", "everywhere", "refused"),
    [
        ([bad("my-*"), row("my-model")], [], False),
        ([bad("my-model"), row("my-*")], [], True),
        ([bad("my-model"), row("my-model")], [], True),
        ([bad("m*"), row("my-*")], [], False),
        ([bad("my-*"), row("m*")], [], True),
        ([row("m*")], [bad("my-model")], False),
        ([bad("m*")], [row("my-model")], True),
        ([], [bad("my-model")], True),
        ([bad("my-model", provider="openai")], [], False),
        ([bad("my-model", provider="anthropic")], [], True),
        ([bad("my-model", valid_from=int(NOW_S) + 1)], [], False),
        ([bad("my-model", valid_from=int(NOW_S) - 1)], [], True),
    ],
)
def test_a_closer_price_that_can_be_read_holds(
    project: list[dict[str, Any]], everywhere: list[dict[str, Any]], refused: bool
) -> None:
    """As among prices that can be read: exact before prefix, longer before shorter, the project's before all's."""
    for ordered in (project, project[::-1]):
        assert is_refused(book(ordered, everywhere), "my-model") is refused


def test_what_is_free_by_its_name_needs_no_price() -> None:
    prices = book([bad("*")])
    assert not is_refused(prices, "a/b:free", "openrouter")
    assert is_refused(prices, "a/b:free", "openai")
