"""Dollars and durations as people type them."""

import re
from decimal import Decimal, InvalidOperation

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)", re.ASCII)


def parsed_microdollars(text: str) -> int | None:
    """Return decimal dollars as microdollars; None for what is not exactly that."""
    try:
        usd = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        return None
    if not usd.is_finite() or not 0 <= usd <= 1_000_000 or usd != round(usd, 6):
        return None
    return int(usd * 1_000_000)


def microdollars(text: str, option: str) -> int:
    """Return decimal dollars as microdollars; raise BadParameter for what is not exactly that."""
    amount = parsed_microdollars(text)
    if amount is None:
        raise _bad_parameter(
            f"{text!r} is no amount of dollars such as 5 or 0.25 (0 to 1000000, at most 6 decimals)", option
        )
    return amount


def duration_s(text: str, option: str) -> int:
    """Return a duration such as 3600, 90m, 12h or 7d in seconds; raise BadParameter."""
    match = _DURATION.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise _bad_parameter(f"{text!r} is no duration such as 3600, 90m, 12h or 7d", option)
    return int(match[1]) * _SECONDS[match[2]]


def usd_text(microusd: int) -> str:
    """Return microdollars as decimal dollars without trailing zeros."""
    return f"{Decimal(microusd) / 1_000_000:f}"


def _bad_parameter(message: str, option: str) -> Exception:
    # Not at the top: `channeling serve` has amounts, and mostly no use for Typer.
    import typer

    return typer.BadParameter(message, param_hint=option)
