"""What LiteLLM's price table says of the models on the golden bills, as figures in dollars per million tokens.

Read from github.com/BerriAI/litellm, `model_prices_and_context_window.json`, at commit
00035b69f416be24e2e323c13198d9b7d2d1bdf9. Each is a field of that file times a million: `input_cost_per_token`,
`output_cost_per_token`, `cache_read_input_token_cost`, `cache_creation_input_token_cost`, the same `_above_1hr`,
and these with the suffixes `_above_200k_tokens`, `_above_272k_tokens`, `_batches`, `_flex` and `_priority`.
`search_usd` is `search_context_cost_per_query` in dollars, `factors` is `provider_specific_entry`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from channeling.provider import Provider
from channeling.usage.token_counts import BillingTerms, TokenCounts


@dataclass(frozen=True, slots=True)
class PeerRates:
    """Dollars per million tokens; None where the table has no field."""

    input: str | None = None
    output: str | None = None
    cache_read: str | None = None
    cache_write_5m: str | None = None
    cache_write_1h: str | None = None


@dataclass(frozen=True, slots=True)
class PeerModel:
    """One row: its rates, those above a length of input, those of service tiers, its search fee, its factors."""

    rates: PeerRates
    above_tokens: int | None = None
    above: PeerRates = field(default_factory=PeerRates)
    tiers: Mapping[str, PeerRates] = field(default_factory=dict)
    search_usd: str | None = None
    factors: Mapping[str, str] = field(default_factory=dict)


_SONNET_45 = PeerModel(
    PeerRates("3", "15", "0.3", "3.75", "6"),
    200_000,
    PeerRates("6", "22.5", "0.6", "7.5", "12"),
    search_usd="0.01",
)

LITELLM: Mapping[tuple[Provider, str], PeerModel] = {
    ("anthropic", "claude-sonnet-4-5"): _SONNET_45,
    ("anthropic", "claude-sonnet-4-5-20250929"): _SONNET_45,
    ("anthropic", "claude-haiku-4-5"): PeerModel(PeerRates("1", "5", "0.1", "1.25", "2")),
    # the row is claude-3-haiku-20240307
    ("anthropic", "claude-3-haiku"): PeerModel(PeerRates("0.25", "1.25", "0.03", "0.3", "6")),
    ("anthropic", "claude-sonnet-5"): PeerModel(
        PeerRates("2", "10", "0.2", "2.5", "4"), search_usd="0.01", factors={"us": "1.1"}
    ),
    ("anthropic", "claude-opus-4-6"): PeerModel(
        PeerRates("5", "25", "0.5", "6.25", "10"), search_usd="0.01", factors={"us": "1.1", "fast": "6"}
    ),
    ("anthropic", "claude-opus-4-8"): PeerModel(
        PeerRates("5", "25", "0.5", "6.25", "10"), search_usd="0.01", factors={"us": "1.1", "fast": "2"}
    ),
    ("openai", "gpt-5.2"): PeerModel(
        PeerRates("1.75", "14", "0.175"), tiers={"priority": PeerRates("3.5", "28", "0.35")}
    ),
    ("openai", "gpt-5.4"): PeerModel(
        PeerRates("2.5", "15", "0.25"),
        272_000,
        PeerRates("5", "22.5", "0.5"),
        {
            "flex": PeerRates("1.25", "7.5", "0.13"),
            "priority": PeerRates("5", "30", "0.5"),
            "batch": PeerRates("1.25", "7.5"),
        },
    ),
    ("openai", "gpt-5.5"): PeerModel(
        PeerRates("5", "30", "0.5"),
        272_000,
        PeerRates("10", "45", "1"),
        {
            "flex": PeerRates("2.5", "15", "0.25"),
            "priority": PeerRates("10", "60", "1"),
            "batch": PeerRates("2.5", "15"),
        },
    ),
    ("openai", "gpt-5-mini"): PeerModel(
        PeerRates("0.25", "2", "0.025"),
        tiers={"flex": PeerRates("0.125", "1", "0.0125"), "priority": PeerRates("0.45", "3.6", "0.045")},
    ),
    ("openai", "gpt-4.1"): PeerModel(
        PeerRates("2", "8", "0.5"),
        tiers={"priority": PeerRates("3.5", "14", "0.875"), "batch": PeerRates("1", "4")},
    ),
    ("openai", "gpt-4.1-nano"): PeerModel(PeerRates("0.1", "0.4", "0.025")),
    ("openai", "gpt-4o-mini"): PeerModel(PeerRates("0.15", "0.6", "0.075")),
    ("openai", "o3"): PeerModel(PeerRates("2", "8", "0.5")),
    ("openai", "o3-pro"): PeerModel(PeerRates("20", "80"), tiers={"batch": PeerRates("10", "40")}),
    ("openai", "o4-mini"): PeerModel(
        PeerRates("1.1", "4.4", "0.275"),
        tiers={"flex": PeerRates("0.55", "2.2", "0.1375"), "priority": PeerRates("2", "8", "0.5")},
    ),
    ("openrouter", "anthropic/claude-sonnet-4.5"): PeerModel(
        PeerRates("3", "15", "0.3", "3.75"), 200_000, PeerRates("6", "22.5", "0.6", "7.5")
    ),
    ("openrouter", "anthropic/claude-haiku-4.5"): PeerModel(PeerRates("1", "5", "0.1", "1.25")),
    ("openrouter", "openai/gpt-5.2"): PeerModel(PeerRates("1.75", "14", "0.175")),
    ("openrouter", "deepseek/deepseek-chat"): PeerModel(PeerRates("0.14", "0.28")),
    ("openrouter", "google/gemini-2.5-flash"): PeerModel(PeerRates("0.3", "2.5")),
}


def litellm_nanousd(row: PeerModel, counts: TokenCounts, terms: BillingTerms) -> Fraction:
    """Return what a row, read by itself, says a request costs: a kind of token without a field adds nothing."""
    chosen = [row.rates]
    if row.above_tokens is not None and counts.total_input_tokens > row.above_tokens:
        chosen.insert(0, row.above)
    if terms.service_tier in row.tiers:
        chosen.insert(0, row.tiers[terms.service_tier])

    def nanousd(kind: str, tokens: int) -> Fraction:
        usd = next((value for rates in chosen if (value := getattr(rates, kind)) is not None), "0")
        return Fraction(usd) * 1_000 * tokens

    at_rates = (
        nanousd("input", counts.input_tokens)
        + nanousd("output", counts.output_tokens)
        + nanousd("cache_read", counts.cache_read_tokens)
        + nanousd("cache_write_5m", counts.cache_write_5m_tokens)
        + nanousd("cache_write_1h", counts.cache_write_1h_tokens)
    )
    for factor in (terms.speed, terms.inference_geo):
        at_rates *= Fraction(row.factors.get(factor or "", "1"))
    return at_rates + Fraction(row.search_usd or "0") * 10**9 * counts.web_search_requests
