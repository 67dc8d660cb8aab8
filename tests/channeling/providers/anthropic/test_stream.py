"""The byte-faithful stream: the same bytes and the same facts however it is cut, and an honest ending always."""

import random
from typing import Any

import orjson
import pytest

from channeling.errors import Overloaded, UpstreamFailed
from channeling.providers.answer_stream import AnswerStream
from channeling.providers.anthropic.stream import AnthropicStream
from channeling.sse import PING, encode_event
from tests.channeling.providers.anthropic.golden import Transcript, readable, transcripts
from tests.stand_ins.strict_reader import ReadStream, StrictnessError, read_strictly

CASES = transcripts()
TEXT = next(case for case in CASES if case.name == "text")
TOOLS = next(case for case in CASES if case.name == "thinking_and_tools")
CASE_NAMES = [case.name for case in CASES]
every_case = pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)


def new_stream() -> AnthropicStream:
    return AnthropicStream("req_test")


def fed(*chunks: bytes) -> tuple[AnthropicStream, list[bytes]]:
    stream = new_stream()
    return stream, [stream.feed(chunk) for chunk in chunks]


def event(kind: str, **data: Any) -> bytes:
    return encode_event(kind, {"type": kind, **data})


def message_start(**usage: Any) -> bytes:
    counts = {"input_tokens": 10, "output_tokens": 1} | usage
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": []}
    return event("message_start", message=message | {"stop_reason": None, "usage": counts})


def block_start(index: int = 0) -> bytes:
    return event("content_block_start", index=index, content_block={"type": "text", "text": ""})


def text_delta(text: str, index: int = 0) -> bytes:
    return event("content_block_delta", index=index, delta={"type": "text_delta", "text": text})


def message_delta(stop_reason: str | None = "end_turn", **usage: Any) -> bytes:
    return event("message_delta", delta={"stop_reason": stop_reason, "stop_sequence": None}, usage=usage)


def read_error(ending: bytes) -> dict[str, Any]:
    assert ending.startswith(b"event: error\ndata: ")
    document = orjson.loads(ending.split(b"data: ")[1])
    assert document["request_id"] == "req_test"
    error: dict[str, Any] = document["error"]
    return error


@every_case
def test_bytes_pass_as_they_came_and_are_read_from_the_side(case: Transcript) -> None:
    stream, out = fed(case.stream)
    assert out == [case.stream]
    assert stream.ended
    assert stream.finish() == b""
    assert readable(stream.facts, stream.emitted, stream.error) == case.expected
    if "newer" not in case.name:
        read_strictly(case.stream)


@every_case
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_any_cut_gives_the_same(case: Transcript, line_end: bytes) -> None:
    whole = case.stream.replace(b"\n", line_end)
    for position in range(len(whole) + 1):
        stream, out = fed(whole[:position], whole[position:])
        assert b"".join([*out, stream.finish()]) == whole, position
    stream, out = fed(*(whole[position : position + 1] for position in range(len(whole))))
    assert b"".join([*out, stream.finish()]) == whole
    assert readable(stream.facts, stream.emitted, stream.error) == case.expected


@every_case
def test_random_cuts_with_pings_between_stay_strict(case: Transcript) -> None:
    source = random.Random(case.name)
    for _ in range(50):
        stream, out, position = new_stream(), b"", 0
        while position < len(case.stream):
            step = source.randrange(1, 200)
            out += stream.feed(case.stream[position : position + step])
            position += step
            if not stream.ended:
                out += PING
        assert out.replace(PING, b"") == case.stream.replace(PING, b"")
        assert readable(stream.facts, stream.emitted, stream.error) == case.expected
        if "newer" not in case.name:
            read_strictly(out)


def test_what_is_returned_has_been_metered() -> None:
    stream = new_stream()
    stream.feed(message_start() + block_start())
    assert (stream.started, stream.emitted.ascii_bytes) == (True, 0)
    record = text_delta("four\u4f60")
    assert stream.feed(record[:-1]) == b""
    assert stream.emitted.ascii_bytes == 0
    assert stream.feed(record[-1:]) == record
    assert (stream.emitted.ascii_bytes, stream.emitted.non_ascii_chars) == (4, 1)


@every_case
def test_a_cut_anywhere_ends_in_order(case: Transcript) -> None:
    for count in range(1, len(case.records) + 1):
        stream, out = fed(*case.records[:count])
        was_ended, stopped_by_itself = stream.ended, stream.facts.stop_reason is not None
        ending = stream.cut(output_tokens=7)
        assert stream.ended
        assert (ending == b"") is was_ended
        assert (
            stream.cut() == stream.finish() == stream.feed(case.stream) == stream.fail(Overloaded("x")) == b""
        )
        if was_ended or "newer" in case.name:
            continue
        read = read_strictly(b"".join(out) + ending)
        assert stream.error is None
        if not stopped_by_itself:
            assert read.message["stop_reason"] == stream.facts.stop_reason == "max_tokens"
            assert read.message["usage"]["output_tokens"] == 7
            assert not stream.facts.output_is_final


def test_a_cut_inside_an_event_drops_that_event_alone() -> None:
    stream, out = fed(message_start() + block_start() + text_delta("kept") + text_delta("lost")[:-1])
    read = read_strictly(out[0] + stream.cut())
    assert read.text == "kept"
    assert stream.emitted.ascii_bytes == 4


def test_a_cut_tells_the_usage_so_far() -> None:
    start = message_start(input_tokens=3, cache_read_input_tokens=5, cache_creation_input_tokens=0)
    stream, out = fed(start, block_start())
    assert read_strictly(out[0] + out[1] + stream.cut("end_turn")).message["usage"] == {
        "input_tokens": 3,
        "output_tokens": 1,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 0,
    }


@pytest.mark.parametrize("chunk", [b"", PING, b": hello\n\n", message_start()[:-1]])
def test_a_cut_before_the_message_is_an_error(chunk: bytes) -> None:
    stream, _ = fed(chunk)
    assert read_error(stream.cut())["type"] == "overloaded_error"
    assert stream.error is not None


@every_case
def test_an_upstream_that_ends_early_never_looks_complete(case: Transcript) -> None:
    records = case.records
    for position in range(len(case.stream)):
        stream, out = fed(case.stream[:position])
        ended_upstream = stream.ended
        ending = stream.finish()
        if ended_upstream:
            continue
        assert stream.ended
        if stream.facts.stop_reason is not None:
            assert ending == event("message_stop")
            assert out[0] == b"".join(records[: len(records) - 1])
        else:
            assert read_error(ending)["type"] == "api_error"
            assert stream.facts.output_is_final is False
        if "newer" not in case.name:
            read_strictly(out[0] + ending)


def test_failing_keeps_what_was_metered() -> None:
    stream, out = fed(message_start(), block_start(), text_delta("twelve bytes"))
    read = read_strictly(b"".join(out) + stream.fail(UpstreamFailed("it broke")))
    assert read.error == {"type": "api_error", "message": "it broke"}
    assert stream.facts.usage is not None
    assert stream.facts.usage.input_tokens == 10
    assert stream.emitted.ascii_bytes == 12


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: {broken\n\n",
        b"event: content_block_delta\ndata: [1]\n\n",
        b"event: content_block_delta\ndata: null\n\n",
        b'event: x\ndata: {"a": NaN}\n\n',
        b'event: x\ndata: {"text": "\xff"}\n\n',
        b"<html><body>502</body></html>\n\n",
        b"\x00\x01\x02\n\n",
    ],
)
def test_garbage_is_not_passed_on(garbage: bytes) -> None:
    good = message_start() + block_start() + text_delta("ok")
    stream, out = fed(good + garbage + text_delta("after"))
    assert out[0].startswith(good)
    assert read_error(out[0][len(good) :])["type"] == "api_error"
    read_strictly(out[0])
    assert stream.ended
    assert stream.facts.usage is not None


def test_an_event_without_an_end_fails_the_stream() -> None:
    stream = AnthropicStream("req_test", max_record_bytes=1_000)
    stream.feed(message_start())
    assert read_error(stream.feed(b"data: " + b"x" * 1_000))["type"] == "api_error"


def test_comments_pings_and_empty_records_pass() -> None:
    fillers = (
        b": keep-alive\n\n" + PING + b"id: 7\nretry: 10\n\n" + b"\n\n" + b"data:\n\n" + b"event: ping\n\n"
    )
    stream, out = fed(fillers + TEXT.stream)
    assert out == [fillers + TEXT.stream]
    assert stream.error is None


def test_the_end_mark_of_another_api_is_dropped() -> None:
    stream, out = fed(message_start() + b"data: [DONE]\n\n" + message_delta(output_tokens=1))
    assert b"[DONE]" not in out[0]
    assert stream.finish() == event("message_stop")


def test_nothing_follows_the_end() -> None:
    stream, out = fed(TEXT.stream + PING + b"data: [DONE]\n\n", text_delta("late"))
    assert out == [TEXT.stream, b""]
    assert stream.error is None


def test_nothing_follows_an_error() -> None:
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    stream, out = fed(message_start() + error + text_delta("late"), PING)
    assert out == [message_start() + error, b""]
    assert stream.finish() == b""


@pytest.mark.parametrize(
    ("deltas", "output_tokens", "is_final"),
    [
        ([], 1, False),
        ([message_delta(None, output_tokens=5)], 5, False),
        ([message_delta(None, output_tokens=5), message_delta(output_tokens=9)], 9, True),
        ([message_delta(output_tokens=0)], 0, True),
        ([message_delta(output_tokens=None)], 1, False),
        ([message_delta(output_tokens="9")], 1, False),
        ([message_delta(output_tokens=-9)], 1, False),
        ([message_delta(output_tokens=True)], 1, False),
        ([message_delta()], 1, False),
    ],
)
def test_the_first_output_count_is_a_placeholder(
    deltas: list[bytes], output_tokens: int, is_final: bool
) -> None:
    stream, _ = fed(message_start(), *deltas)
    assert stream.facts.usage is not None
    assert (stream.facts.usage.output_tokens, stream.facts.output_is_final) == (output_tokens, is_final)
    assert stream.facts.usage.input_tokens == 10


def test_searches_are_counted_as_they_are_seen() -> None:
    """They have a fee, also in an answer that is cut off before its last usage."""
    case = next(case for case in CASES if case.name == "web_search")
    stream, _ = fed(*case.records[:-2])
    assert stream.facts.web_searches == case.stream.count(b'"name":"web_search"') > 0
    assert not stream.facts.output_is_final


def test_a_block_that_starts_full_is_metered_and_a_signature_is_not() -> None:
    stream, _ = fed(
        message_start(),
        event("content_block_start", index=0, content_block={"type": "text", "text": "four"}),
        event("content_block_stop", index=0),
        event("content_block_start", index=1, content_block={"type": "tool_use", "input": {"a": 1}}),
        event("content_block_delta", index=1, delta={"type": "signature_delta", "signature": "x" * 500}),
    )
    assert stream.emitted.ascii_bytes == 4 + len('{"a":1}')


def test_hostile_shapes_do_not_break_the_reader() -> None:
    odd: list[Any] = [None, 7, "x", [], {}, {"type": 7}, {"type": "text_delta", "text": 7}]
    for value in odd:
        stream, out = fed(
            event("message_start", message=value),
            event("content_block_start", index=value, content_block=value),
            event("content_block_delta", index=value, delta=value),
            event("message_delta", delta=value, usage=value),
            event("error", error=value),
        )
        assert all(out), value
        assert stream.ended


def test_it_is_what_the_pipeline_expects() -> None:
    stream: AnswerStream = new_stream()
    assert not stream.started


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (TEXT.stream[:-1], "inside a record"),
        (b"".join(TEXT.records[:-1]), "no ending"),
        (TEXT.stream + PING, "after the ending"),
        (b"".join(TEXT.records[1:]), "before message_start"),
        (TEXT.stream.replace(b'"index":0', b'"index":1'), "index 1, not 0"),
        (b"".join(TEXT.records[:1] + TEXT.records), "second message_start"),
        (TEXT.stream.replace(b"event: message_stop\n", b""), "one event and one data"),
        (TEXT.stream.replace(b"text_delta", b"thinking_delta"), "thinking_delta in a text block"),
        (
            b"".join(record for record in TEXT.records if b"_stop\n" not in record),
            "message_delta inside a block",
        ),
        (b"".join(record for record in TOOLS.records if b"havn" not in record), "no JSON"),
    ],
)
def test_the_strict_reader_is_strict(broken: bytes, complaint: str) -> None:
    with pytest.raises(StrictnessError, match=complaint):
        read_strictly(broken)


def test_the_strict_reader_reads() -> None:
    read: ReadStream = read_strictly(TOOLS.stream)
    assert read.text == "I will look."
    assert read.message["content"][3]["input"] == {"city": "K\u00f8benhavn", "days": 3}
    assert read.message["usage"]["output_tokens"] == 120
