"""Windows tile time without gaps or overlaps, on the grid of the token's windowStart (I6)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeling.budgets.windows import Window, first_window, next_window, tile
from channeling.window_kind import WindowKind

KINDS: list[WindowKind] = ["hour", "day", "week", "month"]
# 1970-02 to 2100: anchors and moments a token can carry.
MOMENTS = st.integers(min_value=3_000_000, max_value=4_102_444_800)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("kind", "anchor", "now", "start", "end"),
    [
        ("hour", "2026-11-24T10:20:00", "2026-11-24T12:19:59", "2026-11-24T11:20:00", "2026-11-24T12:20:00"),
        ("hour", "2026-11-24T10:20:00", "2026-11-24T12:20:00", "2026-11-24T12:20:00", "2026-11-24T13:20:00"),
        ("day", "2026-11-24T00:00:00", "2026-11-24T23:59:59", "2026-11-24T00:00:00", "2026-11-25T00:00:00"),
        ("week", "2026-11-02T00:00:00", "2026-11-24T10:00:00", "2026-11-23T00:00:00", "2026-11-30T00:00:00"),
        ("month", "2026-01-31T12:00:00", "2026-02-28T11:59:59", "2026-01-31T12:00:00", "2026-02-28T12:00:00"),
        ("month", "2026-01-31T12:00:00", "2026-03-30T00:00:00", "2026-02-28T12:00:00", "2026-03-31T12:00:00"),
        ("month", "2024-02-29T00:00:00", "2025-03-01T00:00:00", "2025-02-28T00:00:00", "2025-03-29T00:00:00"),
        ("month", "2026-12-15T00:00:00", "2027-01-14T00:00:00", "2026-12-15T00:00:00", "2027-01-15T00:00:00"),
        # An anchor in the future means the tile that contains now.
        ("day", "2030-01-01T06:00:00", "2026-11-24T05:00:00", "2026-11-23T06:00:00", "2026-11-24T06:00:00"),
        ("month", "2030-01-31T00:00:00", "2026-11-24T05:00:00", "2026-10-31T00:00:00", "2026-11-30T00:00:00"),
    ],
)
def test_tile_is_the_window_around_now(kind: WindowKind, anchor: str, now: str, start: str, end: str) -> None:
    """The tile of a moment is the one a calendar says."""
    assert tile(kind, at(anchor), at(now)) == Window(at(start), at(end))


@given(kind=st.sampled_from(KINDS), anchor_s=MOMENTS, now_s=MOMENTS)
def test_tiles_meet_end_to_start(kind: WindowKind, anchor_s: int, now_s: int) -> None:
    """Each tile contains its moment, and the next one starts where it ends."""
    window = tile(kind, anchor_s, now_s)
    assert window.start_s <= now_s < window.end_s
    assert tile(kind, anchor_s, window.end_s).start_s == window.end_s
    assert tile(kind, anchor_s, window.start_s - 1).end_s == window.start_s


def test_tokens_minted_every_hour_do_not_make_24_days() -> None:
    """A live day is followed by the next day of its own grid, whatever later tokens say their windowStart is."""
    first = first_window("day", at("2026-11-24T10:00:00"), at("2026-11-24T10:00:00"))
    minted_before_the_end = at("2026-11-25T09:00:00")
    following = next_window(
        "day",
        origin_s=first.origin_s,
        ended_s=first.window.end_s,
        token_start_s=minted_before_the_end,
        now_s=at("2026-11-25T10:30:00"),
    )
    assert following.window == Window(at("2026-11-25T10:00:00"), at("2026-11-26T10:00:00"))
    assert following.origin_s == first.origin_s


def test_a_token_minted_after_the_window_ended_brings_its_own_grid() -> None:
    """A grid may move only forward, to a tile that starts at or after the old window's end."""
    following = next_window(
        "day",
        origin_s=at("2026-11-20T10:00:00"),
        ended_s=at("2026-11-21T10:00:00"),
        token_start_s=at("2026-11-24T15:00:00"),
        now_s=at("2026-11-24T16:00:00"),
    )
    assert following.window == Window(at("2026-11-24T15:00:00"), at("2026-11-25T15:00:00"))
    assert following.origin_s == at("2026-11-24T15:00:00")


@given(
    kind=st.sampled_from(KINDS),
    origin_s=MOMENTS,
    first_s=MOMENTS,
    token_start_s=MOMENTS,
    later_s=st.integers(min_value=0, max_value=400 * 86_400),
)
def test_windows_of_one_budget_never_overlap(
    kind: WindowKind, origin_s: int, first_s: int, token_start_s: int, later_s: int
) -> None:
    """I6: whichever grid is taken, the next window starts at or after the old one's end and has its full length."""
    old = tile(kind, origin_s, first_s)
    now_s = old.end_s + later_s
    grid = next_window(kind, origin_s=origin_s, ended_s=old.end_s, token_start_s=token_start_s, now_s=now_s)
    assert grid.window.start_s >= old.end_s
    assert grid.window.start_s <= now_s < grid.window.end_s
    assert grid.window == tile(kind, grid.origin_s, now_s)
