"""The highest price at which OpenRouter may have a request served: the one that it was held at.

A model is offered by many endpoints at different prices. Without a limit one that costs more than the price table
says could be chosen, and the bill would be above what was held for it
(openrouter.ai/docs/guides/routing/provider-selection, "Max price").
"""

from typing import Any

from msgspec import Struct

_NANOUSD = 1_000_000_000


class PriceLimit(Struct, frozen=True):
    """Rates in nanodollars per million tokens. A rate of 0 stands for none: what is free is held at nothing."""

    input_rate: int
    output_rate: int

    @property
    def max_price(self) -> dict[str, Any]:
        """The value of `provider.max_price`, in dollars per million tokens, as texts (`openrouter` 1.3.84,
        `components/providerpreferences.py`, `MaxPrice`)."""
        rates = {"prompt": self.input_rate, "completion": self.output_rate}
        return {name: _usd(rate) for name, rate in rates.items() if rate}


def _usd(rate: int) -> str:
    whole, nanousd = divmod(rate, _NANOUSD)
    return f"{whole}.{nanousd:09d}".rstrip("0").rstrip(".")
