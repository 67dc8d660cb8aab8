"""Where the parts of a JSON text lie, in bytes, so that single values can be replaced and all else left alone.

Everything here expects text that a JSON parser has accepted; on other text the answers mean nothing.
Strings are skipped with possessive patterns: one pass, whatever the text (a 5 MB image included).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SPACE = re.compile(rb"[ \t\n\r]*+")
_SCALAR = re.compile(rb"[^,\]} \t\n\r]++")
# Up to and including the next bracket that is not inside a string.
_NEXT_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:"(?:[^"\\]++|\\.)*+"[^"{}\[\]]*+)*+([{}\[\]])', re.DOTALL)
_OPENING = frozenset(b"{[")


class Span(NamedTuple):
    """A half-open range of bytes."""

    start: int
    end: int


class Member(NamedTuple):
    """One member of an object: its key as written (without quotes), and where its value lies."""

    key: bytes
    value: Span


def members(text: bytes, start: int = 0) -> Iterator[Member]:
    """Yield the members of the object that begins at `start` (white space before it is skipped)."""
    position = _after_space(text, _after_space(text, start) + 1)
    while text[position] != 0x7D:
        key_end = _end_of_string(text, position)
        value_start = _after_space(text, _after_space(text, key_end) + 1)
        value_end = end_of_value(text, value_start)
        yield Member(text[position + 1 : key_end - 1], Span(value_start, value_end))
        position = _after_comma(text, value_end)


def elements(text: bytes, start: int) -> Iterator[Span]:
    """Yield where each element of the array that begins at `start` lies."""
    position = _after_space(text, _after_space(text, start) + 1)
    while text[position] != 0x5D:
        end = end_of_value(text, position)
        yield Span(position, end)
        position = _after_comma(text, end)


def end_of_value(text: bytes, start: int) -> int:
    """Return where the value that begins at `start` ends."""
    first = text[start]
    if first == 0x22:
        return _end_of_string(text, start)
    if first not in _OPENING:
        return _matched_end(_SCALAR, text, start)
    position, depth = start + 1, 1
    while depth:
        position = _matched_end(_NEXT_BRACKET, text, position)
        depth += 1 if text[position - 1] in _OPENING else -1
    return position


def _end_of_string(text: bytes, start: int) -> int:
    return _matched_end(_STRING, text, start)


def _after_space(text: bytes, position: int) -> int:
    return _matched_end(_SPACE, text, position)


def _after_comma(text: bytes, position: int) -> int:
    position = _after_space(text, position)
    return _after_space(text, position + 1) if text[position] == 0x2C else position


def _matched_end(pattern: re.Pattern[bytes], text: bytes, position: int) -> int:
    match = pattern.match(text, position)
    if match is None:
        raise ValueError(f"no JSON value at byte {position}")
    return match.end()
