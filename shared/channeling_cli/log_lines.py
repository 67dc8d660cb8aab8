"""Finding the product's own JSON log lines of one message in a log, or in what CloudWatch exports of one. Pure.

Lines are JSON objects, alone or after what a collector puts before them (a time, a stream's name), or wrapped in a
collector's own object under `message` (CloudWatch Logs API Reference, FilterLogEvents), `@message` (a query of Logs
Insights; GetQueryResults has it as `field` and `value`) or `log` (Docker's json-file). A whole JSON document of
such events is read too. Nothing else is looked into: a user chooses part of what other lines say.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

MAX_LINE_BYTES = 1_048_576  # the longest event that CloudWatch Logs keeps
MAX_DOCUMENT_BYTES = 64 * 1_048_576
_MAX_DEPTH = 8
_WRAPPERS = ("message", "@message", "log")
_CONTAINERS = ("events", "results")
# How `channeling serve` writes lines without fields: what follows is text, which may quote anything.
_TEXT_LINE = re.compile(r"\b(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) [\w.]+: ")
_MAX_PREFIX_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Found:
    """A log line with the message that was looked for, by the number of its line or event."""

    place: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that has the message in it, or may have, and cannot be read; `reason` says why."""

    place: int
    reason: str


class _NotReadable(ValueError):
    """Why a line cannot be read."""


def find_log_lines(stream: BinaryIO, message: str) -> Iterator[Found | Unreadable]:
    """Yield the lines of a log that carry this message, in order; lines that have no part of it are passed over."""
    number = 0
    first = stream.readline(MAX_DOCUMENT_BYTES)
    if first.lstrip()[:1] in (b"{", b"["):
        document = _document(first)
        if document is None:
            first += stream.read(MAX_DOCUMENT_BYTES)
            document = _document(first)
        if _holds_events(document):
            yield from _in_document(document, message)
            number, first = first.count(b"\n"), b""
        elif first.count(b"\n") > 1:
            first += stream.readline(MAX_LINE_BYTES)  # what was read may end within a line
    for part in (io.BytesIO(first), stream):
        for line in _lines(part):
            number += 1
            yield from _in_line(line, number, message)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines, of which one that is too long has a byte too many and no end."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        yield line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES + 1)
            if not line:
                return


def _in_line(line: bytes, number: int, message: str) -> Iterator[Found | Unreadable]:
    if len(line) > MAX_LINE_BYTES:
        yield Unreadable(number, f"it is longer than {MAX_LINE_BYTES} bytes")
    elif message.encode() in line:
        try:
            for fields in _in_text(line.decode(), message, depth=0):
                yield Found(number, fields)
        except UnicodeDecodeError:
            yield Unreadable(number, "it is no UTF-8")
        except _NotReadable as error:
            yield Unreadable(number, str(error))


def _in_document(document: Any, message: str) -> Iterator[Found | Unreadable]:
    events = document
    if isinstance(document, dict):
        events = next((document[name] for name in _CONTAINERS if name in document), [document])
    for number, event in enumerate(events if isinstance(events, list) else [events], start=1):
        try:
            for fields in _in_value(event, message, depth=0):
                yield Found(number, fields)
        except _NotReadable as error:
            yield Unreadable(number, str(error))


def _in_text(text: str, message: str, depth: int) -> Iterator[Mapping[str, Any]]:
    value = _document(text)
    if value is None:
        prefix, brace, rest = text.partition("{")
        if not brace:
            raise _NotReadable("it has the message, and no JSON with the request")
        if len(prefix) > _MAX_PREFIX_CHARACTERS or _TEXT_LINE.search(prefix):
            raise _NotReadable("it only quotes the message")
        value = _document(brace + rest)
    if value is None:
        raise _NotReadable("its JSON is not whole: was it cut off?")
    yield from _in_value(value, message, depth)


def _in_value(value: Any, message: str, depth: int) -> Iterator[Mapping[str, Any]]:
    if depth > _MAX_DEPTH:
        raise _NotReadable("it is nested too deeply")
    if isinstance(value, list):
        for element in value:
            yield from _in_value(element, message, depth + 1)
    elif isinstance(value, dict):
        if "logger" in value:
            # A line of the product: its other fields are text that users chose, and are not looked into.
            if value.get("message") == message:
                yield value
            return
        wrapped = [value[name] for name in _WRAPPERS if name in value]
        if value.get("field") == "@message":
            wrapped.append(value.get("value"))
        for inner in wrapped:
            if isinstance(inner, str):
                if message in inner:
                    yield from _in_text(inner, message, depth + 1)
            else:
                yield from _in_value(inner, message, depth + 1)
        for name in _CONTAINERS:
            yield from _in_value(value.get(name), message, depth + 1)


def _document(whole: bytes | str) -> Any:
    try:
        return json.loads(whole)
    except (ValueError, RecursionError):
        return None


def _holds_events(document: Any) -> bool:
    if isinstance(document, dict):
        return "logger" not in document and any(name in document for name in _CONTAINERS)
    return isinstance(document, list)
