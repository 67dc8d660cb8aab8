"""Spans found quickly are those that the scanner finds, and no text with a repeated key is taken for plain."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeling.json_spans import JsonText
from channeling.plain_json_spans import has_plain_objects, plain_spans
from tests.channeling.test_json_spans import json_values

# Few keys, so that they repeat; some hold what JSON is written with.
keys = st.sampled_from(["model", "a", 'b"', "c,\\", "\u00e9", "{", ""])
members = st.lists(st.tuples(keys, json_values), max_size=5)
STYLES = ((",", ":"), (", ", ": "), (" ,\n", "\t:\r "))


def written(found: list[tuple[str, object]], style: tuple[str, str], *, escaped: bool) -> bytes:
    comma, colon = style
    return (
        "{"
        + comma.join(
            f"{json.dumps(key, ensure_ascii=escaped)}{colon}{json.dumps(value)}" for key, value in found
        )
    ).encode() + b"}"


@given(members, st.sampled_from(STYLES), st.booleans())
def test_spans_are_the_scanners_or_none(
    found: list[tuple[str, object]], style: tuple[str, str], escaped: bool
) -> None:
    text = written(found, style, escaped=escaped)
    scanner = JsonText(text)
    scanned = [(key, span) for key, _, span in scanner.members(scanner.after_space(0))]
    spans = plain_spans(text)
    if spans is not None:
        assert list(spans.items()) == scanned
    else:
        escapes = any(orjson.dumps(key) != b'"%b"' % key.encode() for key, _ in found)
        assert len({key for key, _ in found}) < len(found) or escapes or escaped


@given(st.lists(members, max_size=4), st.sampled_from(STYLES), st.booleans())
def test_objects_are_plain_only_without_repeated_keys(
    objects: list[list[tuple[str, object]]], style: tuple[str, str], escaped: bool
) -> None:
    text = b"[" + b",".join(written(found, style, escaped=escaped) for found in objects) + b"]"
    repeats = any(len({key for key, _ in found}) < len(found) for found in objects)
    if has_plain_objects(text):
        assert not repeats
    if style == STYLES[0] and not repeats:
        plain_keys = all(b"\\" not in orjson.dumps(key) for found in objects for key, _ in found)
        assert has_plain_objects(text) or escaped or not plain_keys


@pytest.mark.parametrize(
    "text",
    [
        b'{"model":"cheap","model":"dear"}',
        b'{"model":1,"a":[1,2],"model":2}',
        # The value that counts is as long as what stands before it and after.
        b'{"a":"x","b":",\\"b\\":0","a":"x\\",\\"b\\":\\",0"}',
        b'{"mod\\u0065l":1}',
        b'{"a":1,}',
        b'{"a":1} x',
        b'{"a":1',
        b"[1]",
        b"",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_not_plain_is_left_to_the_scanner(text: bytes) -> None:
    assert plain_spans(text) is None


@pytest.mark.parametrize("array", [b'[{"type":1,"type":2}]', b"[1]", b"7", b'[{"a":1}', b'[ {"a":1}]'])
def test_arrays_that_are_not_plain(array: bytes) -> None:
    assert not has_plain_objects(array)


def test_a_text_of_spaces_as_long_as_a_repeated_key_is_not_taken_for_plain() -> None:
    """What is counted is the shortest text of the members: nothing can make up for a member more."""
    assert has_plain_objects(b'[{"a":1,"b":2}]')
    assert not has_plain_objects(b'[{"a":1,"a":1,"b":2}]')
    assert not has_plain_objects(b'[{"a":1,      "b":2}]')
