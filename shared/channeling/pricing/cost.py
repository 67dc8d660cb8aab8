"""What a request cost: exact in whole numbers, rounded up once to the nanodollar."""

from collections.abc import Sequence

from msgspec import Struct

from channeling.pricing.model_price import TOKENS_PER_RATE, ModelPrice, rates_of, surcharge_of
from channeling.usage.token_counts import BillingTerms, TokenCounts


class BilledPart(Struct, frozen=True):
    """What one model was counted for: most answers have one part, an advisor or a compaction adds another."""

    price: ModelPrice
    counts: TokenCounts
    terms: BillingTerms


def cost_of_parts(parts: Sequence[BilledPart]) -> int:
    """Return the cost in nanodollars of all parts of an answer, rounded up once.

    Searches have a fee each, without any surcharge; fetches have none beyond their tokens
    (platform.claude.com/docs/en/about-claude/pricing, "Specific tool pricing").
    """
    # Sums of fractions as whole numbers over one common denominator; `fractions` would bring `decimal` along.
    numerator, denominator = 0, 1
    for part in parts:
        part_numerator, part_denominator = _exact_nanousd(part)
        numerator = numerator * part_denominator + part_numerator * denominator
        denominator *= part_denominator
    return -(-numerator // denominator)


def cost_nanousd(price: ModelPrice, counts: TokenCounts, terms: BillingTerms) -> int:
    """Return the cost in nanodollars of an answer that one model gave alone."""
    return cost_of_parts((BilledPart(price, counts, terms),))


def _exact_nanousd(part: BilledPart) -> tuple[int, int]:
    """Return the exact cost as numerator and denominator."""
    counts = part.counts
    rates = rates_of(part.price, part.terms, counts.total_input_tokens)
    numerator, denominator = surcharge_of(part.price, part.terms)
    at_rates = (
        counts.input_tokens * rates.input
        + counts.cache_read_tokens * rates.cache_read
        + counts.cache_write_5m_tokens * rates.cache_write_5m
        + counts.cache_write_1h_tokens * rates.cache_write_1h
        + counts.output_tokens * rates.output
    )
    fees = counts.web_search_requests * part.price.web_search_nanousd
    whole = denominator * TOKENS_PER_RATE
    return at_rates * numerator + fees * whole, whole
