"""Chunks that no honest server sends: the client gets a stream of its API all the same, and never a false end."""

import json
import random
from typing import Any

import pytest

from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.chat_completions.stream import ChatStream
from channeling.providers.openrouter.answer_dialect import OPENROUTER_ANSWERS
from tests.channeling.providers.chat_completions.golden_answers import new_stream, transcripts
from tests.channeling.providers.golden_answers import events_of
from tests.channeling.providers.spoilt_json import broken
from tests.stand_ins.strict_reader import ReadStream, read_strictly

CASES = [case for case in transcripts() if case.name != "trap_061_framing"]
TERMS = AnswerTerms("or:x", upstream_model="x", shows_thinking=True, keeps_thinking=True)
DONE = b"data: [DONE]\n\n"
NO_COMPLETION = "the upstream provider sent something that is not a chat completion: "


def record(document: Any) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def chunk(delta: Any = None, finish_reason: Any = None, **top: Any) -> bytes:
    return record(
        {"id": "gen-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}], **top}
    )


def text(piece: Any) -> bytes:
    return chunk({"content": piece})


def calls(*pieces: Any) -> bytes:
    return chunk({"tool_calls": list(pieces)})


def call(index: Any, call_id: Any = None, name: Any = None, arguments: Any = None) -> dict[str, Any]:
    return {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}


def end(reason: Any = "stop") -> bytes:
    return chunk({}, reason) + DONE


def read(*pieces: bytes, terms: AnswerTerms = TERMS) -> ReadStream:
    stream = new_stream(terms)
    return read_strictly(b"".join([stream.feed(piece) for piece in pieces]) + stream.finish())


def content(*pieces: bytes, terms: AnswerTerms = TERMS) -> list[Any]:
    seen = read(*pieces, terms=terms)
    assert seen.error is None, seen.error
    blocks: list[Any] = seen.message["content"]
    return blocks


def error(*pieces: bytes) -> str:
    seen = read(*pieces)
    assert seen.error is not None
    message: str = seen.error["message"]
    return message


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: {broken\n\n",
        b"data: [1]\n\n",
        b"data: null\n\n",
        b'data: {"a": NaN}\n\n',
        b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b"data: <html>\n\n",
    ],
)
def test_garbage_ends_the_stream_after_what_came_before(garbage: bytes) -> None:
    seen = read(text("kept"), garbage, text("lost"), end())
    assert seen.text == "kept"
    assert seen.error is not None
    assert "not an event of its API" in seen.error["message"]


@pytest.mark.parametrize(
    "nothing",
    [
        b"",
        b"\n\n",
        b": OPENROUTER PROCESSING\n\n",
        b"data:\n\n",
        b"event: x\n\n",
        b"data: {}\n\n",
        b'data: {"choices": []}\n\n',
        b'data: {"choices": null, "usage": null, "error": null}\n\n',
        b'data: {"choices": [{}]}\n\n',
        b'data: {"choices": [{"delta": null, "finish_reason": ""}], "error": {}, "usage": []}\n\n',
        b'data: {"choices": [{"delta": {}}], "x_new": {"a": 1}}\n\n',
        b"<html></html>\n\n",
    ],
)
def test_what_says_nothing_is_no_answer(nothing: bytes) -> None:
    assert error(nothing) == "the upstream provider ended its answer before it was complete"
    assert content(text("a"), nothing, text("b"), end()) == [{"type": "text", "text": "ab"}]


def test_a_record_without_an_end_fails_the_stream() -> None:
    stream = ChatStream("req_test", TERMS, OPENROUTER_ANSWERS, max_record_bytes=1_000)
    out = stream.feed(text("x")) + stream.feed(b"data: " + b"y" * 1_001)
    seen = read_strictly(out)
    assert seen.error is not None
    assert "without an end" in seen.error["message"]


def test_a_huge_piece_goes_through() -> None:
    huge = "\u4f60\n" * 1_000_000
    assert content(text(huge), end()) == [{"type": "text", "text": huge}]


def test_characters_of_every_kind_go_through() -> None:
    odd = "\0\x7f\x85\u2028\u2029\ufeff\ufffd\U0001f600\r\n"
    assert content(text(odd), end()) == [{"type": "text", "text": odd}]


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    half = b'data: {"choices":[{"delta":{"content":"a\\ud83db \\ud83d\\ude00"}}]}\n\n'
    assert content(half, end()) == [{"type": "text", "text": "a\ufffdb \U0001f600"}]


@pytest.mark.parametrize(
    ("pieces", "inputs"),
    [
        # The index is not to be relied on, nor is the id.
        ((calls(call(0, "a", "read", "{}")), calls(call(0, "b", "read", "{}"))), [{}, {}]),
        ((calls(call(None, "a", "read", '{"n":')), calls(call(None, None, None, "1}"))), [{"n": 1}]),
        ((calls(call(0, "a", "read", '{"n":')), calls(call(0, "other", None, "1}"))), [{"n": 1}]),
        ((calls(call(0, "a", "read", '{"n":')), calls(call(0, "a", "read", "1}"))), [{"n": 1}]),
        ((calls(call(0, "a", "read", '{"n":1}')), calls(call(0, "a", "read", ""))), [{"n": 1}]),
        (
            (calls(call(0, "a", "read", '{"n":1}')), calls(call(0, "a", "read", '{"n":2}'))),
            [{"n": 1}, {"n": 2}],
        ),
        (
            (calls(call(0, "", "read", '{"n":1}')), calls(call(0, "", "read", '{"n":2}'))),
            [{"n": 1}, {"n": 2}],
        ),
        ((calls(call(0, None, "read", '{"n":1}')), calls(call(0, None, "list", "{}"))), [{"n": 1}, {}]),
        (
            (calls(call(7, "a", "read", '{"n":7}')), calls(call(3, "b", "read", '{"n":3}'))),
            [{"n": 7}, {"n": 3}],
        ),
        ((calls(call(-1, "a", "read", "{}")), calls(call("0", "b", "read", "{}"))), [{}, {}]),
        ((calls(call(0, "a", "read", '{"n":1}')), calls(call(0, None, None, " "))), [{"n": 1}]),
        # Pieces that are of no call, at any time.
        (
            (calls({}, call(0)), calls(call(0, "a", "read", "{}")), calls({"index": 0, "function": None})),
            [{}],
        ),
        # The name may come after the id, and both after the arguments.
        (
            (calls(call(0, "a")), calls(call(0, None, "read")), calls(call(0, None, None, '{"n":1}'))),
            [{"n": 1}],
        ),
        ((calls(call(0, None, None, '{"n"')), calls(call(0, None, "read", ":1}"))), [{"n": 1}]),
        ((calls(call(0, 7, "read", "{}")),), [{}]),
    ],
)
def test_calls_are_told_apart(pieces: tuple[bytes, ...], inputs: list[Any]) -> None:
    blocks = content(*pieces, end("tool_calls"))
    assert [block["input"] for block in blocks] == inputs
    assert len({block["id"] for block in blocks}) == len(blocks)
    assert all(block["name"] in ("read", "list") for block in blocks)


@pytest.mark.parametrize(
    ("pieces", "complaint"),
    [
        ((text(7), end()), NO_COMPLETION + "content that is no text"),
        ((text({"a": 1}), end()), NO_COMPLETION + "content that is no text"),
        ((text([{"type": "image_url"}]), end()), NO_COMPLETION + "a part of content"),
        ((text(["x"]), end()), NO_COMPLETION + "a part of content"),
        ((chunk({"refusal": 7}),), NO_COMPLETION + "refusal that is no text"),
        ((chunk({"reasoning": ["x"]}),), NO_COMPLETION + "reasoning that is no text"),
        ((chunk({"reasoning_details": {"a": 1}}),), NO_COMPLETION + "reasoning_details that are no objects"),
        ((chunk({"reasoning_details": ["x"]}),), NO_COMPLETION + "reasoning_details that are no objects"),
        ((chunk({"tool_calls": "x"}),), NO_COMPLETION + "tool_calls that are no objects"),
        ((chunk({"tool_calls": [7]}),), NO_COMPLETION + "tool_calls that are no objects"),
        ((chunk([1]),), NO_COMPLETION + "a delta that is no object"),
        ((record({"choices": 7}),), NO_COMPLETION + "choices that are none"),
        ((record({"choices": {"a": 1}}),), NO_COMPLETION + "choices that are none"),
        ((record({"choices": [7]}),), NO_COMPLETION + "a choice"),
        ((record({"choices": [{"index": 1, "delta": {"content": "x"}}]}),), NO_COMPLETION + "a choice"),
        ((chunk({"images": [{"image_url": {"url": "data:"}}]}),), "not asked for: images"),
        ((chunk({"audio": {"data": "x"}}),), "not asked for: audio"),
        ((calls(call(0, "a", "read", 7)),), "arguments of a tool call that are no text"),
        ((calls(call(0, "a", "read", ["x"])),), "arguments of a tool call that are no text"),
        ((calls(call(0, "a", "read", "[1]")), end("tool_calls")), "no JSON object"),
        ((calls(call(0, "a", "read", '{"a":')), end("tool_calls")), "no JSON object"),
        ((calls(call(0, "a", "read", '{"a":')), end("stop")), "no JSON object"),
        ((calls(call(0, "a", "read", '{"a":NaN}')), end("tool_calls")), "no JSON object"),
        ((calls(call(0, "a", "read", '{"a":"\\ud83d"}')), end("tool_calls")), "no JSON object"),
        ((calls(call(0, "a")), end("tool_calls")), "without a name"),
        ((calls(call(0, None, None, "{}")), end("tool_calls")), "without a name"),
        (
            (calls(call(0, "a", "read", "{}")), text("x"), calls(call(0, None, None, "{}"))),
            "more of a tool call that was whole",
        ),
        ((text("x"), end("solar_flare")), "incomplete: solar_flare"),
        ((text("x"), end(7)), "incomplete: 7"),
        ((text("x"), end({"a": 1})), "incomplete: {'a': 1}"),
        ((text("x"), DONE), "before it was complete"),
        ((record({"error": {"code": 502, "message": "Oh."}}),), "Oh."),
        ((record({"error": "Oh."}),), "Oh."),
        ((record({"object": "error", "message": "Oh.", "code": 500}),), "Oh."),
        ((b'event: error\ndata: {"message": "Oh."}\n\n',), "Oh."),
        ((record({"choices": [{"error": {"message": "Oh."}, "delta": {"content": "x"}}]}),), "Oh."),
    ],
)
def test_what_cannot_be_made_a_message_is_an_error(pieces: tuple[bytes, ...], complaint: str) -> None:
    assert complaint in error(*pieces)


@pytest.mark.parametrize("deep", [b"[" * 900 + b"]" * 900, b'{"a":' * 900 + b"1" + b"}" * 900])
def test_what_is_nested_too_deeply_is_an_error(deep: bytes) -> None:
    """It can be read, but not be written again."""
    detail = b'data: {"choices":[{"delta":{"reasoning_details":[{"type":"x","data":' + deep + b"}]}}]}\n\n"
    assert "nested too deeply" in error(detail, end())
    arguments = (
        b'data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"x","arguments":{"a":'
        + deep
        + b"}}}]}}]}\n\n"
    )
    assert "nested too deeply" in error(arguments, end())


def test_the_first_id_counts() -> None:
    first, second = record({"id": "gen-1", "choices": []}), record({"id": "gen-2", "choices": []})
    assert read(first, second, text("x"), end()).message["id"] == read(first, text("x"), end()).message["id"]


def test_a_call_of_which_the_limit_left_no_name_is_no_call() -> None:
    seen = read(text("x"), calls(call(0, "a", None, "{")), end("length"))
    assert seen.message["content"] == [{"type": "text", "text": "x"}]
    assert seen.message["stop_reason"] == "max_tokens"


def test_a_cut_writes_what_waits() -> None:
    """Words that might have begun a stop sequence, and calls behind another: they are written, and billed."""
    stream = new_stream(AnswerTerms("or:x", stop_sequences=("END",)))
    out = stream.feed(text("one EN") + calls(call(0, "a", "read", '{"a":'), call(1, "b", "read", "{}")))
    seen = read_strictly(out + stream.cut())
    assert seen.error is None
    assert seen.text == "one EN"
    assert [block.get("partial_input", block.get("input")) for block in seen.message["content"][1:]] == [
        '{"a":',
        {},
    ]


@pytest.mark.parametrize("pieces", [("\n", "\n", "x"), ("\n\n",), ("\n", "\n")])
def test_white_space_can_be_a_stop_sequence(pieces: tuple[str, ...]) -> None:
    terms = AnswerTerms("or:x", stop_sequences=("\n\n",))
    seen = read(*map(text, pieces), end(), terms=terms)
    assert (seen.message["stop_reason"], seen.message["stop_sequence"]) == ("stop_sequence", "\n\n")
    assert seen.message["content"] == []


def test_what_comes_after_an_early_finish_reason_is_ended_like_the_rest() -> None:
    terms = AnswerTerms("or:x", stop_sequences=("END",))
    seen = read(chunk({"content": "one"}, "stop"), text(" EN"), DONE, terms=terms)
    assert seen.text == "one EN"
    assert "no JSON object" in error(chunk({}, "tool_calls"), calls(call(0, "a", "read", '{"a":')), DONE)


def test_a_stop_sequence_after_a_broken_call_is_an_error() -> None:
    stream = new_stream(AnswerTerms("or:x", stop_sequences=("END",)))
    out = stream.feed(calls(call(0, "a", "read", '{"a":')) + text("END") + end())
    seen = read_strictly(out)
    assert seen.error is not None
    assert "no JSON object" in seen.error["message"]


def test_zeros_beside_an_answer_bill_an_estimate() -> None:
    stream = new_stream(TERMS)
    zeros = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    stream.feed(text("twelve bytes") + chunk({}, "stop", usage=zeros) + DONE)
    assert stream.ended
    assert not stream.facts.output_is_final


def test_usage_of_every_chunk_is_final_only_at_the_end() -> None:
    stream = new_stream(TERMS)
    stream.feed(chunk({"content": "x"}, usage={"prompt_tokens": 9, "completion_tokens": 1, "cost": 0.5}))
    assert stream.facts.usage is not None
    assert (stream.facts.output_is_final, stream.facts.reported_cost) == (False, None)
    stream.feed(chunk({}, "stop", usage={"prompt_tokens": 9, "completion_tokens": 2, "cost": 0.75}))
    assert (stream.facts.output_is_final, stream.facts.reported_cost) == (True, 750_000_000)


def test_moonshots_usage_in_its_choice_is_read() -> None:
    stream = new_stream(TERMS)
    choice = {
        "index": 0,
        "delta": {},
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 9, "completion_tokens": 2},
    }
    stream.feed(text("x") + record({"choices": [choice]}) + DONE)
    assert stream.facts.usage is not None
    assert (stream.facts.usage.output_tokens, stream.facts.output_is_final) == (2, True)


@pytest.mark.parametrize("batch", range(4))
def test_no_stream_breaks_the_translation(batch: int) -> None:
    """Chunks of real transcripts, mixed up, doubled, left out, and with junk in their fields."""
    for seed in range(batch * 250, batch * 250 + 250):
        translate_spoilt_stream(seed)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_no_stream_breaks_the_translation_in_many_rounds() -> None:
    for seed in range(1_000, 21_000):
        translate_spoilt_stream(seed)


def translate_spoilt_stream(seed: int) -> None:
    source = random.Random(seed)
    events: list[Any] = []
    for case in source.sample(CASES, 3):
        events += events_of(case.upstream)
    for _ in range(source.randrange(1, 30)):
        at = source.randrange(len(events))
        match source.randrange(4):
            case 0:
                events[at] = broken(events[at], source)
            case 1:
                events.insert(source.randrange(len(events)), events[at])
            case 2:
                del events[at]
            case _:
                other = source.randrange(len(events))
                events[at], events[other] = events[other], events[at]
        if not events:
            return
    terms = AnswerTerms(
        "or:x",
        upstream_model="x",
        shows_thinking=source.random() < 0.7,
        keeps_thinking=source.random() < 0.7,
        has_web_search=source.random() < 0.5,
        stop_sequences=tuple(source.sample(["e", "ll", "END", " "], source.randrange(3))),
    )
    stream, out = new_stream(terms, source.choice(["openrouter", "plain"])), b""
    for entry in events:
        out += stream.feed(b"data: " + json.dumps(entry).encode() + b"\n\n")
    out += stream.cut() if source.random() < 0.3 else stream.finish()
    read_strictly(out)
