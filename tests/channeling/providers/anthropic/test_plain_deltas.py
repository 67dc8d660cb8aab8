"""Runs of deltas are read at once exactly as they would be one by one, and nothing else is taken for one."""

import json
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeling.providers.anthropic import stream as stream_module
from channeling.providers.anthropic.plain_deltas import PLAIN_DELTAS, text_of_deltas
from channeling.providers.anthropic.stream import AnthropicStream
from channeling.sse import SseSplitter

START = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":1}}}\n\n'
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


@given(
    st.lists(st.sampled_from((*PLAIN * 3, *OTHER, *BROKEN)), max_size=30),
    st.lists(st.integers(min_value=1, max_value=400), max_size=30),
)
def test_reading_at_once_changes_nothing(records: list[bytes], cuts: list[int]) -> None:
    """Bytes passed on, counts, facts and ending are those of reading event by event, wherever chunks are cut."""
    data = b"".join((START, *records, END))
    at_once = AnthropicStream("req_1")
    out, left = b"", data
    for size in cuts:
        out, left = out + at_once.feed(left[:size]), left[size:]
    out += at_once.feed(left) + at_once.finish()
    singly = AnthropicStream("req_1")
    singly._splitter = SseSplitter()
    with mock.patch.object(stream_module, "text_of_deltas", return_value=None):
        assert out == singly.feed(data) + singly.finish()
    assert (at_once.emitted, at_once.facts, at_once.error) == (singly.emitted, singly.facts, singly.error)
