"""Stop sequences are found wherever the text is cut, and not a character of other text is lost or out of order."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channeling.providers.stop_scan import StopScan

LETTERS = st.text("ab\n", max_size=30)
STOPS = st.lists(st.text("ab\n", min_size=1, max_size=5), max_size=4).map(tuple)


def scanned(stops: tuple[str, ...], pieces: list[str]) -> tuple[str, str | None]:
    scan = StopScan(stops)
    out = "".join([scan.take(piece) for piece in pieces])
    return out + ("" if scan.matched else scan.flush()), scan.matched


def by_definition(stops: tuple[str, ...], text: str) -> tuple[str, str | None]:
    """Read letter by letter: the first moment at which the text ends in a sequence is the end."""
    for end in range(1, len(text) + 1):
        found = [stop for stop in stops if text[:end].endswith(stop)]
        if found:
            longest = max(found, key=len)
            return text[: end - len(longest)], longest
    return text, None


@given(STOPS, LETTERS, st.lists(st.integers(0, 30), max_size=5))
@example(("ab", "abc"), "xabc", [2])
@example(("abcd", "bc"), "abcd", [])
@example(("aa",), "aaa", [1])
def test_any_cut_gives_what_the_definition_says(stops: tuple[str, ...], text: str, cuts: list[int]) -> None:
    places = [0, *sorted(cut for cut in cuts if cut <= len(text)), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert scanned(stops, pieces) == by_definition(stops, text)
    assert scanned(stops, list(text)) == by_definition(stops, text)


@pytest.mark.parametrize(
    ("piece", "passed"),
    [
        ("nothing of it", "nothing of it"),
        ("one EN", "one "),
        ("EN and more", "EN and more"),
        ("E", ""),
        ("x\n\n", "x\n\n"),
    ],
)
def test_no_more_is_held_back_than_could_become_a_sequence(piece: str, passed: str) -> None:
    assert StopScan(("END",)).take(piece) == passed


def test_without_sequences_everything_passes() -> None:
    scan = StopScan(())
    assert scan.take("anything") == "anything"
    assert scan.flush() == ""


def test_after_a_match_nothing_passes() -> None:
    scan = StopScan(("END",))
    assert scan.take("one END two") == "one "
    assert scan.matched == "END"
    assert scan.take("three") == scan.flush() == ""
