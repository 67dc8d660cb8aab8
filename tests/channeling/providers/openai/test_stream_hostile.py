"""Streams that no honest server sends: the client gets a stream of its API all the same, and never a false end."""

import json
import random
from typing import Any

import orjson
import pytest

from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.openai.answer_translator import HANDLERS
from channeling.providers.openai.stream import OpenAIStream
from channeling.sse import encode_event
from tests.channeling.providers.openai.golden_answers import events_of, transcripts
from tests.channeling.providers.spoilt_json import broken
from tests.stand_ins.strict_reader import ReadStream, read_strictly

CASES = [case for case in transcripts() if case.name not in ("trap_061_framing", "trap_128_end_mark")]
TERMS = AnswerTerms("gpt-5.2", shows_thinking=True, keeps_thinking=True)
NOT_AN_EVENT = "the upstream provider sent something that is not an event of its API"


def event(kind: str, **data: Any) -> bytes:
    return encode_event(kind, {"type": kind, **data})


def added(index: int = 0, kind: str = "message", **data: Any) -> bytes:
    return event(
        "response.output_item.added", output_index=index, item={"type": kind, "id": f"it_{index}", **data}
    )


def done(index: int = 0, kind: str = "message", **data: Any) -> bytes:
    return event(
        "response.output_item.done", output_index=index, item={"type": kind, "id": f"it_{index}", **data}
    )


def text(piece: Any, index: int = 0, **data: Any) -> bytes:
    return event("response.output_text.delta", output_index=index, content_index=0, delta=piece, **data)


def arguments(piece: str, index: int = 0) -> bytes:
    return event("response.function_call_arguments.delta", output_index=index, delta=piece)


def completed(**response: Any) -> bytes:
    return event("response.completed", response={"id": "resp_1", "status": "completed", **response})


def call(index: int = 0, **data: Any) -> bytes:
    return added(index, "function_call", call_id=f"call_{index}", name="list", **data)


def read(*pieces: bytes, terms: AnswerTerms = TERMS) -> ReadStream:
    stream = OpenAIStream("req_test", terms)
    return read_strictly(b"".join([stream.feed(piece) for piece in pieces]) + stream.finish())


def content(*pieces: bytes) -> list[Any]:
    seen = read(*pieces)
    assert seen.error is None, seen.error
    blocks: list[Any] = seen.message["content"]
    return blocks


def error(*pieces: bytes) -> str:
    seen = read(*pieces)
    assert seen.error is not None
    message: str = seen.error["message"]
    return message


GARBAGE = [
    b"data: {broken\n\n",
    b"data: [1]\n\n",
    b"data: null\n\n",
    b'data: {"a": NaN}\n\n',
    b'data: {"type": "response.output_text.delta", "output_index": 0, "delta": "\xff"}\n\n',
    b"data: " + b"[" * 100_000 + b"\n\n",
    b'data: {"type":"x","a":' + b'{"\\u0061":' * 5_000 + b"1" + b"}" * 5_000 + b"}\n\n",
    b"event: \xff\ndata: 7\n\n",
    b'data: {"no": "type"}\n\n',
    b'data: {"type": 7}\n\n',
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_ends_the_stream_after_what_came_before(garbage: bytes) -> None:
    seen = read(added(), text("kept"), garbage, text("lost"), completed())
    assert seen.text == "kept"
    assert seen.error is not None
    assert seen.error["message"].startswith(NOT_AN_EVENT)


@pytest.mark.parametrize(
    "nothing",
    [
        b"",
        b"\n\n",
        b": comment\n\n",
        b"data:\n\n",
        b"event: x\n\n",
        b"data: [DONE]\n\n",
        b"<html></html>\n\n",
    ],
)
def test_what_says_nothing_is_no_answer(nothing: bytes) -> None:
    assert error(nothing) == "the upstream provider ended its answer before it was complete"
    assert content(added(), nothing, text("x"), completed()) == [{"type": "text", "text": "x"}]


def test_the_event_line_names_what_the_data_does_not() -> None:
    nameless = (
        b"event: response.output_text.delta\ndata: "
        + orjson.dumps({"output_index": 0, "delta": "x"})
        + b"\n\n"
    )
    assert content(added(), nameless, completed()) == [{"type": "text", "text": "x"}]


def test_an_event_without_an_end_fails_the_stream() -> None:
    stream = OpenAIStream("req_test", TERMS, max_record_bytes=1_000)
    out = stream.feed(added() + text("x")) + stream.feed(b"data: " + b"y" * 1_001)
    seen = read_strictly(out)
    assert seen.error is not None
    assert "without an end" in seen.error["message"]


def test_a_huge_delta_goes_through() -> None:
    huge = "\u4f60\n" * 1_000_000
    assert content(added(), text(huge), completed()) == [{"type": "text", "text": huge}]


def test_characters_of_every_kind_go_through() -> None:
    odd = "\0\x7f\x85\u2028\u2029\ufeff\ufffd\U0001f600\r\n"
    assert content(added(), text(odd), completed()) == [{"type": "text", "text": odd}]


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    record = (
        b'data: {"type":"response.output_text.delta","output_index":0,"delta":"a\\ud83db \\ud83d\\ude00"}\n\n'
    )
    assert content(added(), record, completed()) == [{"type": "text", "text": "a\ufffdb \U0001f600"}]


@pytest.mark.parametrize(
    "pieces",
    [
        (text("one "), text("two"), completed()),
        (text("one "), added(), text("two"), completed()),
        (added(), text("one "), added(), text("two"), completed()),
        (added(), text("one two"), done(), text("lost"), completed()),
        (added(), event("response.output_text.delta", item_id="it_0", delta="one two"), completed()),
        (done(content=[{"type": "output_text", "text": "one two"}]), completed()),
        (added(), text("one "), done(content=[{"type": "output_text", "text": "one two"}]), completed()),
        (added(), text("one two"), done(content=[{"type": "output_text", "text": "another"}]), completed()),
        (added(), text("one two"), done(content=None), completed(output=None)),
        (added(), text("one two"), done(content=[None, 7]), completed(output=[None, 7, "x"])),
        (
            added(),
            text("one "),
            completed(
                output=[
                    {"type": "message", "id": "it_0", "content": [{"type": "output_text", "text": "one two"}]}
                ]
            ),
        ),
        (
            added(5),
            text("one two", 5),
            done(5),
            completed(
                output=[
                    {"type": "message", "id": "it_5", "content": [{"type": "output_text", "text": "one two"}]}
                ]
            ),
        ),
        (added(), event("response.output_text.done", output_index=0, text="one two"), done(), completed()),
        (
            added(),
            event(
                "response.content_part.done", output_index=0, part={"type": "output_text", "text": "one two"}
            ),
            done(),
            completed(),
        ),
    ],
)
def test_whatever_is_missing_or_said_twice_the_text_comes_once(pieces: tuple[bytes, ...]) -> None:
    assert content(*pieces) == [{"type": "text", "text": "one two"}]


def test_an_index_that_is_used_again_keeps_nothing_waiting() -> None:
    again = event("response.output_item.added", output_index=0, item={"type": "message", "id": "it_other"})
    stream = OpenAIStream("req_test", TERMS)
    stream.feed(added() + text("one") + again)
    assert b"two" in stream.feed(text("two"))


def test_an_item_that_ends_twice_is_written_once() -> None:
    whole: dict[str, Any] = {"content": [{"type": "output_text", "text": "one"}]}
    other = event(
        "response.output_item.done", output_index=0, item={"type": "message", "id": "it_other", **whole}
    )
    assert len(content(added(), done(**whole), done(**whole), completed())) == 1
    assert len(content(added(), done(**whole), other, completed())) == 2


def summary(piece: str, summary_index: int) -> bytes:
    kind = "response.reasoning_summary_text.delta"
    return event(kind, output_index=0, summary_index=summary_index, delta=piece)


def test_an_empty_part_of_a_summary_leaves_no_gap() -> None:
    pieces = (
        added(0, "reasoning"),
        summary("one", 0),
        summary("", 1),
        summary("two", 2),
        done(0, "reasoning"),
    )
    assert content(*pieces, completed()) == [{"type": "thinking", "thinking": "one\n\ntwo", "signature": ""}]


@pytest.mark.parametrize("last", [completed(), event("response.incomplete", response={})])
def test_reasoning_that_was_cut_off_is_not_signed(last: bytes) -> None:
    """OpenAI would not take it back."""
    item = {"status": "incomplete", "encrypted_content": "gAAA", "summary": []}
    seen = read(added(0, "reasoning"), summary("one", 0), done(0, "reasoning", **item), last)
    assert seen.message["content"] == [{"type": "thinking", "thinking": "one", "signature": ""}]


def test_a_cut_writes_what_waits() -> None:
    """Words that might have begun a stop sequence, and calls behind another: they are written, and billed."""
    stream = OpenAIStream("req_test", AnswerTerms("gpt-5.2", stop_sequences=("END",)))
    out = stream.feed(
        added() + text("one EN") + call(1) + arguments('{"a":', 1) + call(2) + arguments("{}", 2)
    )
    seen = read_strictly(out + stream.cut())
    assert seen.error is None
    assert seen.text == "one EN"
    assert [block.get("partial_input", block.get("input")) for block in seen.message["content"][1:]] == [
        '{"a":',
        {},
    ]


def test_a_call_of_which_the_limit_left_no_name_is_no_call() -> None:
    limit = {"incomplete_details": {"reason": "max_output_tokens"}}
    seen = read(added(), text("x"), arguments('{"a"', 1), event("response.incomplete", response=limit))
    assert seen.message["content"] == [{"type": "text", "text": "x"}]
    assert seen.message["stop_reason"] == "max_tokens"


def test_the_first_id_of_a_response_counts() -> None:
    first, second = (event("response.created", response={"id": name}) for name in ("resp_1", "resp_2"))
    assert read(first, second, added(), completed(id="resp_3")).message["id"] == "msg_1"


def test_an_index_that_is_used_again_is_another_item() -> None:
    again = event("response.output_item.added", output_index=0, item={"type": "message", "id": "it_other"})
    blocks = content(added(), text("one"), done(), again, text("two"), completed())
    assert [block["text"] for block in blocks] == ["one", "two"]
    blocks = content(added(), text("one"), again, text("two"), completed())
    assert [block["text"] for block in blocks] == ["one", "two"]


def test_an_item_that_never_ends_keeps_no_other_from_being_written() -> None:
    blocks = content(added(), text("one"), added(1), text("two", 1), done(1), completed())
    assert [block["text"] for block in blocks] == ["one", "two"]


def test_each_content_part_is_a_block() -> None:
    second = event("response.output_text.delta", output_index=0, content_index=1, delta="two")
    blocks = content(added(), text("one"), second, done(), completed())
    assert [block["text"] for block in blocks] == ["one", "two"]


def test_arguments_wait_for_the_name_of_their_tool() -> None:
    end = done(0, "function_call", call_id="call_0", name="list", arguments='{"a":1}')
    blocks = content(arguments('{"a"'), arguments(":1}"), end, completed())
    assert blocks == [{"type": "tool_use", "id": "call_0", "name": "list", "input": {"a": 1}}]


@pytest.mark.parametrize(
    ("whole", "complaint"),
    [
        ('{"a":1,"b":2}', None),
        ('{"b": 2, "a": 1}', None),  # the same, spelt differently
        ('{"a":1,"b":', None),  # cut off, while what was streamed is whole
        (None, None),
        ("", None),
        ('{"a":1,"b":3}', "twice, differently"),
        ("{}", "twice, differently"),
    ],
)
def test_arguments_that_are_said_twice_must_be_the_same(whole: str | None, complaint: str | None) -> None:
    """A piece was lost on the way: the call that the client has seen is not the one that the model made."""
    stated = event("response.function_call_arguments.done", output_index=0, arguments=whole)
    ended = done(0, "function_call", status="completed", arguments=whole)
    for end in (
        stated,
        ended,
        completed(output=[{"type": "function_call", "id": "it_0", "arguments": whole}]),
    ):
        pieces = (call(), arguments('{"a":1,'), arguments('"b":2}'), end, completed())
        if complaint is None:
            assert content(*pieces)[0]["input"] == {"a": 1, "b": 2}
        else:
            assert complaint in error(*pieces)


NAMELESS = {"call_id": "call_0", "name": ""}


@pytest.mark.parametrize(
    ("pieces", "complaint"),
    [
        ((arguments("{}"), completed()), "without a name"),
        ((added(0, "function_call", **NAMELESS), done(0, "function_call", **NAMELESS)), "without a name"),
        ((done(0, "function_call", name="list"), completed()), "without a name"),
        ((call(), arguments("[1]"), completed()), "no JSON object"),
        ((call(), arguments('{"a":'), completed()), "no JSON object"),
        ((call(), arguments('{"a":'), done(0, "function_call", status="completed")), "no JSON object"),
        (
            (call(), arguments('{"a":'), done(0, "function_call", status="incomplete"), completed()),
            "no JSON object",
        ),
        ((call(), arguments('{"a":NaN}'), completed()), "no JSON object"),
        # Official SDKs refuse half a surrogate pair in a tool's input.
        ((call(), arguments('{"a":"\\ud83d"}'), completed()), "no JSON object"),
        ((added(), text(7)), "no text"),
        ((added(), text({"a": 1})), "no text"),
        ((added(), arguments("{}")), "does not belong"),
        ((call(), text("x")), "does not belong"),
        ((added(), done(0, "reasoning")), "another kind"),
        ((event("response.output_text.delta", delta="x"),), "without an index"),
        ((event("response.output_text.delta", delta="x", output_index=-1),), "without an index"),
        (
            (event("response.output_text.delta", delta="x", output_index="0", item_id=["a"]),),
            "without an index",
        ),
        ((event("response.output_item.added", item={"type": "message"}),), "without an index"),
        ((event("response.output_item.added", output_index=0),), "without the item"),
        ((event("response.output_item.done", output_index=0, item=[]),), "without the item"),
        ((event("response.incomplete", response={}),), "left the answer incomplete: None"),
        ((event("response.incomplete", response={"incomplete_details": {"reason": 7}}),), "incomplete: 7"),
        ((event("response.failed", response={}),), "did not say why"),
        ((event("response.failed"),), "did not say why"),
        ((event("response.cancelled", response={"status": "cancelled"}),), "cancelled the answer"),
        ((completed(status="failed", error={"code": "server_error", "message": "Oh."}),), "Oh."),
        ((event("error"),), "did not say why"),
        ((event("error", message="Oh."),), "Oh."),
        ((event("error", error="Oh.", message="Ah."),), "Ah."),
        ((b'data: {"error": {"message": "Oh.", "code": 502}}\n\n',), "Oh."),
        ((added(0, "hologram"), completed()), "does not know: hologram"),
        ((added(0, "computer_call"), completed()), "not asked for: computer_call"),
    ],
)
def test_what_cannot_be_made_a_message_is_an_error(pieces: tuple[bytes, ...], complaint: str) -> None:
    assert complaint in error(*pieces)


def test_a_cut_that_finds_a_stop_sequence_after_a_broken_call_is_an_error() -> None:
    stream = OpenAIStream("req_test", AnswerTerms("gpt-5.2", stop_sequences=("END",)))
    out = stream.feed(added() + text("x"))
    out += stream.feed(call(1) + arguments('{"a":', 1) + done(1, "function_call", status="incomplete"))
    out += stream.feed(added(2) + text("END", 2))
    seen = read_strictly(out + stream.cut())
    assert seen.error is not None
    assert "no JSON object" in seen.error["message"]


def test_an_item_of_an_unknown_kind_is_passed_over_beside_others() -> None:
    assert content(added(0, "hologram"), done(0, "hologram"), added(1), text("x", 1), completed()) == [
        {"type": "text", "text": "x"}
    ]


def test_unknown_events_are_passed_over_and_metered() -> None:
    stream = OpenAIStream("req_test", TERMS)
    assert (
        stream.feed(event("response.smell.delta", delta="twelve bytes") + event("response.smell.done")) == b""
    )
    assert stream.emitted.ascii_bytes == 12


def test_a_completed_response_without_usage_is_told_an_estimate_and_bills_none() -> None:
    stream = OpenAIStream("req_test", AnswerTerms("gpt-5.2", input_tokens_estimate=9))
    seen = read_strictly(stream.feed(added() + text("twelve bytes") + completed()))
    assert seen.message["usage"]["input_tokens"] == 9
    assert seen.message["usage"]["output_tokens"] == 3
    assert stream.facts.usage is None
    assert not stream.facts.output_is_final


def test_a_failed_response_that_was_counted_is_billed() -> None:
    usage = {"input_tokens": 5, "output_tokens": 2}
    stream = OpenAIStream("req_test", TERMS)
    stream.feed(
        added() + text("x") + event("response.failed", response={"usage": usage, "error": {"message": "Oh."}})
    )
    assert stream.error is not None
    assert stream.facts.usage is not None
    assert (stream.facts.usage.output_tokens, stream.facts.output_is_final) == (2, True)


def test_a_citation_without_a_search_or_a_text_is_left_out() -> None:
    note = {
        "type": "url_citation",
        "url": "https://a.example",
        "title": "A",
        "start_index": 0,
        "end_index": 1,
    }
    cited = event("response.output_text.annotation.added", output_index=0, content_index=0, annotation=note)
    assert content(added(), text("x"), cited, done(), completed()) == [{"type": "text", "text": "x"}]
    search = done(1, "web_search_call", status="completed", action={"type": "search", "query": "q"})
    blocks = content(search, added(0), cited, done(0), completed())
    assert [block["type"] for block in blocks] == ["server_tool_use", "web_search_tool_result"]


def test_a_citation_of_an_empty_text_is_not_the_next_ones() -> None:
    note = {"type": "url_citation", "url": "https://a.example", "title": "A"}
    cited = event("response.output_text.annotation.added", output_index=1, content_index=0, annotation=note)
    search = done(0, "web_search_call", status="completed", action={"type": "search", "query": "q"})
    *_, block = content(search, added(1), cited, done(1), added(2), text("x", 2), done(2), completed())
    assert block == {"type": "text", "text": "x"}


def test_a_citation_that_comes_before_its_text_waits_for_it() -> None:
    note = {"type": "url_citation", "url": "https://a.example", "title": None}
    cited = event("response.output_text.annotation.added", output_index=1, content_index=0, annotation=note)
    search = done(0, "web_search_call", status="completed", action={"type": "search", "query": "q"})
    *_, block = content(search, added(1), cited, text("x", 1), done(1), completed())
    assert block["text"] == "x"
    assert [citation["url"] for citation in block["citations"]] == ["https://a.example"]


@pytest.mark.parametrize(
    ("action", "status", "expected"),
    [
        ({"type": "search", "query": "q"}, "completed", []),
        ({"type": "search", "queries": ["q"]}, "completed", []),
        ({"type": "search", "query": "q", "sources": [{"url": "u"}, {"url": 7}, None]}, "completed", ["u"]),
        ({"type": "search", "query": "q"}, "failed", None),
    ],
)
def test_searches(action: Any, status: str, expected: list[str] | None) -> None:
    seen = read(
        done(0, "web_search_call", status=status, action=action), completed(usage={"output_tokens": 1})
    )
    use, result = seen.message["content"]
    assert use["input"] == {"query": "q"}
    assert use["id"] == result["tool_use_id"]
    counted = seen.message["usage"].get("server_tool_use", {}).get("web_search_requests", 0)
    if expected is None:
        assert result["content"] == {"type": "web_search_tool_result_error", "error_code": "unavailable"}
        assert counted == 0
    else:
        assert [found["url"] for found in result["content"]] == expected
        assert counted == 1


@pytest.mark.parametrize("action", [{"type": "open_page", "url": "u"}, {"type": "find_in_page"}, {}, None, 7])
def test_pages_that_were_opened_are_left_out_and_free(action: Any) -> None:
    item = done(0, "web_search_call", status="completed", action=action)
    seen = read(item, added(1), text("x", 1), completed(usage={"output_tokens": 1}))
    assert [block["type"] for block in seen.message["content"]] == ["text"]
    assert "server_tool_use" not in seen.message["usage"]


@pytest.mark.parametrize("batch", range(10))
def test_no_stream_breaks_the_translation(batch: int) -> None:
    """Events of real transcripts, mixed up, doubled, left out, of the wrong kind and with junk in their fields."""
    for seed in range(batch * 300, batch * 300 + 300):
        translate_spoilt_stream(seed)


def translate_spoilt_stream(seed: int) -> None:
    source = random.Random(seed)
    events: list[Any] = []
    for case in source.sample(CASES, 3):
        events += events_of(case.upstream)
    for _ in range(source.randrange(1, 30)):
        at = source.randrange(len(events))
        match source.randrange(5):
            case 0:
                events[at] = broken(events[at], source)
            case 1:
                events.insert(source.randrange(len(events)), events[at])
            case 2:
                del events[at]
            case 3:
                other = source.randrange(len(events))
                events[at], events[other] = events[other], events[at]
            case _:
                if isinstance(events[at], dict):
                    events[at] = {**events[at], "type": source.choice(sorted(HANDLERS))}
        if not events:
            return
    terms = AnswerTerms(
        "gpt-5.2",
        shows_thinking=source.random() < 0.7,
        keeps_thinking=source.random() < 0.7,
        stop_sequences=tuple(source.sample(["e", "ll", "END", " "], source.randrange(3))),
    )
    stream, out = OpenAIStream("req_test", terms), b""
    for entry in events:
        out += stream.feed(b"data: " + json.dumps(entry).encode() + b"\n\n")
    out += stream.cut() if source.random() < 0.3 else stream.finish()
    read_strictly(out)
