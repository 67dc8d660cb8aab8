"""Runs of plain events, plain but for some, held against the same events taken one by one."""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any
from unittest import mock

from channeling.providers.translated_stream import TranslatedStream

# Bodies of JSON strings: texts that every way of reading takes, escapes in several spellings, and what is no text.
_BODIES = (
    b"Hello",
    b" words",
    b" ",
    b"a",
    b"\x7f",
    "é你😀".encode(),
    rb"\n",
    rb"a \"quoted\" \\ line\n\t\r\b\f",
    rb"\/",
    rb"\u00e9\u0041\u0000",
    rb"\",\"",
    rb"],[",
    rb"END",
)
_ODD_BODIES = (b"", rb"\ud83d\ude00", rb"\ud83d", rb"\ude00\ud83d", b"  ")
_SPOILT_BODIES = (
    rb"\q",
    rb"\u12",
    b"\t",
    b"\xff",
    b"\xc3",
    b"\xa9",
    b"\xed\xa0\x80",
    b'"',
    b'","',
    b'x","b',
    b"\\",
    b"\x00",
)
# The same event in another frame, and frames that change what it says or end the stream.
_REFRAMED: tuple[Callable[[bytes], bytes], ...] = (
    lambda record: record.replace(b"\n", b"\r\n"),
    lambda record: record.replace(b"\n", b"\r"),
    lambda record: b": comment\n" + record,
    lambda record: b"id: 1\n" + record,
    lambda record: record[:-2] + b"\nretry: 1\n\n",
    lambda record: record + b"\n",
    lambda record: b"\n" + record,
    lambda record: record.replace(b"data: ", b"data:"),
    lambda record: record.replace(b"data: {", b"data: {\ndata: "),
    lambda record: record.replace(b"data: {", b"data:  {"),
    lambda record: record[:-3] + b" }\n\n",
    lambda record: b": OPENROUTER PROCESSING\n\n" + record,
    lambda record: b"event: message\n" + record,
)
_SPOILT: tuple[Callable[[bytes], bytes], ...] = (
    lambda record: record[:-3] + b"}}\n\n",
    lambda record: record[:-3] + b"\n\n",
    lambda record: b"event: error\n" + record,
    lambda record: record.replace(b":0", b":00", 1),
    lambda record: record.replace(b":0", b":0.0", 1),
    lambda record: record.replace(b":0", b":-1", 1),
    lambda record: record.replace(b":0", b":null", 1),
    lambda record: record.replace(b":0", b':"0"', 1),
)


def bodies(rng: Random) -> list[bytes]:
    """Return the bodies of some pieces: texts, or those of one JSON object."""
    if rng.random() < 0.3:
        whole = json.dumps({"path": ["a", {"b": "é" * rng.randrange(9)}], "limit": rng.randrange(99)})
        cuts = sorted(rng.randrange(1, len(whole)) for _ in range(rng.randrange(4)))
        pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
        return [json.dumps(piece)[1:-1].encode() for piece in pieces if piece]
    return [_body(rng) for _ in range(rng.randrange(1, 8))]


def _body(rng: Random) -> bytes:
    chance = rng.random()
    if chance < 0.006:
        return rng.choice(_SPOILT_BODIES)
    return rng.choice(_ODD_BODIES if chance < 0.06 else _BODIES)


def reframed(rng: Random, record: bytes) -> bytes:
    """Return a record as it is, but for few."""
    chance = rng.random()
    if chance < 0.004:
        return rng.choice(_SPOILT)(record)
    return rng.choice(_REFRAMED)(record) if chance < 0.03 else record


def seldom(rng: Random, usual: Any, others: Sequence[Any], *, chance: float = 0.08) -> Any:
    """Return the usual, or one of the others."""
    return rng.choice(others) if rng.random() < chance else usual


def with_body(event: Any, body: bytes, separators: tuple[str, str] = (",", ":")) -> bytes:
    """Return the JSON of an event whose string "@" has this body."""
    return json.dumps(event, separators=separators, ensure_ascii=False).encode().replace(b"@", body)


def assert_same_as_singly(
    new_stream: Callable[[], TranslatedStream], records: list[bytes], rng: Random
) -> None:
    """After every chunk the client has the same bytes, and what is metered and billed is the same."""
    at_once, singly, data = new_stream(), new_stream(), b"".join(records)
    longest = rng.choice([30, 300, 3_000, len(data) + 1])
    with mock.patch.object(singly._translator, "take_plain", return_value=0):
        while data:
            size = rng.randrange(1, longest + 1)
            chunk, data = data[:size], data[size:]
            assert at_once.feed(chunk) == singly.feed(chunk)
            _assert_same_facts(at_once, singly)
        assert at_once.finish() == singly.finish()
        _assert_same_facts(at_once, singly)


def _assert_same_facts(at_once: TranslatedStream, singly: TranslatedStream) -> None:
    assert (at_once.emitted, at_once.facts) == (singly.emitted, singly.facts)
    assert (at_once.started, at_once.ended, at_once.error) == (singly.started, singly.ended, singly.error)
