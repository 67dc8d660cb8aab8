"""Spans are the very bytes of each value, whatever JSON surrounds them."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeling.errors import InvalidRequest
from channeling.json_spans import JsonText

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values, max_size=5), st.booleans())
def test_each_member_of_an_object_is_found(document: dict[str, object], indented: bool) -> None:
    body = orjson.dumps(document, option=orjson.OPT_INDENT_2 if indented else None)
    text = JsonText(body, watched=document.keys())
    found = {key: orjson.loads(body[span.start : span.end]) for key, _, span in text.members(0)}
    assert found == document
    assert not text.has_repeated_keys


@given(st.lists(json_values, max_size=5), st.booleans())
def test_each_element_of_an_array_is_found(array: list[object], indented: bool) -> None:
    body = (
        b'["\xc3\xa9 before",' + orjson.dumps(array, option=orjson.OPT_INDENT_2 if indented else None) + b"]"
    )
    text = JsonText(body)
    outer = list(text.elements(0))
    assert [orjson.loads(body[span.start : span.end]) for span in text.elements(outer[1].start)] == array


def test_spans_hold_no_white_space_and_keys_are_decoded() -> None:
    body = b' {\r\n\t"a" : 1 , "\\u0062\\"}" :\t"x]" }\n'
    text = JsonText(body)
    first, second = text.members(text.after_space(0))
    assert (first.key, first.is_escaped, body[slice(*first.value)]) == ("a", False, b"1")
    assert (second.key, second.is_escaped, body[slice(*second.value)]) == ('b"}', True, b'"x]"')


@pytest.mark.parametrize(
    ("body", "repeated"),
    [
        (b'{"a": {"x": 1, "y": 2}}', False),
        (b'{"a": {"x": 1, "x": 2}}', True),
        (b'{"a": [[{"k": {"x": 1, "\\u0078": 2}}]]}', True),
    ],
)
def test_keys_repeated_inside_values_are_noticed(body: bytes, repeated: bool) -> None:
    text = JsonText(body, watched={"a"})
    list(text.members(0))
    assert text.has_repeated_keys is repeated
    unwatched = JsonText(body, watched={"b"})
    list(unwatched.members(0))
    assert not unwatched.has_repeated_keys


def test_nesting_that_cannot_be_followed_is_refused() -> None:
    """No parser accepts this many levels before us, but a deeper stack makes the limit nearer."""
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        list(JsonText(b"[" * 100_000 + b"]" * 100_000).elements(0))
