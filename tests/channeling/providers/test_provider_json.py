"""Providers' JSON is read strictly, but for halves of surrogate pairs, which become U+FFFD."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeling.providers.provider_json import read_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_what_python_reads_is_read(document: Any) -> None:
    text = json.dumps(document)
    assert read_json(text) == read_json(text.encode()) == readable(document)


def readable(document: Any) -> Any:
    """Return the document with lone surrogates replaced."""
    characters = json.dumps(document, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
    return json.loads(characters.decode("utf-16-le", "replace"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb'"a\ud83d"', "a\ufffd"),
        (rb'"\ude00\ud83d"', "\ufffd\ufffd"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'{"\ud83d": "\\ud83d"}', {"\ufffd": "\\ud83d"}),
    ],
)
def test_halves_of_pairs(text: bytes, value: Any) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"NaN",
        b"[Infinity]",
        b'"\xff"',
        rb'"\ud83d\x"',
        b'"\\ud83d\xff"',
        b'["\\ud83d", NaN]',
        b'["\\ud83d"' + b"[" * 100_000,
        b'["\\ud83d", ' + b"[" * 20_000 + b"]" * 20_000 + b"]",
        b'["\\ud83d", ' + b"9" * 5_000 + b"]",
    ],
)
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - every reader of JSON words it differently
        read_json(text)
