"""A quote bounds what a request can cost, and says what fits into what is left."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from channeling.budgets.quote import Quote, possible_terms, quote_request
from channeling.errors import InvalidRequest
from channeling.message_request import MessageRequest, parse_message_request
from channeling.pricing.allowances import UNASKED_SEARCH_TOKENS
from channeling.pricing.cost import cost_nanousd
from channeling.pricing.model_price import ModelPrice, Rates
from channeling.pricing.price_book import PriceBook
from channeling.pricing.price_table import PriceTable
from channeling.usage.token_counts import BillingTerms, TokenCounts

AT_S = 1_796_083_200
TABLE = PriceTable.load()


def price(model: str = "claude-sonnet-4-6") -> ModelPrice:
    found = TABLE.price_of("anthropic", model, AT_S)
    assert found is not None
    return found


def request(**changes: Any) -> MessageRequest:
    body = {
        "model": "claude-sonnet-4-6",
        "max_tokens": 1_000,
        "messages": [{"role": "user", "content": "hi"}],
    }
    return parse_message_request(orjson.dumps({**body, **changes}))


def quote(asked: MessageRequest, *models: str, unbounded: bool = False, rounds: bool = True) -> Quote:
    prices = [price(model) for model in models or ("claude-sonnet-4-6",)]
    return quote_request(
        asked,
        prices,
        max_tokens=asked.greatest_max_tokens,
        least_tokens=64,
        allow_unbounded_tools=unbounded,
        count_rounds=rounds,
    )


@given(
    length=st.integers(min_value=0, max_value=3_000),
    input_share=st.integers(min_value=0, max_value=100),
    output_tokens=st.integers(min_value=0, max_value=1_000),
    cache=st.sampled_from([None, "5m", "1h"]),
    tier=st.sampled_from(["standard", "priority"]),
)
def test_no_bill_is_above_its_quote(
    length: int, input_share: int, output_tokens: int, cache: str | None, tier: str
) -> None:
    """Whatever share of the bytes become tokens, read, written to a cache or plain, the quote covers it."""
    content: list[dict[str, Any]] = [{"type": "text", "text": "x" * (length + 1)}]
    if cache is not None:
        content[0]["cache_control"] = {"type": "ephemeral", "ttl": cache}
    asked = request(messages=[{"role": "user", "content": content}])
    tokens = len(asked.raw) * input_share // 100
    counts = {
        None: TokenCounts(input_tokens=tokens, output_tokens=output_tokens),
        "5m": TokenCounts(cache_write_5m_tokens=tokens, output_tokens=output_tokens),
        "1h": TokenCounts(cache_write_1h_tokens=tokens, output_tokens=output_tokens),
    }[cache]
    terms = BillingTerms(service_tier=tier)
    assert cost_nanousd(price(), counts, terms) <= quote(asked).amount()


@given(room=st.integers(min_value=0, max_value=20_000_000))
def test_a_clamp_fits_and_the_next_token_does_not(room: int) -> None:
    """The tokens that fit cost at most the room, one more would not fit, and no fewer than the least are given."""
    offer = quote(request(max_tokens=100_000))
    tokens = offer.tokens_within(room)
    if tokens is None:
        assert offer.amount(64) > room
        return
    assert offer.amount(tokens) <= room
    assert tokens == offer.max_tokens or offer.amount(tokens + 1) > room
    assert 64 <= tokens <= 100_000


def test_a_count_only_ever_lowers_the_quote() -> None:
    """A count above the bound, with its margin, leaves the bound."""
    offer = quote(request(messages=[{"role": "user", "content": "word " * 2_000}]))
    assert offer.counted(1_000).input_tokens == 1_000 + 50 + 1_000
    assert offer.counted(10**9).input_tokens == offer.input_tokens
    assert not offer.counted(1_000).is_countable


def test_the_dearest_of_all_models_counts() -> None:
    """A fallback that costs more is held at its price."""
    cheap, both = quote(request()), quote(request(), "claude-sonnet-4-6", "claude-opus-4-5")
    assert both.output_rate > cheap.output_rate
    assert both.input_rate > cheap.input_rate


@pytest.mark.parametrize(
    ("changes", "dearer"),
    [
        ({"inference_geo": "us"}, True),
        ({"inference_geo": "global"}, False),
        ({"cache_control": {"type": "ephemeral"}}, True),
        ({"service_tier": "standard_only"}, False),
    ],
)
def test_what_the_body_can_lead_to_is_priced_in(changes: dict[str, Any], dearer: bool) -> None:
    """Inference in one place and cache writes raise the rate that input is held at."""
    plain, changed = quote(request()), quote(request(**changes))
    assert (changed.input_rate > plain.input_rate) is dearer


@pytest.mark.parametrize(
    "source",
    [
        {"type": "url", "url": "https://example.com/a.pdf"},
        {"type": "file", "file_id": "file_1"},
        {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
    ],
    ids=["url", "file", "pdf"],
)
def test_sources_without_a_bound_are_held_at_the_context_window(source: dict[str, str]) -> None:
    """The bytes of the body say nothing about a document behind a URL."""
    block = {"type": "document", "source": source}
    offer = quote(request(messages=[{"role": "user", "content": [block]}]))
    assert offer.input_tokens >= (price().context_window or 0)
    assert offer.is_worth_counting


def test_images_have_an_allowance() -> None:
    """A small file can be a large picture."""
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}}
    asked = request(messages=[{"role": "user", "content": [block] * 3}])
    assert quote(asked).input_tokens >= len(asked.raw) + 3 * 4_784


def test_server_tools_are_held_in_rounds_with_fees() -> None:
    """Each use may bring the whole context in again, and a search costs its fee."""
    search = {"type": "web_search_20260318", "name": "web_search", "max_uses": 3}
    offer = quote(request(tools=[search]))
    assert offer.input_tokens >= 4 * (price().context_window or 0)
    assert offer.fees == 3 * 10_000_000
    assert offer.has_tool_rounds
    assert not offer.is_worth_counting
    assert quote(request(tools=[search]), rounds=False).input_tokens < 10_000


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tools": [{"type": "web_fetch_20260318", "name": "web_fetch"}]}, "web_fetch_20260318"),
        ({"mcp_servers": [{"type": "url", "url": "https://x.example", "name": "x"}]}, "mcp_servers"),
    ],
)
def test_unbounded_tools_need_the_project_s_leave(changes: dict[str, Any], named: str) -> None:
    """Refused by name, or held at the plain bound where the project allows them."""
    with pytest.raises(InvalidRequest, match=named):
        quote(request(**changes))
    assert quote(request(**changes), unbounded=True).input_tokens < 20_000


@pytest.mark.parametrize(
    "tool", ["bash_20250124", "text_editor_20250728", "computer_toolset_20260801", "custom"]
)
def test_tools_that_the_client_runs_bring_no_rounds(tool: str) -> None:
    """Their results come in requests of their own."""
    offer = quote(request(tools=[{"type": tool, "name": "t", "input_schema": {"type": "object"}}]))
    assert not offer.has_tool_rounds


def test_a_free_model_still_needs_something_left() -> None:
    """A quote is never 0: a budget that is used up, or was 0, refuses free models too."""
    offer = replace(quote(request()), input_rate=0, output_rate=0)
    assert offer.amount() == 1
    assert offer.tokens_within(10) == offer.max_tokens
    assert offer.tokens_within(0) is None


def test_a_free_model_s_searches_are_held() -> None:
    """They cost something with every model."""
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    book = PriceBook(TABLE, (), (), Rates(1, 1, 1, 1, 1))
    free = book.price_of("openrouter", "mistralai/devstral-2512:free", AT_S)

    def amount(unasked_searches: int, **changes: Any) -> int:
        return quote_request(
            request(**changes),
            [free],
            max_tokens=1_000,
            least_tokens=64,
            allow_unbounded_tools=False,
            unasked_searches=unasked_searches,
        ).amount()

    assert amount(0) == 1
    assert amount(0, tools=[search]) == 60_000_000
    assert amount(1) == 20_000_000


def test_searches_that_come_with_a_model_are_read() -> None:
    """What they find is input beyond the body, held for as such, and no rounds come of it."""
    asked, prices = request(), [price()]
    plain, searching = (
        quote_request(
            asked,
            prices,
            max_tokens=1_000,
            least_tokens=64,
            allow_unbounded_tools=False,
            unasked_searches=count,
        )
        for count in (0, 1)
    )
    assert searching.input_tokens == plain.input_tokens + UNASKED_SEARCH_TOKENS
    assert searching.fees == 10_000_000
    assert not searching.has_tool_rounds


def test_fast_speed_is_possible_where_a_fallback_asks_for_it() -> None:
    """Terms of every attempt count."""
    fast = [{"model": "claude-opus-5", "speed": "fast"}]
    assert possible_terms(request(fallbacks=fast)).speeds == ("standard", "fast")
    assert possible_terms(request()).speeds == ("standard",)


def test_state_that_no_provider_keeps_adds_nothing() -> None:
    """Compaction reads all of a conversation that the provider keeps, unless it is never asked for."""
    edits = {"edits": [{"type": "compact_20260112"}]}
    asked = request(context_management=edits)
    prices = [price()]
    kept, left_out = (
        quote_request(
            asked,
            prices,
            max_tokens=1_000,
            least_tokens=64,
            allow_unbounded_tools=False,
            keeps_state=keeps_state,
        )
        for keeps_state in (True, False)
    )
    assert (kept.input_tokens, kept.is_countable) == (price().context_window, False)
    assert (left_out.input_tokens, left_out.is_countable) == (len(asked.raw), True)


def test_a_search_for_tools_is_bounded_where_it_is_left_out() -> None:
    """Where the provider searches, nothing says how often; a translated request is sent all tools instead."""
    asked = request(tools=[{"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}])
    bounds = {"max_tokens": 1_000, "least_tokens": 64, "allow_unbounded_tools": False}
    with pytest.raises(InvalidRequest, match="tool_search_tool_regex_20251119"):
        quote_request(asked, [price()], **bounds, keeps_state=True)
    assert not quote_request(asked, [price()], **bounds, keeps_state=False).has_tool_rounds
