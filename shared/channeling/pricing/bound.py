"""The most that a request can cost before it is known what it will: the same rates as `cost`, at their dearest."""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import astuple

from channeling.pricing.model_price import (
    TOKENS_PER_RATE,
    ModelPrice,
    Rates,
    rates_of,
    surcharge_of,
)
from channeling.usage.token_counts import BillingTerms


class PossibleTerms(Struct, frozen=True):
    """Everything that this body and these headers can lead to.

    `service_tiers`, `speeds`: every value that may come back, spelled as in `BillingTerms`. `max_input_tokens`: the
    bound on input of every kind, which decides the length steps that can be reached; None for no bound.
    """

    cache_5m: bool = False
    cache_1h: bool = False
    service_tiers: tuple[str, ...] = ("standard",)
    speeds: tuple[str, ...] = ("standard",)
    inference_geo: str | None = None
    max_input_tokens: int | None = None

    def __post_init__(self) -> None:
        if not self.service_tiers or not self.speeds:
            raise ValueError("possible terms need at least one service tier and one speed")
        if self.max_input_tokens is not None and self.max_input_tokens < 0:
            raise ValueError(f"max_input_tokens must be at least 0, not {self.max_input_tokens!r}")


def dearest_rates(price: ModelPrice, possible: PossibleTerms) -> tuple[int, int]:
    """Return the most that a token of input, and one of output, can cost, nanodollars per million tokens.

    Providers other than Anthropic cache without being asked, so their cache writes always count.
    """
    automatic = price.provider != "anthropic"
    dearest_input = dearest_output = 0
    for terms, rates in _reachable(price, possible):
        reachable = max(rates.input, rates.cache_read)
        if possible.cache_5m or automatic:
            reachable = max(reachable, rates.cache_write_5m)
        if possible.cache_1h:
            reachable = max(reachable, rates.cache_write_1h)
        dearest_input = max(dearest_input, _surcharged(price, terms, reachable))
        dearest_output = max(dearest_output, _surcharged(price, terms, rates.output))
    return dearest_input, dearest_output


def bound_nanousd(
    price: ModelPrice,
    possible: PossibleTerms,
    *,
    input_tokens: int,
    output_tokens: int,
    web_searches: int = 0,
) -> int:
    """Return the most that a request of at most these counts can cost, in nanodollars, rounded up once.

    It is a bound on `cost_nanousd` as long as `input_tokens` is at most `possible.max_input_tokens`.
    """
    input_rate, output_rate = dearest_rates(price, possible)
    at_rates = input_tokens * input_rate + output_tokens * output_rate
    return -(-at_rates // TOKENS_PER_RATE) + web_searches * price.web_search_nanousd


def amount_nanousd(tokens: int, rate: int) -> int:
    """Return what tokens cost at one rate, in nanodollars, rounded up."""
    return -(-tokens * rate // TOKENS_PER_RATE)


def tokens_within(amount: int, rate: int) -> int | None:
    """Return how many tokens at one rate fit into an amount of nanodollars; None when the rate is 0: any number.

    The answer's own `amount_nanousd` is never above `amount`.
    """
    return None if rate == 0 else max(amount, 0) * TOKENS_PER_RATE // rate


def _reachable(price: ModelPrice, possible: PossibleTerms) -> Iterator[tuple[BillingTerms, Rates]]:
    lengths = [0, *(length + 1 for length in _step_lengths(price))]
    # Without variants no tier and no speed changes a rate: two fifths of all quotes' time for nothing.
    tiers = possible.service_tiers if price.variants else possible.service_tiers[:1]
    speeds = possible.speeds if price.variants else possible.speeds[:1]
    for tier in tiers:
        for speed in speeds:
            terms = BillingTerms(tier, speed, possible.inference_geo)
            for total in lengths:
                if possible.max_input_tokens is None or total <= possible.max_input_tokens:
                    yield terms, rates_of(price, terms, total)


def _step_lengths(price: ModelPrice) -> set[int]:
    listings = (price.listed, *(variant.rates for variant in price.variants))
    return {
        step.above_tokens
        for listing in listings
        for steps in astuple(listing)
        if steps and len(steps) > 1
        for step in steps[1:]
    }


def _surcharged(price: ModelPrice, terms: BillingTerms, rate: int) -> int:
    numerator, denominator = surcharge_of(price, terms)
    return -(-rate * numerator // denominator)
