"""Whole answers are read for their bill, and what is no message is not taken for one."""

from typing import Any

import orjson
import pytest

from channeling.errors import UpstreamFailed
from channeling.providers.anthropic.response import count_of_tokens, read_message
from channeling.usage.token_counts import BillingTerms, TokenCounts

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-8",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "x" * 400},
        {"type": "text", "text": "four\u4f60"},
        {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}},
        {"type": "web_search_tool_result", "content": [{"title": "not written by the model"}]},
    ],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 6, "service_tier": "priority"},
}


def test_a_message() -> None:
    body = orjson.dumps(MESSAGE)
    facts, _ = read_message(body)
    assert facts.usage == TokenCounts(input_tokens=5, output_tokens=6)
    assert facts.output_is_final
    assert facts.terms == BillingTerms(service_tier="priority")
    assert (facts.model, facts.stop_reason, facts.side_usages) == ("claude-opus-4-8", "end_turn", ())
    emitted = read_message(body)[1]
    assert (emitted.ascii_bytes, emitted.non_ascii_chars) == (2 + 4 + len('{"a":1}'), 1)


@pytest.mark.parametrize("usage", [None, {}, "x", {"output_tokens": "6"}])
def test_a_message_without_usage_is_left_to_an_estimate(usage: Any) -> None:
    facts, _ = read_message(orjson.dumps(MESSAGE | {"usage": usage}))
    assert facts.usage is None
    assert not facts.output_is_final


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"<html>It works!</html>", "not JSON"),
        (orjson.dumps(MESSAGE)[:-1], "not JSON"),
        (b"[]", "not an object"),
        (b"{}", "not a message"),
        (b'{"type":"completion","choices":[]}', "not a message"),
        (b'{"type":"error","error":{"type":"x","message":"boom"}}', "as if it were a success: boom"),
    ],
)
def test_what_is_no_message_is_a_failure(body: bytes, message: str) -> None:
    with pytest.raises(UpstreamFailed, match=message):
        read_message(body)


@pytest.mark.parametrize("content", [None, "x", [None, 7, {}]])
def test_odd_content_counts_nothing(content: Any) -> None:
    assert read_message(orjson.dumps(MESSAGE | {"content": content}))[1].ascii_bytes == 0


def test_a_count() -> None:
    assert count_of_tokens(b'{"input_tokens": 2095, "context_management": {}}') == 2095


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"input_tokens":"5"}', b'{"input_tokens":-5}', b"<html>"]
)
def test_what_is_no_count_is_a_failure(body: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        count_of_tokens(body)
