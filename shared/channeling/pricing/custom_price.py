"""A price that an operator sets, for one project or for all: it takes the place of the default table's."""

import math
import re
from collections.abc import Mapping
from typing import Any, get_args

from msgspec import Struct

from channeling.pricing.model_price import UNLISTED_WEB_SEARCH_NANOUSD, ListedRates, ModelPrice, Step, Steps
from channeling.provider import Provider

MAX_USD = 10_000
"""The dearest rate we believe, dollars per million tokens or per 1,000 searches: more is a slip of the unit."""
# Less, and not 0, is a price for one token or one search by mistake: of all rates in the default table the least is
# $0.0016 a million and the dearest $600, which is $0.0006 a token; the least fee is $2.50 per 1,000 searches.
MIN_NANOUSD_PER_MTOK = 1_000_000
MIN_NANOUSD_PER_1000_SEARCHES = 100_000_000
MAX_MODEL_CHARACTERS = 256
MAX_VALID_FROM_S = 253_402_300_799  # the last second of the year 9999

_NANOUSD_PER_USD = 1_000_000_000
_DECIMALS = 9
_USD = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,40}))?", re.ASCII)
_MODEL = re.compile(r"(?:[^\s*\x00-\x1f\x7f]+\*?|\*)")
_RATE_KEYS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_search")
_KEYS = ("model", "provider", "valid_from", *_RATE_KEYS)


class CustomPrice(Struct, frozen=True):
    """A price for one model, or for all whose names start with what stands before a final `*`.

    Rates are nanodollars per million tokens, `web_search` nanodollars per 1,000 searches. A cache rate of None is
    priced as for a model whose list leaves it out, a search fee of None as the provider's usual one. `provider`
    None is any, `valid_from_s` None is always.
    """

    model: str
    input: int
    output: int
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    web_search: int | None = None
    provider: Provider | None = None
    valid_from_s: int | None = None

    def matches(self, provider: Provider, model: str, at_s: float) -> bool:
        """Tell whether this price holds for a model of a provider at a time; case does not matter."""
        if self.provider not in (None, provider):
            return False
        if self.valid_from_s is not None and at_s < self.valid_from_s:
            return False
        pattern, name = self.model.lower(), model.lower()
        return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern

    @property
    def precedence(self) -> tuple[bool, int, bool, float]:
        """Of several prices that match, the greatest wins: exact, longer, provider named, newer."""
        valid_from_s = -math.inf if self.valid_from_s is None else float(self.valid_from_s)
        return (not self.model.endswith("*"), len(self.model), self.provider is not None, valid_from_s)

    def price_of(self, provider: Provider, model: str, source: str) -> ModelPrice:
        """Return this price as that of one model; input and output of 0 make its searches free too."""
        if self.web_search is not None:
            web_search_nanousd = -(-self.web_search // 1_000)
        elif self.input == self.output == 0:
            web_search_nanousd = 0
        else:
            web_search_nanousd = UNLISTED_WEB_SEARCH_NANOUSD[provider]
        return ModelPrice(
            provider=provider,
            model_id=model,
            name=model,
            source=source,
            listed=ListedRates(
                input=_flat(self.input),
                output=_flat(self.output),
                cache_read=_flat(self.cache_read),
                cache_write_5m=_flat(self.cache_write_5m),
                cache_write_1h=_flat(self.cache_write_1h),
            ),
            web_search_nanousd=web_search_nanousd,
        )

    def to_item(self) -> dict[str, str | int]:
        """Return the attributes that DynamoDB keeps: `parse_custom_price` reads the same price back from them.

        Raises ValueError, as it does, for a price that it would refuse: what can't be read is never written.
        """
        item: dict[str, str | int] = {"model": self.model}
        for key in _RATE_KEYS:
            rate: int | None = getattr(self, key)
            if rate is not None:
                item[key] = _usd_text(rate)
        if self.provider is not None:
            item["provider"] = self.provider
        if self.valid_from_s is not None:
            item["valid_from"] = self.valid_from_s
        parse_custom_price(item)
        return item


def parse_custom_price(item: Mapping[str, Any]) -> CustomPrice:
    """Return the price that an operator wrote, or that DynamoDB kept (without the table's own keys).

    Rates are decimal strings: dollars per million tokens, `web_search` dollars per 1,000 searches; `valid_from` is
    epoch seconds. `model`, `input` and `output` are required.

    Raises ValueError, which names the key and says what is wrong with it.
    """
    unknown = sorted(str(key) for key in item if key not in _KEYS)
    if unknown:
        raise ValueError(f"unknown key {unknown[0][:64]!r}; a price has {', '.join(_KEYS)}")
    missing = [key for key in ("model", "input", "output") if item.get(key) is None]
    if missing:
        raise ValueError(f"a price needs {' and '.join(missing)}")
    rates = {key: _parse_usd(key, item[key]) for key in _RATE_KEYS if item.get(key) is not None}
    return CustomPrice(
        model=_parse_model(item["model"]),
        provider=_parse_provider(item.get("provider")),
        valid_from_s=_parse_valid_from(item.get("valid_from")),
        **rates,
    )


def _parse_usd(key: str, value: object) -> int:
    if not isinstance(value, str):
        raise ValueError(
            f'{key} must be dollars as a decimal string, such as "2.50", not {type(value).__name__}'
        )
    match = _USD.fullmatch(value)
    if match is None:
        raise ValueError(f'{key} must be dollars as a decimal string, such as "2.50", not {value[:64]!r}')
    whole, fraction = match[1], (match[2] or "").rstrip("0")
    if len(fraction) > _DECIMALS:
        raise ValueError(f"{key} has more than {_DECIMALS} decimals: {value[:64]!r}")
    nanousd = int(whole) * _NANOUSD_PER_USD + int(fraction.ljust(_DECIMALS, "0"))
    if nanousd > MAX_USD * _NANOUSD_PER_USD:
        raise ValueError(f"{key} is above {MAX_USD:,} dollars: {value[:64]!r}; is the unit right?")
    least, unit = (
        (MIN_NANOUSD_PER_1000_SEARCHES, "1,000 searches")
        if key == "web_search"
        else (MIN_NANOUSD_PER_MTOK, "million tokens")
    )
    if 0 < nanousd < least:
        raise ValueError(
            f"{key} is below {_usd_text(least)} dollars and not 0: {value[:64]!r}; is it per {unit}?"
        )
    return nanousd


def _parse_model(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_MODEL_CHARACTERS or not _MODEL.fullmatch(value):
        raise ValueError(
            f"model must be a model name or a prefix that ends in '*', at most {MAX_MODEL_CHARACTERS} characters"
        )
    return value


def _parse_provider(value: object) -> Provider | None:
    if value is None:
        return None
    for provider in get_args(Provider):
        if value == provider:
            return provider  # type: ignore[no-any-return]  # get_args forgets what the literal's members are
    raise ValueError(f"provider must be one of {', '.join(get_args(Provider))}")


def _parse_valid_from(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_VALID_FROM_S:
        raise ValueError("valid_from must be epoch seconds as a whole number")
    return value


def _flat(rate: int | None) -> Steps | None:
    return None if rate is None else (Step(0, rate),)


def _usd_text(nanousd: int) -> str:
    whole, fraction = divmod(nanousd, _NANOUSD_PER_USD)
    decimals = f"{fraction:0{_DECIMALS}d}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)
