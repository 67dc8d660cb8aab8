"""The `budget` claim: how much, in which window, on which grid.

Source: `chucky-sdk` 0.2.0, `chucky/utils.py` (TokenBudget, create_budget).
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, get_args

from msgspec import Struct

from channeling.errors import AuthenticationFailed
from channeling.window_kind import WindowKind

MAX_AI_MICROUSD = 10**12
_NANOUSD_PER_MICROUSD = 1_000
_WINDOW_KINDS: dict[str, WindowKind] = {kind: kind for kind in get_args(WindowKind)}
_EPOCH = datetime(1970, 1, 1)
LAST_S = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that RFC 3339 can write
# RFC 3339 §5.6; the Z after an offset is what chucky-sdk makes of an aware datetime (`isoformat() + "Z"`).
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9])[Zz]?)"
)


class BudgetClaim(Struct, frozen=True):
    """What a token's user may spend per window; `window_start_s` is a start on the grid, Unix seconds."""

    limit_nanousd: int
    window: WindowKind
    window_start_s: int


def read_budget(claim: Any, max_ai_microusd: int | None) -> BudgetClaim:
    """Read the claim as JSON gave it; `max_ai_microusd` is the project's own ceiling.

    `compute` is never required or enforced: Channeling runs no sandbox. Raises AuthenticationFailed.
    """
    if not isinstance(claim, Mapping):
        raise AuthenticationFailed("The token has no budget: its claim budget must be an object.")
    window = claim.get("window")
    if not isinstance(window, str) or window not in _WINDOW_KINDS:
        raise AuthenticationFailed("The token's budget.window must be one of hour, day, week, month.")
    return BudgetClaim(
        limit_nanousd=_read_ai(claim.get("ai"), max_ai_microusd) * _NANOUSD_PER_MICROUSD,
        window=_WINDOW_KINDS[window],
        window_start_s=_read_window_start(claim.get("windowStart")),
    )


def _read_ai(value: Any, max_ai_microusd: int | None) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_AI_MICROUSD:
        raise AuthenticationFailed(
            "The token's budget.ai must be a whole number of microdollars from 0 to 1000000000000."
        )
    if max_ai_microusd is not None and value > max_ai_microusd:
        raise AuthenticationFailed(
            f"The token's budget.ai of {value} microdollars is more than the {max_ai_microusd} "
            "that this project allows a token."
        )
    return value


def _read_window_start(value: Any) -> int:
    malformed = AuthenticationFailed(
        "The token's budget.windowStart must be an RFC 3339 time of 1970 or later, "
        "such as 2026-01-31T00:00:00Z."
    )
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise malformed
    year, month, day, hour, minute, second = (int(field) for field in match.groups()[:6])
    leap_s = 1 if second == 60 else 0
    try:
        moment = datetime(year, month, day, hour, minute, second - leap_s)
    except ValueError:
        raise malformed from None
    offset_s = 0
    if match[7] is not None:
        offset_s = (int(match[8]) * 3600 + int(match[9]) * 60) * (-1 if match[7] == "-" else 1)
    start_s = (moment - _EPOCH) // timedelta(seconds=1) + leap_s - offset_s
    if not 0 <= start_s <= LAST_S:
        raise malformed
    return start_s
