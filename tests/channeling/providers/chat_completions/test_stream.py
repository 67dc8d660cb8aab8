"""Streams of chat completions as Anthropic's: the same however they are cut, and honest at the end."""

from typing import Any

import orjson
import pytest
from openrouter.components import ChatStreamChunk

from channeling.providers.answer_stream import AnswerStream
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.chat_completions.reasoning_signature import unseal
from tests.channeling.providers.chat_completions.golden_answers import new_stream, transcripts
from tests.channeling.providers.golden_answers import Transcript, events_of, fed, records_of
from tests.channeling.providers.stream_proofs import (
    assert_cuts_end_in_order,
    assert_failures_end_with_the_error,
    assert_golden,
    assert_never_falsely_complete,
    assert_official_sdk_agrees,
    assert_same_byte_by_byte,
    assert_same_however_it_is_cut,
    assert_same_with_other_line_ends,
)
from tests.stand_ins.strict_reader import read_strictly

CASES = transcripts()
BY_NAME = {case.name: case for case in CASES}
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
# Not of the package's types: that is what these cases are about.
UNTYPED = {"trap_061_framing", "trap_065_error_in_the_choice"}


@every_case
def test_golden(case: Transcript) -> None:
    assert_golden(case)


@every_case
def test_what_openrouter_sends_is_of_the_official_types(case: Transcript) -> None:
    if case.server == "openrouter" and case.name not in UNTYPED:
        for event in events_of(case.upstream):
            ChatStreamChunk.model_validate(event)


@every_case
def test_byte_by_byte_it_is_the_same(case: Transcript) -> None:
    assert_same_byte_by_byte(case)


@every_case
@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_other_line_ends_and_comments_are_the_same(case: Transcript, line_end: bytes) -> None:
    assert_same_with_other_line_ends(case, line_end)


@every_case
def test_random_cuts_with_pings_between_are_strict(case: Transcript) -> None:
    assert_same_however_it_is_cut(case, rounds=8)


@every_case
def test_official_sdk_reads_the_same_message(case: Transcript) -> None:
    assert_official_sdk_agrees(case)


@every_case
def test_a_cut_at_any_event_ends_in_order(case: Transcript) -> None:
    assert_cuts_end_in_order(case, lambda upstream: b'"id":"gen-' in upstream)


@every_case
def test_an_upstream_that_ends_early_never_looks_complete(case: Transcript) -> None:
    assert_never_falsely_complete(case)


@every_case
def test_failing_at_any_event_ends_with_the_error(case: Transcript) -> None:
    assert_failures_end_with_the_error(case)


def test_pieces_go_out_as_they_come() -> None:
    """Of the call that may be written: a client sees its input at once, whatever waits behind it."""
    case = BY_NAME["trap_002_interleaved_arguments"]
    stream, live = case.new_stream(), 0
    for record in records_of(case.upstream):
        out = stream.feed(record)
        if b'"index":0,"function":{"arguments"' in record:
            live += 1
            assert out.count(b"input_json_delta") == 1, record
    assert live == 2


def test_a_whole_call_lets_the_next_one_be_written() -> None:
    case = BY_NAME["trap_001_calls_back_to_back"]
    stream = case.new_stream()
    *_, begins, goes_on, _, _, _ = records_of(case.upstream)
    for record in records_of(case.upstream)[:-5]:
        stream.feed(record)
    assert b"content_block_start" in stream.feed(begins)
    assert b"input_json_delta" in stream.feed(goes_on)


def test_what_waits_is_metered_when_it_comes() -> None:
    case = BY_NAME["trap_002_interleaved_arguments"]
    stream, metered = case.new_stream(), 0
    for event in events_of(case.upstream):
        stream.feed(b"data: " + orjson.dumps(event) + b"\n\n")
        for choice in event["choices"]:
            for call in choice["delta"].get("tool_calls", ()):
                metered += len(call["function"].get("arguments", ""))
        assert stream.emitted.ascii_bytes == metered


def test_hidden_reasoning_is_metered_by_its_ciphertext() -> None:
    """It is billed, and where an answer is cut off nobody says how much it was."""
    case = BY_NAME["trap_014_summaries_are_joined"]
    stream = case.new_stream()
    fed(stream, records_of(case.upstream)[:3])
    assert stream.emitted.ascii_bytes == len("**Plan**") + (160 * 3 // 4 - 64 - len("**Plan**"))


def test_the_message_begins_with_its_first_words() -> None:
    """An error that comes before them can still be answered with its own status."""
    stream = BY_NAME["plain_text"].new_stream()
    comment, _, role, words, *_ = records_of(BY_NAME["plain_text"].upstream)
    assert stream.feed(comment + role) == b""
    assert not stream.started
    assert stream.feed(words).startswith(b"event: message_start\n")


def test_the_end_does_not_wait_for_an_end_mark() -> None:
    """The usage that follows the finish reason is the last that anybody says."""
    stream = BY_NAME["plain_text"].new_stream()
    *before, mark = records_of(BY_NAME["plain_text"].upstream)
    fed(stream, before)
    assert mark == b"data: [DONE]\n\n"
    assert stream.ended


def test_an_error_keeps_its_status_and_headers() -> None:
    stream = BY_NAME["trap_065_error_first"].new_stream()
    stream.feed(BY_NAME["trap_065_error_first"].upstream)
    assert stream.failure is not None
    assert (stream.failure.status, stream.failure.headers) == (429, {"retry-after": "17"})


def sealed(name: str) -> list[Any]:
    content = read_strictly(BY_NAME[name].client).message["content"]
    signed = [unseal(block["signature"]) for block in content if block["type"] == "thinking"]
    assert all(signed)
    return [detail for reasoning in signed if reasoning is not None for detail in reasoning.details]


def test_details_are_sealed_whole() -> None:
    assert sealed("trap_014_reasoning_is_sealed") == [
        {
            "type": "reasoning.text",
            "text": "Let me see.",
            "format": "anthropic-claude-v1",
            "index": 0,
            "signature": "EqQBCkYIBx+g==",
        }
    ]
    kinds = [(detail["type"], detail["id"]) for detail in sealed("trap_014_summaries_are_joined")]
    assert kinds == [("reasoning.summary", "rs_1"), ("reasoning.encrypted", "rs_1")]


@pytest.mark.parametrize(
    "name",
    ["trap_067_call_and_its_thought", "trap_067_thought_after_its_call", "trap_067_thinking_not_asked"],
)
def test_a_thought_has_the_id_of_its_call(name: str) -> None:
    """Gemini refuses a call without its thought, and OpenRouter pairs the two by this id."""
    content = read_strictly(BY_NAME[name].client).message["content"]
    (call_id,) = [block["id"] for block in content if block["type"] == "tool_use"]
    thought = next(detail for detail in sealed(name) if detail["type"] == "reasoning.encrypted")
    assert thought == {
        "type": "reasoning.encrypted",
        "data": "CuMBAdHtim9f8x==",
        "format": "google-gemini-v1",
        "id": call_id,
        "index": 0,
    }


def test_without_thinking_asked_there_is_none() -> None:
    """A client that did not ask for thinking does not expect its blocks: the first one it gets is the answer."""
    stream = new_stream(AnswerTerms("or:x"))
    read = read_strictly(stream.feed(BY_NAME["trap_014_reasoning_is_sealed"].upstream))
    assert [block["type"] for block in read.message["content"]] == ["text"]


def test_costs_are_read_from_openrouter_alone() -> None:
    """Another server's number of that name is in nobody knows what money."""
    upstream = BY_NAME["plain_text"].upstream
    for server, cost in (("openrouter", 123_000), ("plain", None)):
        stream = new_stream(AnswerTerms("or:x"), server)
        stream.feed(upstream)
        assert stream.facts.reported_cost == cost


def test_it_is_what_the_pipeline_expects() -> None:
    stream: AnswerStream = new_stream(AnswerTerms("or:x"))
    assert not stream.started
