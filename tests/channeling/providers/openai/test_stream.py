"""OpenAI's streams as Anthropic's: the same however they are cut, taken by strict readers, honest at the end."""

from typing import Any

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from channeling.providers.answer_stream import AnswerStream
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.openai.stream import OpenAIStream
from tests.channeling.providers.openai.golden_answers import (
    Transcript,
    events_of,
    fed,
    records_of,
    transcripts,
)
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
# Not of the API's types: that is what these cases are about.
UNTYPED = {
    "trap_042_nested_error_event",
    "trap_044_unknown_reason",
    "trap_050_context_overflow",
    "trap_114_foreign_reasoning",
    "trap_131_null_arguments",
    "trap_061_framing",
    "trap_128_end_mark",
}


@every_case
def test_golden(case: Transcript) -> None:
    assert_golden(case)


@every_case
def test_the_transcript_is_of_the_official_types(case: Transcript) -> None:
    if case.name in UNTYPED:
        return
    adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    for event in events_of(case.upstream):
        adapter.validate_python(event)


@every_case
def test_byte_by_byte_it_is_the_same(case: Transcript) -> None:
    assert_same_byte_by_byte(case)


@every_case
@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_other_line_ends_and_comments_are_the_same(case: Transcript, line_end: bytes) -> None:
    assert_same_with_other_line_ends(case, line_end)


@every_case
def test_random_cuts_with_pings_between_are_strict(case: Transcript) -> None:
    assert_same_however_it_is_cut(case)


@every_case
def test_official_sdk_reads_the_same_message(case: Transcript) -> None:
    assert_official_sdk_agrees(case)


@every_case
def test_a_cut_at_any_event_ends_in_order(case: Transcript) -> None:
    assert_cuts_end_in_order(case, lambda upstream: b"response.created" in upstream)


@every_case
def test_an_upstream_that_ends_early_never_looks_complete(case: Transcript) -> None:
    assert_never_falsely_complete(case)


@every_case
def test_failing_at_any_event_ends_with_the_error(case: Transcript) -> None:
    assert_failures_end_with_the_error(case)


def test_pieces_go_out_as_they_come() -> None:
    """Of the item that may write: a client sees words and arguments at once, whatever waits behind them."""
    case = BY_NAME["trap_002_interleaved_arguments"]
    stream, live = case.new_stream(), 0
    for record in records_of(case.upstream):
        out = stream.feed(record)
        if b'"delta":"' in record and b'"output_index":0' in record:
            live += 1
            assert out.count(b"input_json_delta") == 1, record
    assert live == 3


def test_what_waits_is_metered_when_it_comes() -> None:
    case = BY_NAME["trap_002_interleaved_arguments"]
    stream, metered = case.new_stream(), 0
    for record, event in zip(records_of(case.upstream), events_of(case.upstream), strict=True):
        stream.feed(record)
        if event["type"].endswith(".delta"):
            metered += len(event["delta"])
        assert stream.emitted.ascii_bytes == metered


def test_searches_are_counted_as_they_are_seen() -> None:
    """They have a fee, also in an answer that is cut off before its last usage."""
    case = BY_NAME["trap_126_web_search"]
    stream = case.new_stream()
    fed(stream, records_of(case.upstream)[:-1])
    assert (stream.facts.usage, stream.facts.web_searches) == (None, 1)


def test_hidden_reasoning_is_metered_by_its_ciphertext() -> None:
    """It is billed, and where an answer is cut off nobody says how much it was."""
    case = BY_NAME["trap_021_thinking_not_shown"]
    ciphertext = events_of(case.upstream)[3]["item"]["encrypted_content"]
    stream = case.new_stream()
    fed(stream, records_of(case.upstream)[:4])
    assert stream.emitted.ascii_bytes == len(ciphertext) * 3 // 4 - 64 > 100


def test_the_message_begins_with_its_first_item() -> None:
    """An error that comes before that can still be answered with its own status."""
    case = BY_NAME["plain_text"]
    stream = case.new_stream()
    created, in_progress, added, *_ = records_of(case.upstream)
    assert stream.feed(created + in_progress) == b""
    assert not stream.started
    assert stream.feed(added).startswith(b"event: message_start\n")
    assert stream.started


def test_an_error_keeps_its_status_and_headers() -> None:
    stream = BY_NAME["trap_042_error_event"].new_stream()
    stream.feed(BY_NAME["trap_042_error_event"].upstream)
    assert stream.failure is not None
    assert (stream.failure.status, stream.failure.headers) == (429, {"retry-after": "2"})


def test_without_thinking_asked_there_is_none() -> None:
    """A client that did not ask for thinking does not expect its blocks: the first one it gets is the answer."""
    terms = AnswerTerms("gpt-5.2")
    stream = OpenAIStream("req_test", terms)
    read = read_strictly(stream.feed(BY_NAME["trap_014_reasoning_is_sealed"].upstream))
    assert [block["type"] for block in read.message["content"]] == ["text"]


def test_it_is_what_the_pipeline_expects() -> None:
    stream: AnswerStream = OpenAIStream("req_test", AnswerTerms("gpt-5.2"))
    assert not stream.started
