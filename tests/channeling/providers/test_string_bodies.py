"""Strings read together by their bodies say what each says alone, and are written as orjson writes them."""

import json
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeling.providers.string_bodies import STRING_BODY, read_bodies

BODY = re.compile(STRING_BODY)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.lists(st.tuples(TEXTS, st.booleans()), max_size=5))
def test_bodies_of_texts(written: list[tuple[str, bool]]) -> None:
    """Escaped or not; what is escaped as a pair of surrogates is left to others."""
    pairs = [
        (text, json.dumps(text, ensure_ascii=is_ascii)[1:-1].encode())
        for text, is_ascii in written
        if not is_ascii or max(text) < "\U00010000"
    ]
    assert all(BODY.fullmatch(body) for _, body in pairs)
    texts, bodies = read_bodies([body for _, body in pairs])
    assert list(texts) == [text for text, _ in pairs]
    assert list(bodies) == [orjson.dumps(text)[1:-1] for text, _ in pairs]


@given(st.binary(max_size=12) | st.from_regex(rb'[a",\[\]\\u0d83\xc3\xa9]{0,9}', fullmatch=True))
def test_what_matches_is_one_string_and_not_empty(body: bytes) -> None:
    """Unless it is no UTF-8, which is found when it is read."""
    if not BODY.fullmatch(body):
        return
    assert body
    texts, _ = read_bodies([body])
    try:
        body.decode()
    except UnicodeDecodeError:
        assert texts == []
    else:
        assert texts == [orjson.loads(b'"%b"' % body)]


@pytest.mark.parametrize(
    "body", [b"", b'"', b"\\", b'a","b', rb"\q", rb"\u12", b"\n", b"\x00", rb"\ud83d\ude00", rb"\uDE00"]
)
def test_what_is_no_body(body: bytes) -> None:
    assert not BODY.fullmatch(body)


@pytest.mark.parametrize("spoilt", [b"\xff", b"\xc3", b"\xed\xa0\x80"])
def test_what_comes_before_garbage_is_read(spoilt: bytes) -> None:
    """Halves of a character in two strings are no character."""
    assert read_bodies([b"a", rb"\/", spoilt, b"\xa9"]) == (["a", "/"], [b"a", b"/"])
    assert read_bodies([spoilt, b"\xa9"]) == ([], [])
    assert read_bodies([]) == ((), ())
