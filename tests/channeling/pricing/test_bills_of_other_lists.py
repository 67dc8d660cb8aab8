"""Other lists make the same bills as we do, but for differences that are known and explained one by one."""

import math
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal

from genai_prices import Usage, calc_price

from tests.channeling.pricing.golden_bills import ANTHROPIC, NOON_S, OPENAI, OPENROUTER, Bill, Part
from tests.channeling.pricing.litellm_rates import LITELLM, litellm_nanousd

LISTED = (*ANTHROPIC, *OPENAI, *OPENROUTER)

UNLISTED_SEARCH = "no fee in its row; we charge the provider's own, so that no search is free"
GEO = "knows no surcharge by place of inference"

# What each list says where it differs, nanodollars (None: it has no price), and why ours is right.
GENAI_PRICES_DIFFERS: dict[str, tuple[int | None, str]] = {
    # 100 writes × 2 µ$ and 10 × 8 µ$ less
    "anthropic: unlisted cache rates": (
        1_768_000,
        "takes writes without a rate as input; Anthropic bills 1.25 and 2 ×",
    ),
    "anthropic: search, no fee listed": (2_500, UNLISTED_SEARCH),
    "anthropic: us": (1_503_000_000, GEO),
    "anthropic: us, fast, search": (20_000_000, GEO),
    "anthropic: us, rounded up": (15, GEO),
    "anthropic: parts rounded once": (10, GEO),
    "openai: search, no fee listed": (100_000, UNLISTED_SEARCH),
    # 50,001 × (12 - 7.50) = 225,004.5 µ$ less: a 1 h write is taken as one of 5 minutes
    "openrouter: long Claude": (
        1_275_232_500,
        "has no rate for writes of an hour; Anthropic bills them at 2 × input",
    ),
    "openrouter: free": (0, UNLISTED_SEARCH),
    "openrouter: free before custom": (None, "knows no such model; the suffix alone makes it free for us"),
    "openrouter: search, no fee listed": (1_750_000, UNLISTED_SEARCH),
}
LITELLM_DIFFERS: dict[str, tuple[int, str]] = {
    "anthropic: long batch": (1_200_231_000, "its row has no batch rates; Anthropic bills half in a batch"),
    "anthropic: search, no fee listed": (2_500, UNLISTED_SEARCH),
    "openai: long batch": (
        375_075_000,
        "its batch rates have no long step; OpenAI lists one: 2 × input, 1.5 × output",
    ),
    "openai: priority 5.5": (
        16_000_000,
        "has $10 and $60; openai.com/api-priority-processing says $12.50 and $75",
    ),
    "openai: flex reasoning": (
        1_787_500,
        "has $0.1375 for cached input, exactly half; the default table has $0.138",
    ),
    "openai: batch, cached": (3_575_000, "its row has no batch rates; OpenAI bills half in a batch"),
    "openai: web searches": (280_000, UNLISTED_SEARCH),
    "openai: search, no fee listed": (100_000, UNLISTED_SEARCH),
    "openai: no cached rate": (800_000, "no rate makes cached input free in its row; we take it as input"),
    "openrouter: rounded up": (1_820, "its row is older: $0.14 and $0.28"),
    "openrouter: long Claude": (
        900_225_000,
        "no rate makes writes of an hour free in its row; Anthropic: 2 × input",
    ),
    "openrouter: search, no fee listed": (1_750_000, UNLISTED_SEARCH),
    "openrouter: endless digits": (
        30_000,
        "no rate makes cache writes free in its row; OpenRouter lists one",
    ),
}
# A row of a day is no history, and these models have no row at the commit that was read.
LITELLM_LACKS = {
    ("anthropic", "claude-2"),
    ("anthropic", "claude-haiku-5-5"),
    ("anthropic", "claude-opus-5"),
    ("anthropic", "claude-opus-5-5"),
    ("anthropic", "claude-sonnet-5-5"),
    ("openai", "gpt-6-sol"),
    ("openrouter", "anthropic/claude-opus-5-fast"),
    ("openrouter", "anthropic/claude-opus-5.5:batch"),
    ("openrouter", "deepseek/deepseek-chat-v3-0324:free"),
    ("openrouter", "nobody/knows:free"),
    ("openrouter", "openai/gpt-6.1-sol"),
    ("openrouter", "qwen/qwen3.7-flash"),
    ("openrouter", "z-ai/glm-5.2"),
}


def _name(bill: Bill) -> str:
    return f"{bill.provider}: {bill.name}"


def _genai_usd(bill: Bill, part: Part) -> Decimal:
    counts, terms = part.counts, part.terms
    context: dict[str, str] = {}
    if terms.service_tier == "batch":
        context["processing"] = "batch"
    elif terms.service_tier != "standard":
        context["service_tier"] = terms.service_tier
    if terms.speed != "standard":
        context["speed"] = terms.speed
    usage = Usage(
        input_tokens=counts.total_input_tokens,
        cache_read_tokens=counts.cache_read_tokens,
        cache_write_tokens=counts.cache_write_5m_tokens + counts.cache_write_1h_tokens,
        cache_write_1h_tokens=counts.cache_write_1h_tokens,
        output_tokens=counts.output_tokens,
        web_searches=counts.web_search_requests,
    )
    price = calc_price(
        usage,
        part.model,
        provider_id=bill.provider,
        genai_request_timestamp=datetime.fromtimestamp(bill.at_s, tz=UTC),
        price_context=context,
    )
    return price.total_price


def _genai_nanousd(bill: Bill) -> int | None:
    try:
        usd = sum((_genai_usd(bill, part) for part in bill.parts), Decimal(0))
    except LookupError:
        return None
    return int((usd * 10**9).to_integral_value(rounding=ROUND_CEILING))


def _litellm_nanousd(bill: Bill) -> int | None:
    rows = [LITELLM.get((bill.provider, part.model)) for part in bill.parts]
    if None in rows or bill.at_s != NOON_S:
        return None
    return math.ceil(
        sum(
            litellm_nanousd(row, part.counts, part.terms)
            for row, part in zip(rows, bill.parts, strict=True)
            if row is not None
        )
    )


def test_genai_prices_makes_the_same_bills() -> None:
    theirs = {_name(bill): _genai_nanousd(bill) for bill in LISTED}
    differing = {
        _name(bill): theirs[_name(bill)] for bill in LISTED if theirs[_name(bill)] != bill.cost_nanousd
    }
    assert differing == {name: nanousd for name, (nanousd, _) in GENAI_PRICES_DIFFERS.items()}


def test_litellm_makes_the_same_bills() -> None:
    covered = [(bill, nanousd) for bill in LISTED if (nanousd := _litellm_nanousd(bill)) is not None]
    differing = {_name(bill): nanousd for bill, nanousd in covered if nanousd != bill.cost_nanousd}
    assert differing == {name: nanousd for name, (nanousd, _) in LITELLM_DIFFERS.items()}
    assert len(covered) - len(differing) >= 15


def test_litellm_is_asked_wherever_it_has_a_row() -> None:
    models = {(bill.provider, part.model) for bill in LISTED for part in bill.parts}
    assert models - set(LITELLM) == LITELLM_LACKS
    assert set(LITELLM) - models == set()
