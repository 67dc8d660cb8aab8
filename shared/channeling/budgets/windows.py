"""Budget windows: how an hour, a day, a week or a calendar month tiles time from an anchor. Pure."""

from datetime import UTC, datetime

from msgspec import Struct

from channeling.window_kind import WindowKind

_FIXED_LENGTH_S: dict[WindowKind, int] = {"hour": 3_600, "day": 86_400, "week": 7 * 86_400}


class Window(Struct, frozen=True):
    """A half-open stretch of time: `start_s` ≤ t < `end_s`, in seconds since the epoch."""

    start_s: int
    end_s: int


def tile(kind: WindowKind, anchor_s: int, now_s: int) -> Window:
    """Return the window containing `now_s` on the grid that has a window starting at `anchor_s`.

    The anchor may lie in the future. Months are calendar months; one that is too short for the anchor's day
    starts on its last day (an anchor on 31 January tiles 31 Jan, 28 Feb, 31 Mar).
    """
    length_s = _FIXED_LENGTH_S.get(kind)
    if length_s is not None:
        start_s = anchor_s + (now_s - anchor_s) // length_s * length_s
        return Window(start_s, start_s + length_s)
    anchor, now = datetime.fromtimestamp(anchor_s, UTC), datetime.fromtimestamp(now_s, UTC)
    months = (now.year - anchor.year) * 12 + now.month - anchor.month
    if _months_after(anchor, months) > now_s:
        months -= 1
    return Window(_months_after(anchor, months), _months_after(anchor, months + 1))


def _months_after(anchor: datetime, months: int) -> int:
    year, month0 = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    first = anchor.replace(year=year, month=month0 + 1, day=1)
    following = first.replace(year=year + month0 // 11, month=(month0 + 1) % 12 + 1)
    days_in_month = (following - first).days
    return int(first.replace(day=min(anchor.day, days_in_month)).timestamp())


class Grid(Struct, frozen=True):
    """A window together with the anchor (`origin_s`) of the grid that it lies on."""

    window: Window
    origin_s: int


def first_window(kind: WindowKind, token_start_s: int, now_s: int) -> Grid:
    """Return the first window of a budget: laid on the token's own `windowStart` grid."""
    return Grid(tile(kind, token_start_s, now_s), token_start_s)


def next_window(kind: WindowKind, *, origin_s: int, ended_s: int, token_start_s: int, now_s: int) -> Grid:
    """Return the window that follows one that ended at `ended_s` on the grid of `origin_s`.

    The token's grid is taken only where its tile starts at or after the old window's end. Tokens default
    `windowStart` to the moment they were minted, and 24 of them in a day must not make 24 "days".
    """
    from_token = tile(kind, token_start_s, now_s)
    if from_token.start_s >= ended_s:
        return Grid(from_token, token_start_s)
    return Grid(tile(kind, origin_s, now_s), origin_s)
