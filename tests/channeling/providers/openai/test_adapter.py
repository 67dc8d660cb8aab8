"""What goes up to OpenAI is the Responses API's, with nothing of the client's beside it; it bounds the bill."""

import json
from typing import Any

import pytest

from channeling.errors import InvalidRequest, UpstreamFailed
from channeling.message_request import MessageRequest, parse_count_tokens_request, parse_message_request
from channeling.providers.openai.adapter import OpenAIAdapter
from channeling.providers.openai.reasoning_signature import SealedReasoning, seal
from channeling.providers.provider_adapter import MessageCall, UpstreamTarget
from tests.stand_ins.openai_validator import assert_taken, counting_refusals

ADAPTER = OpenAIAdapter()
TARGET = UpstreamTarget("https://api.openai.com/v1/", "sk-project", "gpt-5.2-2025-12-11")
THINKING = {
    "type": "thinking",
    "thinking": "Hm.",
    "signature": seal(SealedReasoning("rs_1", "gAAA", ("Hm.",))),
}
LOOP = [
    {"role": "user", "content": "Hello"},
    {
        "role": "assistant",
        "content": [THINKING, {"type": "tool_use", "id": "call_1", "name": "look", "input": {"at": "it"}}],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "seen"}]},
]
LOOK = {"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}


def request(**changes: Any) -> MessageRequest:
    body = {"model": "gpt-5.2", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
    return parse_message_request(json.dumps(body | changes).encode())


def call(asked: MessageRequest, max_tokens: int | None = None) -> MessageCall:
    headers = [("x-api-key", "token"), ("anthropic-beta", "x"), ("x-forwarded-for", "203.0.113.9")]
    return ADAPTER.message_call(
        asked, TARGET, max_tokens=max_tokens, client_headers=headers, query="beta=true", request_id="req_1"
    )


def test_a_call_goes_to_the_responses_api_with_our_headers_alone() -> None:
    asked = call(request(stream=True)).request
    assert (asked.method, asked.url) == ("POST", "https://api.openai.com/v1/responses")
    assert dict(asked.headers) == {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "authorization": "Bearer sk-project",
        "user-agent": "channeling",
    }
    body = json.loads(asked.body)
    assert_taken(body)
    assert (body["model"], body["stream"], body["store"]) == ("gpt-5.2-2025-12-11", True, False)


@pytest.mark.parametrize(
    ("asked", "clamped", "sent"), [(100, None, 100), (100, 64, 64), (1, None, 16), (500_000, None, 128_000)]
)
def test_what_can_be_billed_is_what_is_asked_of_openai(asked: int, clamped: int | None, sent: int) -> None:
    """A bound that OpenAI cannot be asked to keep is no bound: the quote is told of the one that it can."""
    asking = request(max_tokens=asked)
    assert json.loads(call(asking, clamped).request.body)["max_output_tokens"] == sent
    assert ADAPTER.greatest_output_tokens(asking, "gpt-5.2") >= sent
    if clamped is None:
        assert ADAPTER.greatest_output_tokens(asking, "gpt-5.2") == sent


@pytest.mark.parametrize("max_tokens", [1, 15, 64, 100, 2_000, 500_000])
@pytest.mark.parametrize("model", ["gpt-5.2", "gpt-4o", "o1"])
def test_the_least_useful_answer_is_never_longer_than_the_longest(model: str, max_tokens: int) -> None:
    """Else no budget would be large enough for it."""
    asking = request(max_tokens=max_tokens)
    least = ADAPTER.least_max_tokens(asking, model)
    assert 16 <= least <= ADAPTER.greatest_output_tokens(asking, model)


def test_reasoning_that_is_refused_is_left_out_of_the_second_try() -> None:
    asked = call(request(messages=LOOP, tools=[LOOK]))
    first = json.loads(asked.request.body)
    assert [item["type"] for item in first["input"]].count("reasoning") == 1
    error = {"code": "invalid_encrypted_content", "message": "could not be verified"}
    again = asked.second_try(400, json.dumps({"error": error}).encode())
    assert again is not None
    second = json.loads(again.body)
    assert_taken(second)
    kept = [item for item in first["input"] if item["type"] != "reasoning"]
    assert second == first | {"input": kept}
    assert (again.url, again.headers) == (asked.request.url, asked.request.headers)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b'{"error": {"code": "context_length_exceeded", "message": "exceeds the context window"}}'),
        (500, b'{"error": {"message": "The server had an error"}}'),
        (429, b"<html>"),
        (400, b'{"error": {"code": null, "message": "thinking and signatures"}}'),
    ],
)
def test_nothing_else_is_tried_again(status: int, body: bytes) -> None:
    assert call(request(messages=LOOP, tools=[LOOK])).second_try(status, body) is None


def test_a_request_without_reasoning_is_not_sent_again_as_it_was() -> None:
    error = b'{"error": {"code": "invalid_encrypted_content", "message": "could not be verified"}}'
    assert call(request()).second_try(400, error) is None


def test_a_count_asks_with_what_a_count_may_be_asked_with() -> None:
    asked = request(messages=LOOP, tools=[LOOK], system="Be brief.", metadata={"user_id": "u"}, stream=True)
    counting = ADAPTER.count_call(asked, TARGET, client_headers=[], query="")
    assert counting is not None
    assert counting.url == "https://api.openai.com/v1/responses/input_tokens"
    body = json.loads(counting.body)
    assert counting_refusals(body) == []
    sent = json.loads(call(asked).request.body)
    assert {key: sent[key] for key in body} == body
    assert {"instructions", "input", "tools"} <= body.keys()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"input_tokens": "5"}', b'{"input_tokens": true}', b'{"input_tokens": -1}', b"{}"],
)
def test_a_count_that_is_none(body: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        ADAPTER.count_of(body)


def test_a_count() -> None:
    assert ADAPTER.count_of(b'{"object": "response.input_tokens", "input_tokens": 11}') == 11


def test_clients_counts_are_estimated_here() -> None:
    """A client that opens asks for dozens of counts at once; none of them is worth a call."""
    asked = {"model": "gpt-5.2", "messages": [{"role": "user", "content": "word " * 1_000}]}
    counted = parse_count_tokens_request(json.dumps(asked).encode())
    estimate = ADAPTER.estimated_input_tokens(counted, "gpt-5.2")
    assert estimate is not None
    assert 900 < estimate < 1_700
    with_tools = parse_count_tokens_request(json.dumps({**asked, "tools": [LOOK] * 1}).encode())
    assert (ADAPTER.estimated_input_tokens(with_tools, "gpt-5.2") or 0) > estimate


def test_what_cannot_be_asked_is_refused_by_name() -> None:
    asked = request(mcp_servers=[{"type": "url", "url": "https://x", "name": "x"}])
    with pytest.raises(InvalidRequest, match="mcp_servers"):
        call(asked)
    with pytest.raises(InvalidRequest, match="mcp_servers"):
        ADAPTER.count_call(asked, TARGET, client_headers=[], query="")


def test_the_account_s_headers_stay_here() -> None:
    headers = {"content-type": "application/json", "openai-organization": "org", "x-request-id": "req_2"}
    assert ADAPTER.answer_headers(headers) == [("content-type", "application/json")]
    streamed = dict(ADAPTER.answer_headers({"content-type": "text/event-stream; charset=utf-8"}))
    assert streamed["content-type"] == "text/event-stream; charset=utf-8"


def test_the_session_that_a_header_names_keeps_to_one_cache() -> None:
    """Claude Code names it in a header; its name itself does not go up."""

    def body_in(session: str) -> bytes:
        headers = [("X-Claude-Code-Session-Id", session)]
        made = ADAPTER.message_call(
            request(), TARGET, max_tokens=None, client_headers=headers, query="", request_id="req_1"
        )
        assert_taken(json.loads(made.request.body))
        return made.request.body

    assert body_in("one") == body_in("one") != body_in("two")
    assert b"session-of-somebody" not in body_in("session-of-somebody")
    assert "prompt_cache_key" not in json.loads(call(request()).request.body)


@pytest.mark.parametrize(
    ("model", "keys", "shows_all"),
    [
        ("gpt-4.1", {}, True),
        ("gpt-4.1", {"thinking": {"type": "adaptive"}}, True),  # it cannot
        ("gpt-5.2", {}, True),  # it does not unless asked
        ("gpt-5.2", {"thinking": {"type": "disabled"}}, True),
        ("gpt-5.2", {"thinking": {"type": "adaptive"}}, False),
        ("gpt-5.2", {"output_config": {"effort": "low"}}, False),
        ("gpt-5.5", {}, False),
        ("gpt-5.5", {"thinking": {"type": "disabled"}}, True),
        ("gpt-5", {"thinking": {"type": "disabled"}}, False),  # the least that it takes is `minimal`
        ("gpt-5.2-chat-latest", {}, False),
        ("gpt-9-nova", {"thinking": {"type": "disabled"}}, False),
    ],
)
def test_a_stream_shows_all_only_where_no_reasoning_can_be_hidden(
    model: str, keys: dict[str, Any], shows_all: bool
) -> None:
    """OpenAI shows summaries at most: any reasoning may be longer than what is seen of it."""
    assert ADAPTER.shows_all(request(**keys), model) == shows_all
