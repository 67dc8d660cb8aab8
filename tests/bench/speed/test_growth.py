"""The curves of the benchmark: a point for each size, drawn and tabled."""

import shutil

import pytest

from bench.speed.growth import Effort, Growth, markdown, picture, users_in_the_store

GROWTH = Growth("users", "Users", "users", "ms", ("ours", "floor"), [(1, (0.5, 0.25)), (1_000, (0.5, 0.75))])


def test_a_growth_is_a_table_with_a_row_for_each_size() -> None:
    assert markdown(GROWTH).splitlines()[-2:] == ["| 1 | 0.500 | 0.250 |", "| 1,000 | 0.500 | 0.750 |"]


def test_a_growth_is_a_picture_with_a_point_for_each_figure() -> None:
    drawn = picture(GROWTH)
    assert drawn.count("<circle") == 4
    assert all(f">{name}<" in drawn for name in GROWTH.curves)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler: apt-get install gcc")
def test_users_are_put_into_the_store_and_requests_still_answered() -> None:
    growth = users_in_the_store(Effort(seconds=0.2, rounds=1, most=100))
    assert [size for size, _ in growth.points] == [1, 100]
    assert all(value > 0 for _, values in growth.points for value in values)
