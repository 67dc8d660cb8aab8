"""What a request cost: exact in whole numbers, rounded up once to the nanodollar."""

from channeling.pricing.model_price import TOKENS_PER_RATE, ModelPrice, rates_of, surcharge_of
from channeling.usage.token_counts import BillingTerms, TokenCounts


def cost_nanousd(price: ModelPrice, counts: TokenCounts, terms: BillingTerms) -> int:
    """Return the cost in nanodollars of what a provider counted, on the terms it billed by.

    Searches have a fee each, without any surcharge; fetches have none beyond their tokens
    (platform.claude.com/docs/en/about-claude/pricing, "Specific tool pricing").
    """
    rates = rates_of(price, terms, counts.total_input_tokens)
    numerator, denominator = surcharge_of(price, terms)
    at_rates = (
        counts.input_tokens * rates.input
        + counts.cache_read_tokens * rates.cache_read
        + counts.cache_write_5m_tokens * rates.cache_write_5m
        + counts.cache_write_1h_tokens * rates.cache_write_1h
        + counts.output_tokens * rates.output
    )
    tokens_nanousd = -(-at_rates * numerator // (denominator * TOKENS_PER_RATE))
    return tokens_nanousd + counts.web_search_requests * price.web_search_nanousd
