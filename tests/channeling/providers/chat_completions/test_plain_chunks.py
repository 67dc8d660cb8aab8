"""Chunks that differ in their piece alone are taken at once exactly as they would be one by one, no others are."""

from random import Random
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.chat_completions.answer_items import TextItem
from channeling.providers.chat_completions.plain_chunks import PieceFrame
from channeling.providers.chat_completions.stream import ChatStream
from channeling.providers.openrouter.answer_dialect import OPENROUTER_ANSWERS
from tests.channeling.providers.plain_runs import assert_same_as_singly, bodies, reframed, seldom, with_body

Json = dict[str, Any]

HEAD: Json = {"id": "gen-1", "provider": "X", "object": "chat.completion.chunk"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "cost": 0.001}


def called(index: int | None = 0, call_id: str | None = None, name: str | None = None) -> Json:
    """The piece "@" of a call's arguments."""
    call: Json = {"index": index, "id": call_id, "type": "function"}
    return {"tool_calls": [call | {"function": {"name": name, "arguments": "@"}}]}


def chunk(delta: Json, choice: Json | None = None, separators: Any = (",", ":"), **fields: Any) -> bytes:
    """One record, whose string "@" is a piece."""
    choices = [{"index": 0, "delta": delta, "finish_reason": None} | (choice or {})]
    tail = {"created": 7, "model": "m"}
    return b"data: %b\n\n" % with_body(HEAD | {"choices": choices} | tail | fields, b"@", separators)


TEXTS: tuple[Json, ...] = (
    {"role": "assistant", "content": "@"},
    {"content": "@"},
    {"content": "@", "reasoning": None, "refusal": None, "tool_calls": []},
)
DETAIL: Json = {"type": "reasoning.text", "text": "@", "format": "unknown", "index": 0}
REASONING: tuple[Json, ...] = (
    {"role": "assistant", "content": "", "reasoning": "@", "reasoning_details": [DETAIL]},
    {"content": "", "reasoning": "@", "reasoning_details": [DETAIL]},
    {"reasoning_details": [DETAIL]},
    {"reasoning": "@", "reasoning_details": [{"type": "reasoning.summary", "summary": "@", "id": "rs_1"}]},
    {"reasoning_content": "@"},
    {"reasoning": "@"},
    {"reasoning": "@", "reasoning_content": "@"},
    {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "@"}]}]},
)
ODD_REASONING: tuple[Json, ...] = (
    {"reasoning": "@", "reasoning_details": [DETAIL | {"text": "x"}]},
    {"reasoning": "x", "reasoning_details": [DETAIL]},
    {"reasoning_details": [DETAIL], "reasoning": "x"},
    {"reasoning": "@", "reasoning_details": [DETAIL | {"index": 1}]},
    {"reasoning": "@", "reasoning_details": [DETAIL | {"signature": "S+=="}]},
    {"reasoning": "@", "reasoning_details": [DETAIL | {"data": "gAAA" * 40}]},
    {"reasoning": "@", "reasoning_details": [DETAIL | {"summary": "@"}]},
    {"reasoning": "@", "reasoning_details": [DETAIL, DETAIL]},
    {"reasoning": "@", "reasoning_details": [{"type": "reasoning.encrypted", "data": "gAAA" * 40}]},
    {"reasoning_details": [{"type": "reasoning.text", "signature": "S+=="}]},
    {"reasoning": "@", "content": "said"},
)
ARGUMENTS: tuple[Json, ...] = (
    called(),
    called(1),
    called(None),
    called(0, "call_0"),
    called(0, "call_0", "read"),
    called(0, None, "read"),
)
BEGINNINGS: tuple[Json, ...] = (
    called(0, "call_0", "read"),
    called(1, "call_1", "write"),
    called(None, "call_2", "read"),
)
OTHERS: tuple[Json, ...] = (
    {"content": "@", "reasoning": "thought"},
    {"content": "@", "refusal": "no"},
    {"content": [{"type": "text", "text": "@"}]},
    {"content": [{"type": "text", "text": "x", "content": "@"}]},
    {"content": "x", "extra": {"content": "@"}},
    {"extra": {"content": "@"}, "content": "x"},
    {"content": "@", "annotations": [{"type": "url_citation", "url": "https://a.example/"}]},
    {"refusal": "@"},
    called() | {"content": "x"},
    called() | {"reasoning": "x"},
    called() | {"refusal": "x"},
    called() | {"extra": {"arguments": "y"}},
    {"tool_calls": [*called()["tool_calls"], *called(1)["tool_calls"]]},
    {"function_call": {"arguments": "@"}},
    {"function_call": {"name": "read", "arguments": "@"}},
    {"tool_calls": [{"index": 0, "function": {"arguments": {"arguments": "@"}}}]},
    {"tool_calls": [{"arguments": "x", "index": 0, "function": {"arguments": "@"}}]},
)
KINDS = (TEXTS, TEXTS, ARGUMENTS, ARGUMENTS, REASONING, REASONING, ODD_REASONING, OTHERS)
CHOICES: tuple[Json, ...] = (
    {"native_finish_reason": None, "logprobs": None},
    {"stop_reason": "END"},
    {"usage": USAGE},
    {"usage": USAGE},
    {"finish_reason": "stop"},
    {"finish_reason": "length"},
    {"message": {"content": "said"}},
)
FIELDS: tuple[Json, ...] = (
    {"usage": None},
    {"usage": USAGE},
    {"usage": USAGE},
    {"service_tier": "flex"},
    {"service_tier": None},
    {"model": "n"},
    {"model": "n"},
    {"id": "gen-2"},
    {"created": 8},
    {"choices": []},
    {"content": "x", "obfuscation": "y"},
)


def records_of(rng: Random) -> list[bytes]:
    """Return a stream as a server writes it, but for some of its records."""
    separators = rng.choice([(",", ":"), (", ", ": ")])
    line_end, line = rng.choice([b"\n", b"\n", b"\r\n"]), seldom(rng, b"", [b"event: message\n", b": c\n"])
    records: list[bytes] = []
    for _ in range(rng.randrange(2, 14)):
        kind = rng.random()
        if kind < 0.1:
            records.append(other_record(rng))
        elif kind < 0.25:
            records.append(chunk(rng.choice(BEGINNINGS)).replace(b"@", rng.choice([b"", b"", b"{", b"{}"])))
        else:
            delta = rng.choice(rng.choice(KINDS))
            plain = chunk(delta, None, separators)
            odd = chunk(delta, seldom(rng, {}, CHOICES, chance=0.5), separators, **rng.choice(FIELDS))
            usual = seldom(rng, plain, [odd], chance=0.1)
            records += [line + seldom(rng, usual, [plain, odd]).replace(b"@", body) for body in bodies(rng)]
    return [reframed(rng, record.replace(b"\n", line_end)) for record in records]


def other_record(rng: Random) -> bytes:
    """Return what may stand between runs."""
    if rng.random() < 0.1:
        return rng.choice([chunk({}, {"index": 1}), chunk({}, error={"message": "no"}), b"data: [DONE]\n\n"])
    return rng.choice(
        [
            chunk({}, {"finish_reason": "stop"}),
            chunk({}, {"finish_reason": "tool_calls"}),
            chunk({}, usage=USAGE),
            chunk({"content": ""}),
            chunk({"content": "\n"}),
            chunk({"reasoning": "Hm"}),
            b": OPENROUTER PROCESSING\n\n",
            b"data: {}\n\n",
        ]
    )


def terms_of(rng: Random) -> AnswerTerms:
    return AnswerTerms(
        "or:m",
        stop_sequences=rng.choice([(), (), ("END",), ("e", "words"), (" ",)]),
        shows_thinking=rng.random() < 0.5,
        keeps_thinking=rng.random() < 0.5,
        has_web_search=rng.random() < 0.5,
    )


def new_stream(terms: AnswerTerms) -> ChatStream:
    return ChatStream("req_1", terms, OPENROUTER_ANSWERS)


@settings(max_examples=1_500, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_taking_at_once_changes_nothing(seed: int) -> None:
    rng = Random(seed)
    terms = terms_of(rng)
    assert_same_as_singly(lambda: new_stream(terms), records_of(rng), rng)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"", chunk({"role": "assistant", "content": "Hi"})),
        (b"", chunk({"content": "Hi"}, {"native_finish_reason": None}, (", ", ": "), service_tier=None)),
        (b"", chunk({"content": "Hi"}).replace(b"\n", b"\r\n")),
        *[(b"", chunk(delta).replace(b"@", b"Hm")) for delta in REASONING],
        (chunk(called(0, "call_0", "read")).replace(b"@", b""), chunk(called()).replace(b"@", b"x")),
        (chunk(called(None, "call_0", "read")).replace(b"@", b""), chunk(called(None)).replace(b"@", b"x")),
    ],
)
def test_a_burst_is_not_parsed(first: bytes, again: bytes) -> None:
    """Only what comes before a frame is known."""
    stream = new_stream(AnswerTerms("or:m", shows_thinking=True))
    stream.feed(first)
    with mock.patch.object(stream._translator, "take", wraps=stream._translator.take) as taken:
        out = stream.feed(again * 200)
    assert out.count(b"event: content_block_delta\n") == 200
    assert taken.call_count == 1


def test_neither_is_reasoning_that_is_not_shown() -> None:
    stream = new_stream(AnswerTerms("or:m"))
    with mock.patch.object(stream._translator, "take", wraps=stream._translator.take) as taken:
        assert stream.feed(chunk(REASONING[0]).replace(b"@", b"Hm") * 200) == b""
    assert (taken.call_count, stream.emitted.ascii_bytes) == (1, 400)


def test_a_frame_that_is_no_piece_s_holds_nothing() -> None:
    """The first string under that name is another one."""
    frame = PieceFrame(
        chunk({"content": "x"}, {"logprobs": {"content": "y"}}), "content", mock.Mock(), TextItem.TEXT
    )
    assert len(frame.bodies([chunk({"content": "z"}, {"logprobs": {"content": "y"}})], 0)) == 1
    other = chunk({"extra": {"content": "@"}, "content": "x"})
    frame = PieceFrame(other, "content", mock.Mock(), TextItem.TEXT)
    assert frame.bodies([other.replace(b"@", b"z")], 0) == []


def test_what_overlaps_is_no_frame() -> None:
    """A record that is shorter than what stands around a piece."""
    record = chunk({"content": "@"})
    frame = PieceFrame(record, "content", mock.Mock(), TextItem.TEXT)
    before, _, after = record.partition(b"@")
    assert frame.bodies([before[:-1] + after], 0) == []
    assert frame.bodies([before + after], 0) == []
    assert frame.bodies([record, before + b"y" + after, before + b'"' + after], 0) == [b"@", b"y"]
