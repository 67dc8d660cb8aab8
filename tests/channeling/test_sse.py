"""The splitter cuts the same records whatever the chunks, and parsing and encoding follow the WHATWG rules."""

import random
import re

import pytest

from channeling.sse import PING, RecordTooLong, SseEvent, SseSplitter, encode_event, parse_record

RECORDS_BY_LINE_END = [
    (b"\n", [b"event: a\ndata: 1\n\n", b": comment\n\n", b"data: 2\n\n"]),
    (b"\r\n", [b"event: a\r\ndata: 1\r\n\r\n", b": comment\r\n\r\n", b"data: 2\r\n\r\n"]),
    (b"\r", [b"event: a\rdata: 1\r\r", b": comment\r\r", b"data: 2\r\r"]),
    (
        b"mixed",
        [b"event: a\r\ndata: 1\n\r\n", b"data: 2\n\n", b"data: 3\r\n\n", b"data: 4\r\r\n", b"data: 5\n\n"],
    ),
    (b"blank", [b"data: 1\n\n", b"\ndata: 2\n\n", b"\n\n", b"data: 3\n\n"]),
]


def split(chunks: list[bytes]) -> list[bytes]:
    splitter = SseSplitter()
    return [record for chunk in chunks for record in splitter.feed(chunk)] + splitter.end()


@pytest.mark.parametrize("records", [records for _, records in RECORDS_BY_LINE_END])
def test_records_are_the_same_wherever_the_stream_is_cut(records: list[bytes]) -> None:
    stream = b"".join(records)
    assert split([stream]) == records
    assert split([stream[position : position + 1] for position in range(len(stream))]) == records
    for position in range(len(stream) + 1):
        assert split([stream[:position], stream[position:]]) == records, position


def test_a_crlf_is_never_taken_for_a_blank_line() -> None:
    splitter = SseSplitter()
    assert splitter.feed(b"event: a\r\n") == []
    assert splitter.feed(b"data: 1\r") == []
    assert splitter.feed(b"\n") == []
    assert splitter.feed(b"\r") == []
    assert splitter.feed(b"\n") == [b"event: a\r\ndata: 1\r\n\r\n"]


def test_a_record_comes_out_with_the_chunk_that_ends_it() -> None:
    splitter = SseSplitter()
    assert splitter.feed(b"data: 1\n") == []
    assert splitter.feed(b"\ndata: 2") == [b"data: 1\n\n"]
    assert splitter.pending == b"data: 2"


def test_what_was_cut_off_stays_pending_at_the_end() -> None:
    splitter = SseSplitter()
    assert splitter.feed(b"data: 1\r\r") == []
    assert splitter.end() == [b"data: 1\r\r"]
    assert splitter.feed(b"data: 2\n") == []
    assert splitter.end() == []
    assert splitter.pending == b"data: 2\n"


@pytest.mark.parametrize("cut", range(6))
def test_a_byte_order_mark_is_dropped_at_the_start_alone(cut: int) -> None:
    stream = b"\xef\xbb\xbfdata: 1\n\n"
    assert split([stream[:cut], stream[cut:]]) == [b"data: 1\n\n"]
    assert split([b"data: 1\n\n" + stream]) == [b"data: 1\n\n", stream]
    assert split([b"\xef\xbb"]) == []


def test_a_record_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    splitter = SseSplitter(max_record_bytes=100)
    assert splitter.feed(b"data: 1\n\n" * 50) == [b"data: 1\n\n"] * 50
    splitter.feed(b"x" * 100)
    with pytest.raises(RecordTooLong, match="100 bytes"):
        splitter.feed(b"x")


def test_a_long_record_in_small_chunks_is_searched_once() -> None:
    """Each byte is looked at a bounded number of times: 4 MB in 1 kB chunks would take minutes otherwise."""
    splitter = SseSplitter()
    for _ in range(4_000):
        assert splitter.feed(b"y" * 1_000) == []
    assert [len(record) for record in splitter.feed(b"\n\n")] == [4_000_002]


def test_random_cuts_of_a_random_stream() -> None:
    source = random.Random(7)
    for _ in range(300):
        stream = bytes(source.choice(b"\r\n\r\nxy: ") for _ in range(source.randrange(60)))
        cuts = sorted(source.randrange(len(stream) + 1) for _ in range(source.randrange(6)))
        chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert split(chunks) == split([stream]), (stream, cuts)
        splitter = SseSplitter()
        assert b"".join([*splitter.feed(stream), *splitter.end(), splitter.pending]) == stream


def test_what_has_line_feeds_alone_is_cut_and_read_as_anything_else_is() -> None:
    source, never = random.Random(8), re.compile(rb"(?!)")
    pieces = [b"\n", b"\n\n", b"data: ", b"event: ", b"x", b"data:", b"\r"]
    for _ in range(2_000):
        stream = b"".join(source.choice(pieces[: source.choice([6, 7])]) for _ in range(source.randrange(20)))
        cut = source.randrange(len(stream) + 1)
        plain, any_ends = SseSplitter(), SseSplitter(run=never)
        for chunk in (stream[:cut], stream[cut:]):
            assert plain.feed(chunk) == any_ends.feed(chunk), (stream, cut)
        assert plain.end() == any_ends.end(), (stream, cut)
        assert plain.pending == any_ends.pending, (stream, cut)
        for record in split([stream]):
            # With a comment before it a record is read line by line.
            assert parse_record(record) == parse_record(b":\n" + record), record


@pytest.mark.parametrize(
    ("record", "event"),
    [
        (b"event: ping\ndata: {}\n\n", SseEvent("ping", b"{}")),
        (b"event:ping\r\ndata:{}\r\n\r\n", SseEvent("ping", b"{}")),
        (b"data: one\ndata: two\n\n", SseEvent(None, b"one\ntwo")),
        (b"data\n\n", SseEvent(None, b"")),
        (b"data:  two spaces\n\n", SseEvent(None, b" two spaces")),
        (b": data: no\nid: 7\nretry: 3\nfoo: bar\n\n", SseEvent(None, None)),
        (b"event: a\nevent: b\n\n", SseEvent("b", None)),
        (
            "data: line\u2028separator\x0b\x85\n\n".encode(),
            SseEvent(None, "line\u2028separator\x0b\x85".encode()),
        ),
        (b"event: \xff\ndata: \xff\n\n", SseEvent("\ufffd", b"\xff")),
        (b"\n\n", SseEvent(None, None)),
    ],
)
def test_parsing(record: bytes, event: SseEvent) -> None:
    assert parse_record(record) == event


def test_encoding_is_read_back_as_it_was() -> None:
    record = encode_event("error", {"type": "error", "text": "a\nb \u4f60"})
    assert record == 'event: error\ndata: {"type":"error","text":"a\\nb \u4f60"}\n\n'.encode()
    assert split([record]) == [record]


def test_the_ping_is_one_whole_record() -> None:
    assert split([PING]) == [PING]
    assert parse_record(PING) == SseEvent("ping", b'{"type": "ping"}')
