"""The most that a request can cost before it is known what it will: the same rates as `cost`, at their dearest."""

from functools import lru_cache

from msgspec import Struct
from msgspec.structs import astuple

from channeling.pricing.model_price import (
    TOKENS_PER_RATE,
    ModelPrice,
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
    by_length = _dearest_by_length(
        price,
        possible.cache_5m,
        possible.cache_1h,
        possible.service_tiers,
        possible.speeds,
        surcharge_of(price, BillingTerms(inference_geo=possible.inference_geo)),
    )
    most = possible.max_input_tokens
    if len(by_length) == 1 or most is None:
        return by_length[-1][1]
    return next(dearest for length, dearest in reversed(by_length) if length <= most)


@lru_cache(maxsize=512)
def _dearest_by_length(
    price: ModelPrice,
    cache_5m: bool,
    cache_1h: bool,
    service_tiers: tuple[str, ...],
    speeds: tuple[str, ...],
    surcharge: tuple[int, int],
) -> tuple[tuple[int, tuple[int, int]], ...]:
    """Return the dearest rates of inputs up to each length at which the list has another step, the shortest first.

    Kept, since a price comes with request after request: it took 2 % of each.
    """
    automatic = price.provider != "anthropic"
    # Without variants no tier and no speed changes a rate.
    terms = [BillingTerms(tier, speed) for tier in service_tiers for speed in speeds]
    if not price.variants:
        terms = terms[:1]
    numerator, denominator = surcharge
    dearest_input = dearest_output = 0
    by_length = []
    for length in [0, *sorted(above + 1 for above in _step_lengths(price))]:
        for one in terms:
            rates = rates_of(price, one, length)
            reachable = max(rates.input, rates.cache_read)
            if cache_5m or automatic:
                reachable = max(reachable, rates.cache_write_5m)
            if cache_1h:
                reachable = max(reachable, rates.cache_write_1h)
            dearest_input = max(dearest_input, -(-reachable * numerator // denominator))
            dearest_output = max(dearest_output, -(-rates.output * numerator // denominator))
        by_length.append((length, (dearest_input, dearest_output)))
    return tuple(by_length)


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


def _step_lengths(price: ModelPrice) -> set[int]:
    listings = (price.listed, *(variant.rates for variant in price.variants))
    return {
        step.above_tokens
        for listing in listings
        for steps in astuple(listing)
        if steps and len(steps) > 1
        for step in steps[1:]
    }
