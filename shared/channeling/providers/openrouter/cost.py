"""What OpenRouter says that an answer cost, exactly: in nanodollars, rounded up once.

Source: `openrouter` 1.3.84, `components/chatusage.py`, `costdetails.py`; openrouter.ai/docs/cookbook/
administration/usage-accounting. `cost` is what the account is charged, fees of plugins and server tools included.
With a key of one's own (`is_byok`) the vendor charges its part beside that, in
`cost_details.upstream_inference_cost`.
"""

from collections.abc import Mapping
from typing import Any

from channeling.providers.usage_fields import object_in

# More than any one answer can cost: a number above it is no cost.
_MOST_USD = 1_000_000
_NANO_DIGITS = 9


def reported_cost(usage: Mapping[str, Any]) -> int | None:
    """Return what a `usage` object says is billed, in nanodollars; None where it says nothing that can be so."""
    charged = _decimal(usage.get("cost"))
    if charged is None:
        return None
    parts = [charged]
    if usage.get("is_byok") is True:
        beside = _decimal(object_in(usage, "cost_details").get("upstream_inference_cost"))
        parts += [] if beside is None else [beside]
    # Whole numbers of a power of ten that neither part, nor a nanodollar, has a fraction of.
    least = min(-_NANO_DIGITS, *(power for _, power in parts))
    digits: int = sum(number * 10 ** (power - least) for number, power in parts)
    per_nanousd: int = 10 ** (-_NANO_DIGITS - least)
    return -(-digits // per_nanousd)


def _decimal(amount: Any) -> tuple[int, int] | None:
    """Return dollars as digits and a power of ten: those that JSON had, not the binary fraction made of them."""
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= _MOST_USD:
        return None
    mantissa, _, exponent = repr(float(amount)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    return int(whole + fraction), int(exponent or 0) - len(fraction)
