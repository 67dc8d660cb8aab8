"""A request is priced at every model that may answer it, and at no other."""

import json
from typing import Any

import pytest

from channeling.message_request import MessageRequest, parse_message_request
from channeling.pricing.model_price import Rates
from channeling.pricing.price_book import PriceBook
from channeling.pricing.price_table import PriceTable
from channeling.provider import Provider
from channeling.request_prices import RequestPrices

BOOK = PriceBook(PriceTable.load(), [], [], Rates(1, 1, 1, 1, 1))
FALLBACKS: list[Any] = ["default", [{"model": "claude-opus-4-8"}, {"model": "claude-haiku-4-5"}]]
NOW_S = 1_790_000_000.0


def prices(provider: Provider, model: str) -> RequestPrices:
    return RequestPrices(BOOK, provider, model, NOW_S)


def request(model: str, fallbacks: Any) -> MessageRequest:
    body = {
        "model": model,
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
        "fallbacks": fallbacks,
    }
    return parse_message_request(json.dumps(body).encode())


def test_fallbacks_of_anthropic_may_answer() -> None:
    named = prices("anthropic", "claude-opus-5").possible(request("claude-opus-5", FALLBACKS[1]))
    assert [price.model_id for price in named] == ["claude-opus-5", "claude-opus-4-8", "claude-haiku-4-5"]
    assert len(prices("anthropic", "claude-opus-5").possible(request("claude-opus-5", "default"))) > 5
    billed = prices("anthropic", "claude-opus-5").billed(
        request("claude-opus-5", FALLBACKS[1]), "claude-haiku-4-5"
    )
    assert billed.model_id == "claude-haiku-4-5"


@pytest.mark.parametrize("fallbacks", FALLBACKS)
def test_fallbacks_are_not_sent_to_other_providers(fallbacks: Any) -> None:
    """So no model of theirs, and no ceiling for a name that the provider does not know, is held for or billed."""
    openai, asked = prices("openai", "gpt-5.2"), request("gpt-5.2", fallbacks)
    assert openai.possible(asked) == [openai.of("gpt-5.2")]
    assert openai.billed(asked, "gpt-5.2-2025-12-11") == openai.of("gpt-5.2")
    assert openai.billed(asked, "claude-opus-4-8") == openai.of("gpt-5.2")


@pytest.mark.parametrize(
    ("model", "rates"),
    [
        # Writes to Claude's cache are 1.25 and 2 × input, and long input is dearer: neither is listed first.
        ("anthropic/claude-sonnet-4.5", (3_000_000_000, 15_000_000_000)),
        ("google/gemini-2.5-pro", (1_250_000_000, 10_000_000_000)),
        ("mistralai/devstral-2512:free", (0, 0)),
        ("nobody/knows", (7, 8)),
    ],
)
def test_plain_rates(model: str, rates: tuple[int, int]) -> None:
    """They are those of short input outside of any cache, which providers list first."""
    book = PriceBook(PriceTable.load(), [], [], Rates(7, 8, 9, 10, 11))
    plain = RequestPrices(book, "openrouter", model, NOW_S).plain_rates(request(model, None))
    assert plain == rates
