"""Anthropic's models at OpenRouter are asked in the client's own bytes, and billed at what OpenRouter says."""

import json
from typing import Any

import pytest

from channeling.errors import InvalidRequest, UpstreamFailed
from channeling.message_request import MessageRequest, parse_message_request
from channeling.providers.error_answer import Relay, Replacement
from channeling.providers.openrouter.native_anthropic import NativeAnthropicAdapter, NativeReader
from channeling.providers.provider_adapter import MessageCall, UpstreamTarget
from channeling.sse import encode_event
from channeling.usage.token_counts import TokenCounts

ADAPTER = NativeAnthropicAdapter()
TARGET = UpstreamTarget("https://openrouter.ai/api/v1", "sk-or-project", "anthropic/claude-sonnet-4.5")
CLIENT_HEADERS = [
    ("x-api-key", "token"),
    ("authorization", "Bearer token"),
    ("anthropic-beta", "context-1m-2025-08-07"),
    ("anthropic-version", "2023-06-01"),
    ("user-agent", "claude-cli/2.0"),
    ("cookie", "a=b"),
]
# Spaces and an unknown field: what is not read goes up as it came.
BODY = (
    b'{ "model":"or:anthropic/claude-sonnet-4.5" , "max_tokens": 100,"new_field":{"a":1.50},'
    b'"messages":[{"role":"user","content":"Hello"}] }'
)


def call(body: bytes = BODY, max_tokens: int | None = None) -> MessageCall:
    return ADAPTER.message_call(
        parse_message_request(body),
        TARGET,
        max_tokens=max_tokens,
        client_headers=iter(CLIENT_HEADERS),
        query="beta=true",
        request_id="req_1",
    )


def test_the_bytes_go_up_as_they_came_but_for_the_model() -> None:
    asked = call().request
    assert asked.url == "https://openrouter.ai/api/v1/messages?beta=true"
    assert asked.body == BODY.replace(b"or:anthropic/", b"anthropic/")
    headers = dict(asked.headers)
    assert headers["authorization"] == "Bearer sk-or-project"
    assert headers["anthropic-beta"] == "context-1m-2025-08-07"
    assert headers["x-openrouter-title"] == "Channeling"
    assert not headers.keys() & {"x-api-key", "cookie"}
    assert len(headers) == len(asked.headers)


def test_a_clamp_is_spliced_in() -> None:
    assert call(max_tokens=64).request.body == BODY.replace(b"or:", b"").replace(b" 100,", b" 64,")


@pytest.mark.parametrize(
    "changes",
    [
        {"models": ["openai/gpt-5-pro"]},
        {"fallbacks": [{"model": "anthropic/claude-opus-4.1"}]},
        {"plugins": [{"id": "web"}]},
        {"provider": {"sort": "throughput"}},
        {"route": "fallback"},
        {"preset": "dear"},
        {"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "anthropic/claude-opus-4.1"}]},
    ],
)
def test_what_leads_to_other_prices_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(changes))):
        call(json.dumps(json.loads(BODY) | changes).encode())


def usage(**fields: Any) -> dict[str, Any]:
    return {"input_tokens": 10, "output_tokens": 5, **fields}


@pytest.mark.parametrize(
    ("reported", "cost"),
    [
        (usage(cost=0.000_123_456_7), 123_457),
        (usage(cost=0), 0),
        (usage(), None),
        (usage(cost=0.001, is_byok=True, cost_details={"upstream_inference_cost": 0.02}), 21_000_000),
    ],
)
def test_what_it_says_of_its_cost_is_the_bill(reported: dict[str, Any], cost: int | None) -> None:
    message = {
        "id": "gen-1",
        "type": "message",
        "role": "assistant",
        "model": "anthropic/claude-4.5-sonnet",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": reported,
    }
    body = json.dumps(message).encode()
    whole = NativeReader("req_1").whole_answer(body)
    assert whole.body is body
    assert (whole.facts.reported_cost, whole.facts.usage) == (cost, TokenCounts(10, output_tokens=5))

    stream = NativeReader("req_1").stream()
    # What the beginning says of cost is not yet all of it.
    began = message | {
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 10, "output_tokens": 1, "cost": 0},
    }
    events = encode_event("message_start", {"type": "message_start", "message": began})
    assert stream.feed(events) == events
    assert stream.facts.reported_cost is None
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": reported}
    events = encode_event("message_delta", delta) + encode_event("message_stop", {"type": "message_stop"})
    assert stream.feed(events) == events
    assert (stream.facts.reported_cost, stream.ended) == (cost, True)


def test_errors_in_either_form() -> None:
    theirs = json.dumps(
        {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}}
    ).encode()
    assert ADAPTER.error_answer(400, {}, theirs, api_key="k") == Relay(400, theirs)
    own = json.dumps({"error": {"code": 404, "message": "No endpoints found for anthropic/x."}}).encode()
    answer = ADAPTER.error_answer(404, {}, own, api_key="k")
    assert isinstance(answer, Replacement)
    assert (answer.error.status, "No endpoints found" in answer.error.message) == (404, True)
    page = ADAPTER.error_answer(502, {}, b"<html>", api_key="k")
    assert isinstance(page, Replacement)
    assert page.error.status >= 500


def test_tokens_are_estimated_here() -> None:
    asked: MessageRequest = parse_message_request(BODY)
    assert ADAPTER.estimated_input_tokens(asked, TARGET.model) in range(2, 20)
    assert ADAPTER.count_call(asked, TARGET, client_headers=(), query="") is None
    with pytest.raises(UpstreamFailed):
        ADAPTER.count_of(b"{}")
