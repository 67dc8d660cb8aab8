"""Runs of deltas are read at once exactly as they would be one by one, and nothing else is taken for one."""

import json
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeling.providers.anthropic import stream as stream_module
from channeling.providers.anthropic.plain_deltas import PLAIN_DELTAS, run_in, text_of_deltas, text_of_one
from channeling.providers.anthropic.stream import AnthropicStream
from channeling.sse import SseSplitter

START = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":1}}}\n\n'
STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
END = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def delta(text: str, kind: str = "text_delta", key: str = "text", padding: str = "") -> bytes:
    """A delta as Anthropic writes it."""
    quoted = json.dumps(text, ensure_ascii=False)
    data = f'{{"type":"content_block_delta","index":0,"delta":{{"type":"{kind}","{key}":{quoted}}}{padding}}}'
    return f"event: content_block_delta\ndata: {data}\n\n".encode()


PLAIN = (
    delta("Hello"),
    delta(""),
    delta('a "quoted" \\ line\n'),
    delta("é你😀"),
    delta("thought", "thinking_delta", "thinking"),
    delta('{"a":', "input_json_delta", "partial_json"),
    delta("padded", padding="     "),
    delta("spaced").replace(b":", b": ").replace(b"event:  ", b"event: ").replace(b"data:  ", b"data: "),
)
OTHER = (
    delta("sig", "signature_delta", "signature"),
    delta("other key", "text_delta", "thinking"),
    delta("x").replace(b'"x"', b'"\\u00e9"'),
    delta("x").replace(b'"x"', b'"\\ud83d"'),
    delta("x").replace(b'"x"', b"7"),
    delta("x").replace(b'"index":0', b'"index":00'),
    delta("x").replace(b"\n", b"\r\n"),
    delta("x").replace(b"event: content_block_delta\n", b""),
    delta("x").replace(b"data: {", b"data: {\ndata: "),
    delta("x").replace(b"event: ", b"id: 1\nevent: "),
    b"event: content_block_delta\n" + delta("x"),
    b": a comment\n\n",
    b"\n",
    b'event: ping\ndata: {"type": "ping"}\n\n',
    b'event: content_block_start\ndata: {"type":"content_block_start","index":1,'
    b'"content_block":{"type":"text","text":"begun"}}\n\n',
    b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
)
# Found out only when the text is decoded.
BROKEN = (
    delta("x").replace(b'"x"', b'"a\\qb"'),
    delta("x").replace(b'"x"', b'"\xff"'),
    delta("x").replace(b'"x"', b'"\t"'),
    # Each half of a character is an error.
    delta("x").replace(b'"x"', b'"\xc3"') + delta("x").replace(b'"x"', b'"\xa9"'),
)


@pytest.mark.parametrize("record", PLAIN)
def test_what_anthropic_writes_is_a_run(record: bytes) -> None:
    """Alone and twice."""
    assert PLAIN_DELTAS.fullmatch(record + record)
    text = text_of_deltas(record)
    assert text is not None
    assert text_of_deltas(record + record) == text + text


@pytest.mark.parametrize("record", OTHER)
def test_nothing_else_is(record: bytes) -> None:
    assert not PLAIN_DELTAS.fullmatch(record)


@pytest.mark.parametrize("record", BROKEN)
def test_a_run_with_a_broken_text_is_not_read_at_once(record: bytes) -> None:
    assert text_of_deltas(delta("before") + record + delta("after")) is None


@pytest.mark.parametrize("record", PLAIN)
@pytest.mark.parametrize("before", [b"", START])
@pytest.mark.parametrize("after", [b"", STOP + END, b"event: content_block_del", delta("cut")[:-1]])
def test_a_run_to_one_block_is_found_between_others(record: bytes, before: bytes, after: bytes) -> None:
    run = run_in(before + record * 3 + after)
    assert run is not None
    assert (run.start, run.end) == (len(before), len(before) + 3 * len(record))
    assert run.text == 3 * (text_of_deltas(record) or "")


@pytest.mark.parametrize("record", [*OTHER, *BROKEN])
def test_what_holds_anything_else_is_no_run(record: bytes) -> None:
    assert run_in(delta("a") + record + delta("b")) is None


@pytest.mark.parametrize(
    "chunk",
    [
        b"",
        START,
        delta("cut")[:-1],
        delta("one kind") + delta("another", "thinking_delta", "thinking"),
        delta("a") + delta("b").replace(b'"index":0', b'"index":1'),
        delta("x").replace(b'"x"', b'"a"}}\n\n"') + delta("b"),
        delta("x").replace(b'"x"', b'"a\\"'),
        delta("x").replace(b'"x"', b'"a" "b"'),
        delta("x")[:-5] + delta("y"),
        # As many ends as beginnings, and not one each.
        delta("a")[:-5] + delta("b") + delta("")[-5:],
        # A backslash takes the quote after it: no letter of the next event.
        delta("x").replace(b'"x"', b'"a\\"') + delta("n"),
    ],
)
def test_no_run(chunk: bytes) -> None:
    assert run_in(chunk) is None


def test_one_event_like_the_last_is_read_alone() -> None:
    before = delta("").removesuffix(b'"}}\n\n')
    for text in ("Hello", "", 'a "quoted" \\ line\n', "é你😀"):
        assert text_of_one(delta(text), before) == text
    assert text_of_one(delta("x").replace(b'"x"', b'"\\u00e9"'), before) == "é"


@pytest.mark.parametrize(
    "chunk",
    [
        b"",
        delta("")[:-1],
        # Its quote would be the one before the text and the one after it.
        delta("").replace(b'""', b'"'),
        delta("two") + delta("events"),
        delta("another", "thinking_delta", "thinking"),
        delta("padded", padding=" "),
        delta("x").replace(b'"x"', b'"a"b"'),
        delta("x").replace(b'"x"', b'"a\\"'),
        delta("x").replace(b'"x"', b'"\\ud83d"'),
        *BROKEN,
    ],
)
def test_anything_else_is_not(chunk: bytes) -> None:
    assert text_of_one(chunk, delta("").removesuffix(b'"}}\n\n')) is None


@given(st.lists(st.sampled_from((*PLAIN, *OTHER, *BROKEN, STOP)), max_size=20))
def test_a_chunk_an_event_is_read_as_all_at_once(records: list[bytes]) -> None:
    data = b"".join((START, *records, END))
    stream = AnthropicStream("req_1")
    out = b"".join(stream.feed(record) for record in (START, *records, END)) + stream.finish()
    singly, out_singly = fed_singly(data)
    assert out == out_singly
    assert (stream.emitted, stream.facts, stream.error) == (singly.emitted, singly.facts, singly.error)


def fed(stream: AnthropicStream, data: bytes, cuts: list[int]) -> bytes:
    out = b""
    for size in cuts:
        out, data = out + stream.feed(data[:size]), data[size:]
    return out + stream.feed(data) + stream.finish()


def fed_singly(data: bytes) -> tuple[AnthropicStream, bytes]:
    singly = AnthropicStream("req_1")
    singly._splitter = SseSplitter()
    with (
        mock.patch.object(stream_module, "text_of_deltas", return_value=None),
        mock.patch.object(stream_module, "run_in", return_value=None),
        mock.patch.object(stream_module, "text_of_one", return_value=None),
    ):
        return singly, singly.feed(data) + singly.finish()


@given(
    st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), max_size=12),
    st.sampled_from(PLAIN),
    st.sampled_from((*PLAIN, *OTHER, *BROKEN, STOP)),
    st.lists(st.integers(min_value=1, max_value=900), max_size=6),
)
def test_a_block_of_any_text_is_read_at_once_as_it_would_be_singly(
    texts: list[str], first: bytes, odd: bytes, cuts: list[int]
) -> None:
    """Escapes, quotes, braces and line ends in the texts, and one odd event before, among or after them."""
    deltas = [delta(text, padding=" " * (len(text) % 3)) for text in texts]
    data = b"".join((START, first, *deltas, odd, *deltas, STOP, END))
    at_once = AnthropicStream("req_1")
    out = fed(at_once, data, cuts)
    singly, out_singly = fed_singly(data)
    assert out == out_singly
    assert (at_once.emitted, at_once.facts, at_once.error) == (singly.emitted, singly.facts, singly.error)


@given(
    st.lists(st.sampled_from((*PLAIN * 3, *OTHER, *BROKEN, STOP)), max_size=30),
    st.lists(st.integers(min_value=1, max_value=400), max_size=30),
)
def test_reading_at_once_changes_nothing(records: list[bytes], cuts: list[int]) -> None:
    """Bytes passed on, counts, facts and ending are those of reading event by event, wherever chunks are cut."""
    data = b"".join((START, *records, END))
    at_once = AnthropicStream("req_1")
    out = fed(at_once, data, cuts)
    singly, out_singly = fed_singly(data)
    assert out == out_singly
    assert (at_once.emitted, at_once.facts, at_once.error) == (singly.emitted, singly.facts, singly.error)
