"""A hold's id says when it began, and two of them do not meet."""

import os

import pytest

from channeling.budgets.hold_id import hold_started_s, new_hold_id


@pytest.mark.parametrize("now_s", [0, 1, 1_796_000_000, 36**6 - 1])
def test_an_id_carries_its_start(now_s: int) -> None:
    """The second of the start is read back from 14 characters."""
    hold_id = new_hold_id(now_s, lambda count: b"\xff" * count)
    assert len(hold_id) == 14
    assert hold_started_s(hold_id) == now_s


def test_ids_of_one_second_differ() -> None:
    """Randomness, not time, tells holds of one second apart."""
    assert len({new_hold_id(1_796_000_000, os.urandom) for _ in range(2_000)}) == 2_000


def test_a_time_too_late_for_six_digits_is_refused() -> None:
    """The format ends in 2038; it says so instead of wrapping round."""
    with pytest.raises(ValueError, match="more digits"):
        new_hold_id(36**6, os.urandom)
