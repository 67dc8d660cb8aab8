"""A response that comes whole is the message that its stream would have been, and anything else is an error."""

import json
import random
from typing import Any

import orjson
import pytest
from anthropic.types import Message

from channeling.errors import GatewayError, InvalidRequest, Overloaded, UpstreamFailed
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.error_answer import ACCOUNT_REFUSED
from channeling.providers.openai.response import whole_answer
from channeling.providers.provider_adapter import WholeAnswer
from tests.channeling.providers.openai.golden_answers import Transcript, events_of, transcripts
from tests.channeling.providers.spoilt_json import broken
from tests.stand_ins.strict_reader import read_strictly

# Cases that end with a whole response; the others are about streams that have none, or another.
NOT_ALL_OF_IT = {
    "trap_010_arguments_cut_short",
    "trap_038_events_after_the_end",
    "trap_061_framing",
    "trap_128_end_mark",
}
CASES = [
    case
    for case in transcripts()
    if case.name not in NOT_ALL_OF_IT
    and events_of(case.upstream)
    and "response" in events_of(case.upstream)[-1]
]
TERMS = AnswerTerms("gpt-5.2")


def message_or_failure(body: bytes) -> WholeAnswer:
    answer = whole_answer(body, "req_test", TERMS)
    if answer.failure is not None:
        assert answer.body == b""
        raise answer.failure
    return answer


def whole_body(case: Transcript) -> bytes:
    return orjson.dumps(events_of(case.upstream)[-1]["response"])


def reports_usage(case: Transcript) -> bool:
    """Whether the provider says what it bills: for an answer that failed, too."""
    return orjson.loads(whole_body(case))["usage"] is not None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_the_message_of_its_stream(case: Transcript) -> None:
    streamed = read_strictly(case.client)
    if streamed.error is not None:
        failed = whole_answer(whole_body(case), "req_test", case.terms)
        assert failed.failure is not None
        assert failed.failure.message == streamed.error["message"]
        assert failed.facts.output_is_final == reports_usage(case)
        return
    answer = whole_answer(whole_body(case), "req_test", case.terms)
    message = orjson.loads(answer.body)
    Message.model_validate(message)
    expected = streamed.message
    for block in expected["content"]:
        if block.pop("partial_input", None):
            block["input"] = {}
    if message["stop_reason"] == "stop_sequence":
        message.pop("usage")
        expected.pop("usage")
    assert message == expected
    assert answer.facts.stop_reason == message["stop_reason"]
    assert answer.facts.output_is_final == reports_usage(case)


def test_enough_cases_are_compared() -> None:
    assert len(CASES) >= 30


def test_what_follows_a_stop_sequence_is_billed_and_not_shown() -> None:
    """The provider wrote all of it, since it knows of no stop sequences."""
    case = next(case for case in CASES if case.name == "trap_071_stop_sequence")
    answer = whole_answer(whole_body(case), "req_test", case.terms)
    message = orjson.loads(answer.body)
    assert message["stop_sequence"] == "\n\nEND"
    assert answer.facts.usage is not None
    assert message["usage"]["output_tokens"] == answer.facts.usage.output_tokens == 13
    assert answer.emitted.ascii_bytes > case.facts["emitted"]["ascii_bytes"]


@pytest.mark.parametrize(
    ("body", "failure", "message"),
    [
        (b"", UpstreamFailed, "not JSON"),
        (b"<html>OK</html>", UpstreamFailed, "not JSON"),
        (b"\xff", UpstreamFailed, "not JSON"),
        (b"[" * 100_000, UpstreamFailed, "not JSON"),
        (b"[]", UpstreamFailed, "not an object"),
        (b"null", UpstreamFailed, "not an object"),
        (b"{}", UpstreamFailed, "not a response"),
        (b'{"output": {}}', UpstreamFailed, "not a response"),
        (b'{"output": [], "status": "queued"}', UpstreamFailed, "before its answer was complete"),
        (b'{"output": [], "status": "cancelled"}', UpstreamFailed, "cancelled"),
        (b'{"output": [], "status": "incomplete"}', UpstreamFailed, "incomplete: None"),
        (b'{"output": [{"type": "computer_call"}]}', UpstreamFailed, "computer_call"),
        (b'{"output": [{"type": "function_call"}]}', UpstreamFailed, "without a name"),
        (b'{"error": {"code": "insufficient_quota"}}', UpstreamFailed, ACCOUNT_REFUSED),
        (b'{"error": {"code": "slow_down", "message": "Slow."}}', Overloaded, "Slow."),
        (
            b'{"output": [], "status": "failed", "error": {"code": "invalid_prompt", "message": "Flagged."}}',
            InvalidRequest,
            "Flagged.",
        ),
    ],
)
def test_what_is_no_answer_is_an_error(body: bytes, failure: type[GatewayError], message: str) -> None:
    with pytest.raises(failure, match=message):
        message_or_failure(body)


@pytest.mark.parametrize(
    ("body", "stop_reason"),
    [
        (b'{"output": []}', "end_turn"),
        (b'{"output": [null, 7], "status": ["completed"], "usage": 7}', "end_turn"),
        (b'{"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]}', "refusal"),
        (
            b'{"output": [{"type": "function_call", "call_id": "a", "name": "b", "arguments": null}]}',
            "tool_use",
        ),
    ],
)
def test_what_is_left_out_is_made_up_for(body: bytes, stop_reason: str) -> None:
    answer = whole_answer(body, "req_test", TERMS)
    Message.model_validate(message := orjson.loads(answer.body))
    assert message["stop_reason"] == stop_reason
    assert answer.facts.usage is None
    assert not answer.facts.output_is_final


WRITTEN = b'"output": [{"type": "message", "content": [{"type": "output_text", "text": "a"}]}]'


@pytest.mark.parametrize(
    ("rest", "stop_reason"),
    [
        (b'"incomplete_details": null', "max_tokens"),
        (b'"max_output_tokens": 16, "usage": {"output_tokens": 16}', "max_tokens"),
        (b'"max_output_tokens": 16, "usage": {"output_tokens": 15}', None),
        (b'"incomplete_details": {"reason": "max_output_tokens"}', "max_tokens"),
        (b'"incomplete_details": {"reason": "steered"}', None),
    ],
)
def test_incomplete_for_no_reason_is_its_bound_unless_it_tells_otherwise(
    rest: bytes, stop_reason: str | None
) -> None:
    """As servers say it that copy the API; a reason that is given counts, and so do the response's own figures."""
    answer = whole_answer(b'{"status": "incomplete", %b, %b}' % (WRITTEN, rest), "req_test", TERMS)
    if stop_reason is None:
        assert answer.failure is not None
        assert "left the answer incomplete" in answer.failure.message
    else:
        assert orjson.loads(answer.body)["stop_reason"] == stop_reason


def test_half_a_surrogate_pair_is_replaced() -> None:
    body = b'{"output": [{"type": "message", "content": [{"type": "output_text", "text": "a\\ud83d"}]}]}'
    assert orjson.loads(whole_answer(body, "req_test", TERMS).body)["content"][0]["text"] == "a\ufffd"


@pytest.mark.parametrize("batch", range(5))
def test_no_response_breaks_the_translation(batch: int) -> None:
    for seed in range(batch * 200, batch * 200 + 200):
        source = random.Random(seed)
        response: Any = orjson.loads(whole_body(source.choice(CASES)))
        for _ in range(source.randrange(1, 8)):
            response = broken(response, source)
        try:
            answer = message_or_failure(json.dumps(response).encode())
        except GatewayError:
            continue
        Message.model_validate_json(answer.body)
