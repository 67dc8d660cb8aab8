"""Dollars and times as callers write them: money as decimal strings, which no JSON library rounds."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from channeling.errors import InvalidRequest

Usd = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,7}(\.[0-9]{1,9})?$",
        max_length=17,
        description="Dollars as a decimal string.",
        examples=["5", "0.25"],
    ),
]
_DECIMALS = 9


def nanodollars(text: str) -> int:
    """Return dollars, in the form of `Usd`, in nanodollars."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(_DECIMALS, "0"))


def microdollars(text: str) -> int:
    """Return dollars in microdollars; raise InvalidRequest for more than six decimals."""
    microusd, rest = divmod(nanodollars(text), 1_000)
    if rest:
        raise InvalidRequest(f"{text} dollars: at most six decimals, since tokens count microdollars")
    return microusd


def seconds_of(moment: datetime) -> int:
    """Return a time in seconds since the epoch; one without a zone is in UTC."""
    zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int((zoned - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def time_text(seconds: float | None) -> str | None:
    """Return a time as ISO 8601 in UTC, or None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
