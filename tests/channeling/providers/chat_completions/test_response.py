"""A completion that comes whole is the message that its stream would have been, and anything else is an error."""

import json
import random
from typing import Any

import orjson
import pytest
from anthropic.types import Message
from openrouter.components import ChatResult

from channeling.errors import GatewayError, InvalidRequest, RateLimited, UpstreamFailed
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.chat_completions.reasoning_signature import unseal
from channeling.providers.chat_completions.response import whole_answer
from channeling.providers.error_answer import ACCOUNT_REFUSED
from channeling.providers.openrouter.answer_dialect import OPENROUTER_ANSWERS
from channeling.providers.provider_adapter import WholeAnswer
from tests.channeling.providers.chat_completions.golden_answers import DIALECTS, transcripts
from tests.channeling.providers.chat_completions.whole_completion import whole_completion
from tests.channeling.providers.golden_answers import Transcript, events_of
from tests.channeling.providers.spoilt_json import broken
from tests.stand_ins.strict_reader import read_strictly

# Cases about the stream itself, its errors, or pieces that no whole answer has.
STREAMS_ALONE = (
    "trap_001_calls_without_index",
    "trap_001_id_and_name_in_every_piece",
    "trap_002",
    "trap_003",
    "trap_017_reasoning_as_parts",
    "trap_036",
    "trap_038",
    "trap_039_usage_is_null",
    "trap_050",
    "trap_061",
    "trap_065",
    "trap_067_thought_after_its_call",
    "trap_067_thinking_not_asked",
    "trap_071_stop_sequence",
    "trap_111",
    "trap_112",
    "function_call_of_before",
)
CASES = [case for case in transcripts() if not case.name.startswith(STREAMS_ALONE)]
TERMS = AnswerTerms("or:x", upstream_model="x")


def answer_to(case: Transcript, body: bytes | None = None) -> WholeAnswer:
    if body is None:
        body = orjson.dumps(whole_completion(events_of(case.upstream)))
    return well(whole_answer(body, "req_test", case.terms, DIALECTS[case.server]))


def answer(body: bytes) -> WholeAnswer:
    return well(whole_answer(body, "req_test", TERMS, OPENROUTER_ANSWERS))


def well(whole: WholeAnswer) -> WholeAnswer:
    if whole.failure is not None:
        raise whole.failure
    return whole


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_the_message_of_its_stream(case: Transcript) -> None:
    streamed = read_strictly(case.client)
    if streamed.error is not None:
        with pytest.raises(GatewayError) as raised:
            answer_to(case)
        assert raised.value.message == streamed.error["message"]
        return
    whole = answer_to(case)
    message = orjson.loads(whole.body)
    Message.model_validate(message)
    expected = streamed.message
    for block in expected["content"]:
        if block.pop("partial_input", None):
            block["input"] = {}
    assert message == expected
    assert whole.facts.stop_reason == message["stop_reason"]
    assert whole.facts.reported_cost == case.facts.get("reported_cost")
    assert whole.facts.output_is_final == case.facts["output_is_final"]


def test_enough_cases_are_compared_and_are_of_the_official_types() -> None:
    assert len(CASES) >= 45
    for case in CASES:
        if case.server == "openrouter":
            ChatResult.model_validate(whole_completion(events_of(case.upstream)))


def test_what_follows_a_stop_sequence_is_billed_and_not_shown() -> None:
    case = next(case for case in transcripts() if case.name == "trap_071_stop_sequence")
    whole = answer_to(case)
    message = orjson.loads(whole.body)
    assert message["stop_sequence"] == "\n\nEND"
    assert [block["text"] for block in message["content"]] == ["One"]
    assert whole.facts.usage is not None
    assert message["usage"]["output_tokens"] == whole.facts.usage.output_tokens == 16
    assert whole.facts.reported_cost == 123_000


def test_calls_of_a_whole_answer_are_told_apart_by_their_place() -> None:
    """They have no index, and some servers give them one id or none."""
    calls = [{"id": "", "function": {"name": "read", "arguments": f'{{"n":{n}}}'}} for n in range(3)]
    body = orjson.dumps({"choices": [{"message": {"tool_calls": calls}, "finish_reason": "tool_calls"}]})
    content = orjson.loads(answer(body).body)["content"]
    assert [block["input"] for block in content] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert len({block["id"] for block in content}) == 3


def test_whole_details_are_not_put_together() -> None:
    details = [{"type": "reasoning.summary", "summary": text} for text in ("One.", "Two.")]
    message = {"content": "x", "reasoning": "One.\n\nTwo.", "reasoning_details": details}
    body = orjson.dumps({"choices": [{"message": message, "finish_reason": "stop"}]})
    terms = AnswerTerms("or:x", upstream_model="x", shows_thinking=True, keeps_thinking=True)
    thinking = orjson.loads(whole_answer(body, "req_test", terms, OPENROUTER_ANSWERS).body)["content"][0]
    assert thinking["thinking"] == "One.\n\nTwo."
    sealed = unseal(thinking["signature"])
    assert sealed is not None
    assert list(sealed.details) == details


@pytest.mark.parametrize(
    ("body", "failure", "message"),
    [
        (b"", UpstreamFailed, "not JSON"),
        (b"<html>OK</html>", UpstreamFailed, "not JSON"),
        (b"\xff", UpstreamFailed, "not JSON"),
        (b"[" * 100_000, UpstreamFailed, "not JSON"),
        (b"[]", UpstreamFailed, "not an object"),
        (b"null", UpstreamFailed, "not an object"),
        (b"{}", UpstreamFailed, "not a chat completion"),
        (b'{"choices": []}', UpstreamFailed, "not a chat completion"),
        (b'{"choices": null}', UpstreamFailed, "not a chat completion"),
        (b'{"choices": {"a": 1}}', UpstreamFailed, "not a chat completion"),
        (b'{"choices": [7]}', UpstreamFailed, "a choice that was not asked for"),
        (b'{"choices": [{"message": 7}]}', UpstreamFailed, "a delta that is no object"),
        (b'{"choices": [{"message": {"content": 7}}]}', UpstreamFailed, "content that is no text"),
        (b'{"choices": [{"message": {"images": [{}]}}]}', UpstreamFailed, "not asked for: images"),
        (b'{"choices": [{"message": {"tool_calls": [{"id": "a"}]}}]}', UpstreamFailed, "without a name"),
        (b'{"choices": [{"finish_reason": "error"}]}', UpstreamFailed, "incomplete: error"),
        (b'{"error": {"code": 402, "message": "Insufficient credits"}}', UpstreamFailed, ACCOUNT_REFUSED),
        (b'{"error": {"code": 429, "message": "Slow."}, "choices": null}', RateLimited, "Slow."),
        (b'{"error": "context size exceeded", "choices": []}', UpstreamFailed, "context size exceeded"),
        (
            b'{"error": {"code": 400, "message": "Provider returned error", "metadata": {"raw": "Too odd."}}}',
            InvalidRequest,
            "Too odd.",
        ),
    ],
)
def test_what_is_no_answer_is_an_error(body: bytes, failure: type[GatewayError], message: str) -> None:
    with pytest.raises(failure, match=message):
        answer(body)


@pytest.mark.parametrize(
    ("body", "stop_reason"),
    [
        # Nothing can follow a whole answer, whatever it leaves out.
        (b'{"choices": [{"message": {"content": "x"}}]}', "end_turn"),
        (b'{"choices": [{"message": null, "finish_reason": null}], "usage": 7}', "end_turn"),
        (b'{"choices": [{"message": {"refusal": "No."}, "finish_reason": "stop"}]}', "refusal"),
        (
            b'{"choices": [{"message": {"tool_calls": [{"function": {"name": "b", "arguments": null}}]}}]}',
            "tool_use",
        ),
    ],
)
def test_what_is_left_out_is_made_up_for(body: bytes, stop_reason: str) -> None:
    whole = answer(body)
    Message.model_validate(message := orjson.loads(whole.body))
    assert message["stop_reason"] == stop_reason
    assert whole.facts.usage is None
    assert not whole.facts.output_is_final


def test_half_a_surrogate_pair_is_replaced() -> None:
    body = b'{"choices": [{"message": {"content": "a\\ud83d"}}]}'
    assert orjson.loads(answer(body).body)["content"][0]["text"] == "a\ufffd"


@pytest.mark.parametrize("batch", range(3))
def test_no_completion_breaks_the_translation(batch: int) -> None:
    wholes = [(case, whole_completion(events_of(case.upstream))) for case in CASES]
    for seed in range(batch * 200, batch * 200 + 200):
        source = random.Random(seed)
        case, completion = source.choice(wholes)
        spoilt: Any = completion
        for _ in range(source.randrange(1, 8)):
            spoilt = broken(spoilt, source)
        try:
            whole = answer_to(case, json.dumps(spoilt).encode())
        except GatewayError:
            continue
        Message.model_validate_json(whole.body)
