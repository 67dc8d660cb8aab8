"""The program that measures what a stream costs gets a figure of everything, from streams that are whole."""

import re
import shutil

import pytest

from bench.stream_cost import Effort, main

SMALL = Effort(pace_us=1_000, few_deltas=2, many_deltas=4, streams=2, many_streams=4, whole=2, rounds=1)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler: apt-get install gcc")
def test_each_figure_is_printed_with_its_unit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SMALL) == 0
    lines = capsys.readouterr().out.splitlines()
    units = [re.fullmatch(r".* +-?\d+\.\d+ (ms of CPU|ms of CPU more|MB)", line) for line in lines]
    assert [unit and unit[1] for unit in units] == [*["ms of CPU"] * 3, "ms of CPU more", *["MB"] * 3]
