"""What one model costs at one moment: rates by kind of token, by length of the input, by the terms of service.

A rate is a whole number of nanodollars per million tokens: $3 per million is 3_000_000_000.
"""

from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import astuple

from channeling.provider import Provider
from channeling.usage.token_counts import BillingTerms

TOKENS_PER_RATE = 1_000_000

# A search whose fee the price list leaves out, nanodollars: never less than the provider asks for one.
# Anthropic $10 per 1,000 (platform.claude.com/docs/en/about-claude/pricing, "Web search tool"). OpenAI $10, and $25
# for older models (developers.openai.com/api/docs/pricing, "Built-in tools"). OpenRouter's default engine: five
# results a request at $4 per 1,000 results (openrouter.ai/docs/features/web-search).
UNLISTED_WEB_SEARCH_NANOUSD: dict[Provider, int] = {
    "anthropic": 10_000_000,
    "openai": 25_000_000,
    "openrouter": 20_000_000,
}

# `inference_geo: "us"` multiplies every kind of token by 1.1 on Claude Opus 4.6, Sonnet 4.6 and later; older models
# refuse the parameter (platform.claude.com/docs/en/about-claude/pricing, "Data residency pricing"). `usage` says
# "not_available" for them. A place we do not know is priced like "us": never too little.
GEO_WITHOUT_SURCHARGE = frozenset({None, "", "global", "not_available"})
GEO_SURCHARGE = (11, 10)


_WHOLE = {int}
KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


class Rates(Struct, frozen=True):
    """The rate of each kind of token, nanodollars per million tokens; every kind has one."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int

    def __post_init__(self) -> None:
        rates = astuple(self)
        if set(map(type, rates)) == _WHOLE and min(rates) >= 0:
            return  # four times for each request, so without a loop
        for kind, value in zip(KINDS, rates, strict=True):
            if type(value) is not int or value < 0:
                raise ValueError(f"rate {kind} must be a whole number of at least 0, not {value!r}")


class Step(NamedTuple):
    """A rate that holds for the whole request once its total input is *above* `above_tokens`."""

    above_tokens: int
    rate: int


Steps = tuple[Step, ...]
"""Ascending; the first holds from the start, whatever its `above_tokens`."""


class ListedRates(Struct, frozen=True):
    """Rates as a price list states them: stepped by total input; None where the list says nothing."""

    input: Steps | None = None
    output: Steps | None = None
    cache_read: Steps | None = None
    cache_write_5m: Steps | None = None
    cache_write_1h: Steps | None = None

    def __post_init__(self) -> None:
        for kind in KINDS:
            steps: Steps | None = getattr(self, kind)
            if steps is None:
                continue
            lengths = [step.above_tokens for step in steps]
            if not lengths or lengths != sorted(lengths):
                raise ValueError(f"steps of {kind} must be ascending and not empty")


class Variant(Struct, frozen=True):
    """Rates that replace the listed ones, kind by kind, under one service tier or speed."""

    rates: ListedRates
    service_tier: str | None = None
    speed: str | None = None

    def applies(self, terms: BillingTerms) -> bool:
        """Tell whether a request on these terms is priced by this variant."""
        return self.service_tier in (None, terms.service_tier) and self.speed in (None, terms.speed)


class ModelPrice(Struct, frozen=True):
    """The price of one model at one moment, with where it comes from.

    `source`: "default:<day>", "custom", "global", "ceiling" or "free". Of several variants that apply, the first
    that lists a kind decides it.
    """

    provider: Provider
    model_id: str
    name: str
    source: str
    listed: ListedRates
    variants: tuple[Variant, ...] = ()
    web_search_nanousd: int = 0
    context_window: int | None = None

    def __post_init__(self) -> None:
        if self.listed.input is None or self.listed.output is None:
            raise ValueError(f"price of {self.model_id} needs an input and an output rate")

    @property
    def base(self) -> Rates:
        """The rates of a short request on standard terms."""
        return rates_of(self, BillingTerms(), 0)

    @property
    def is_free(self) -> bool:
        """Whether no request on any terms costs anything."""
        listings = (self.listed, *(variant.rates for variant in self.variants))
        return self.web_search_nanousd == 0 and not any(
            step.rate
            for listing in listings
            for kind in listing.__struct_fields__
            for step in getattr(listing, kind) or ()
        )


def flat_rates(rates: Rates) -> ListedRates:
    """Return rates that hold for every length of input."""
    return ListedRates(**{kind: (Step(0, getattr(rates, kind)),) for kind in rates.__struct_fields__})


def rates_of(price: ModelPrice, terms: BillingTerms, total_input_tokens: int) -> Rates:
    """Return the rates for a request of this total input on these terms, before any surcharge by place.

    A kind that the list leaves out: a cache read is input. A cache write is input too, but for Anthropic's models,
    where it is 1.25 times (5 minutes) and 2 times (1 hour) input
    (platform.claude.com/docs/en/build-with-claude/prompt-caching, "Pricing").
    """
    steps = astuple(price.listed)
    for variant in reversed(price.variants):
        if variant.applies(terms):
            steps = tuple(own or other for own, other in zip(astuple(variant.rates), steps, strict=True))
    plain_input, output, read, write_5m, write_1h = [
        kind and (kind[0].rate if len(kind) == 1 else _rate_at(kind, total_input_tokens)) for kind in steps
    ]
    assert plain_input is not None  # noqa: S101 - ModelPrice refuses to be made without these two
    assert output is not None  # noqa: S101 - the same
    if _is_anthropic(price):
        unlisted_5m, unlisted_1h = -(-plain_input * 5 // 4), plain_input * 2
    else:
        unlisted_5m = plain_input
        unlisted_1h = plain_input if write_5m is None else write_5m
    return Rates(
        input=plain_input,
        output=output,
        cache_read=plain_input if read is None else read,
        cache_write_5m=unlisted_5m if write_5m is None else write_5m,
        cache_write_1h=unlisted_1h if write_1h is None else write_1h,
    )


def surcharge_of(price: ModelPrice, terms: BillingTerms) -> tuple[int, int]:
    """Return what every rate is multiplied by for the place of inference, as numerator and denominator."""
    if price.provider == "anthropic" and terms.inference_geo not in GEO_WITHOUT_SURCHARGE:
        return GEO_SURCHARGE
    return (1, 1)


def _rate_at(steps: Steps, total_input_tokens: int) -> int:
    rate = steps[0].rate
    for step in steps[1:]:
        if total_input_tokens > step.above_tokens:
            rate = step.rate
    return rate


def _is_anthropic(price: ModelPrice) -> bool:
    return price.provider == "anthropic" or price.model_id.startswith(("anthropic/", "~anthropic/"))
