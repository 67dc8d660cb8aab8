"""Requests are read permissively into facts, and what is wrong with a body is said exactly."""

import base64
import contextlib
import time
from typing import Any

import orjson
import pytest

from channeling.errors import InvalidRequest
from channeling.message_request import (
    GREATEST_MAX_TOKENS,
    BuiltinTool,
    Fallback,
    MessageRequest,
    Thinking,
    parse_count_tokens_request,
    parse_message_request,
    top_level_spans,
)

HELLO: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 1024,
    "messages": [{"role": "user", "content": "Hello"}],
}


def parse(**changes: Any) -> MessageRequest:
    return parse_message_request(orjson.dumps(HELLO | changes))


def without(key: str) -> bytes:
    return orjson.dumps({name: value for name, value in HELLO.items() if name != key})


def with_value(key: str, json_text: bytes) -> bytes:
    return without(key)[:-1] + b',"' + key.encode() + b'":' + json_text + b"}"


def test_a_plain_request() -> None:
    body = orjson.dumps(HELLO)
    request = parse_message_request(body)
    assert request.raw is body
    assert (request.model, request.max_tokens, request.stream) == ("claude-opus-4-8", 1024, False)
    assert (request.message_count, request.tool_count, request.thinking) == (1, 0, None)
    assert (request.caches_5m, request.caches_1h, request.has_unmeasured_sources) == (False, False, False)
    assert (request.has_provider_state, request.has_mcp_servers, request.has_default_fallbacks) == (
        False,
    ) * 3
    assert (request.speed, request.inference_geo, request.service_tier, request.fallbacks) == (
        None,
        None,
        None,
        (),
    )


BAD_BODIES = [
    (b"", "The request body is empty"),
    (b" \n", "The request body is empty"),
    (b"{", "not valid JSON"),
    (b"hello", "not valid JSON"),
    (b"[]", "must be a JSON object, not an array"),
    (b'"x"', "must be a JSON object, not a string"),
    (b"null", "must be a JSON object, not null"),
    (b"\xef\xbb\xbf{}", "byte order mark"),
    (with_value("system", b'"\xff"'), "not valid UTF-8"),
    (with_value("system", b'"\\ud800"'), "not valid JSON"),
    (with_value("max_tokens", b"NaN"), "not valid JSON"),
    (with_value("max_tokens", b"Infinity"), "not valid JSON"),
    (with_value("system", b"[" * 3_000 + b"]" * 3_000), "depth limit"),
    (with_value("system", b"[" * 2_000_000), "not valid JSON"),
    (without("model"), "model: Field required"),
    (with_value("model", b"7"), "model: Input should be a valid string, not a number"),
    (with_value("model", b"null"), "model: Input should be a valid string, not null"),
    (with_value("model", b'""'), "model: must be 1 to 256 printable"),
    (with_value("model", b'"a\\nb"'), "model: must be 1 to 256 printable"),
    (with_value("model", orjson.dumps("x" * 257)), "model: must be 1 to 256 printable"),
    (without("max_tokens"), "max_tokens: Field required"),
    (with_value("max_tokens", b"null"), "max_tokens: Input should be a valid integer, not null"),
    (with_value("max_tokens", b"true"), "max_tokens: Input should be a valid integer, not a boolean"),
    (with_value("max_tokens", b'"5"'), "max_tokens: Input should be a valid integer, not a string"),
    (with_value("max_tokens", b"5.0"), "max_tokens: Input should be a valid integer, not a number"),
    (with_value("max_tokens", b"0"), "max_tokens: must be greater than or equal to 1"),
    (with_value("max_tokens", b"-1"), "max_tokens: must be greater than or equal to 1"),
    (with_value("max_tokens", b"1000000000000"), "max_tokens: must be at most 10000000"),
    (with_value("max_tokens", b"1" + b"0" * 30), "max_tokens: must be at most 10000000"),
    (without("messages"), "messages: Field required"),
    (with_value("messages", b'"hi"'), "messages: Input should be a valid array, not a string"),
    (with_value("messages", b"{}"), "messages: Input should be a valid array, not an object"),
    (with_value("messages", b"[]"), "messages: at least one message is required"),
    (with_value("messages", b'[{},"hi"]'), "messages.1: Input should be an object, not a string"),
    (with_value("stream", b"1"), "stream: Input should be a valid boolean, not a number"),
    (with_value("stream", b'"true"'), "stream: Input should be a valid boolean, not a string"),
    (orjson.dumps(HELLO)[:-1] + b',"max_tokens":5}', "max_tokens: the key occurs twice"),
    (orjson.dumps(HELLO)[:-1] + b',"x":1,"\\u0078":2}', "x: the key occurs twice"),
    (without("model")[:-1] + b',"mod\\u0065l":"m"}', "model: the key must be written without escape"),
    (orjson.dumps(HELLO)[:-1] + b',"\\u0074ools":[]}', "tools: the key must be written without escape"),
    (with_value("tools", b'[{"type":"custom","type":"web_search_20250305"}]'), "tools.0: a key occurs twice"),
    (with_value("tools", b'[{},{"\\u0074ype":"custom","type":"x"}]'), "tools.1: a key occurs twice"),
    (with_value("fallbacks", b'[{"model":"a","model":"b"}]'), "fallbacks.0: a key occurs twice"),
]


@pytest.mark.parametrize(("body", "message"), BAD_BODIES, ids=[message for _, message in BAD_BODIES])
def test_what_is_wrong_is_said(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse_message_request(body)
    assert message in refusal.value.message
    assert len(refusal.value.message) < 300


@pytest.mark.parametrize("depth", [900, 1_000, 1_020])
def test_depth_that_one_parser_takes_and_the_other_may_not(depth: int) -> None:
    """Python 3.11's scanner gives up near 1,000 levels, later ones do not; neither may fail otherwise."""
    with contextlib.suppress(InvalidRequest):
        parse_message_request(with_value("system", b"[" * depth + b"]" * depth))


@pytest.mark.parametrize(
    "changes",
    [
        {"unknown": {"a": [1]}, "temperature": 0.5},
        {"thinking": "much", "tools": {"a": 1}, "fallbacks": 7, "speed": 3, "context_management": [1]},
        {"tools": [None, 5, {"type": 7}], "mcp_servers": None, "system": None, "stream": None},
        {"messages": [{"role": "system", "content": None}, {"content": [None, 3, [{"type": ["image"]}]]}]},
        {"max_tokens": GREATEST_MAX_TOKENS},
    ],
)
def test_what_is_not_ours_to_judge_passes(changes: dict[str, Any]) -> None:
    request = parse(**changes)
    assert request.builtin_tools == ()
    assert request.image_count == 0
    assert request.stream is False


def test_repeated_keys_in_a_schema_are_not_ours_to_judge() -> None:
    tool = b'[{"name":"t","input_schema":{"properties":{"a":{},"a":{}}}}]'
    assert parse_message_request(with_value("tools", tool)).tool_count == 1


def test_a_token_count_needs_no_max_tokens() -> None:
    request = parse_count_tokens_request(without("max_tokens"))
    assert (request.max_tokens, request.stream, request.greatest_max_tokens) == (None, False, 0)
    with pytest.raises(InvalidRequest, match="messages: Field required"):
        parse_count_tokens_request(b'{"model":"m"}')


@pytest.mark.parametrize(
    ("thinking", "read"),
    [
        ({"type": "enabled", "budget_tokens": 2_000}, Thinking("enabled", 2_000)),
        ({"type": "enabled", "budget_tokens": "2000"}, Thinking("enabled")),
        ({"type": "adaptive", "display": "omitted"}, Thinking("adaptive")),
        ({"type": 7}, None),
        (None, None),
    ],
)
def test_thinking(thinking: Any, read: Thinking | None) -> None:
    assert parse(thinking=thinking).thinking == read


@pytest.mark.parametrize(
    ("tool", "read", "runs_at_provider"),
    [
        ({"type": "web_search_20260318", "max_uses": 5}, BuiltinTool("web_search_20260318", 5), True),
        ({"type": "web_fetch_20250910"}, BuiltinTool("web_fetch_20250910"), True),
        ({"type": "code_execution_20260521"}, BuiltinTool("code_execution_20260521"), True),
        ({"type": "mcp_toolset"}, BuiltinTool("mcp_toolset"), True),
        ({"type": "brand_new_20300101"}, BuiltinTool("brand_new_20300101"), True),
        ({"type": "advisor_20260301", "model": "m"}, BuiltinTool("advisor_20260301", None, "m"), True),
        ({"type": "bash_20250124"}, BuiltinTool("bash_20250124"), False),
        ({"type": "text_editor_20250728"}, BuiltinTool("text_editor_20250728"), False),
        ({"type": "web_search_20260318", "max_uses": True}, BuiltinTool("web_search_20260318"), True),
    ],
)
def test_builtin_tools(tool: dict[str, Any], read: BuiltinTool, runs_at_provider: bool) -> None:
    request = parse(tools=[{"name": "mine", "input_schema": {}}, {"type": "custom", "name": "x"}, tool])
    assert (request.builtin_tools, request.tool_count) == ((read,), 3)
    assert read.runs_at_provider is runs_at_provider


CONTENT_CASES = [
    ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}}, 1, False),
    ({"type": "image", "source": {"type": "url", "url": "https://x/"}}, 1, True),
    ({"type": "image", "source": {"type": "file", "file_id": "f"}}, 1, True),
    ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}, 0, False),
    (
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "x"}},
        0,
        True,
    ),
    (
        {"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": {}}]}},
        1,
        False,
    ),
    ({"type": "image", "source": {"type": []}}, 1, False),
    ({"type": [], "source": {"type": {}, "media_type": []}}, 0, False),
    ({"type": "container_upload", "file_id": "f"}, 0, True),
    ({"type": "tool_result", "content": [{"type": "image", "source": {"type": "base64"}}]}, 1, False),
    (
        {"type": "tool_use", "input": {"type": "image", "source": {"type": "url"}, "cache_control": {}}},
        0,
        False,
    ),
]


@pytest.mark.parametrize(("block", "images", "unmeasured"), CONTENT_CASES)
def test_content(block: dict[str, Any], images: int, unmeasured: bool) -> None:
    request = parse(messages=[{"role": "user", "content": [{"type": "text", "text": "look"}, block]}])
    assert (request.image_count, request.has_unmeasured_sources) == (images, unmeasured)
    assert not request.caches_5m


@pytest.mark.parametrize(
    "marked",
    [
        lambda mark: {"cache_control": mark},
        lambda mark: {"system": [{"type": "text", "text": "s", "cache_control": mark}]},
        lambda mark: {"tools": [{"name": "t", "input_schema": {}, "cache_control": mark}]},
        lambda mark: {"tools": [{"type": "advisor_20260301", "caching": mark}]},
        lambda mark: {"messages": [{"role": "user", "content": [{"type": "text", "cache_control": mark}]}]},
        lambda mark: {
            "messages": [{"content": [{"type": "tool_result", "content": [{"cache_control": mark}]}]}]
        },
    ],
)
@pytest.mark.parametrize(
    ("ttl", "kinds"), [("5m", (True, False)), ("1h", (False, True)), (None, (True, False))]
)
def test_cache_marks(marked: Any, ttl: str | None, kinds: tuple[bool, bool]) -> None:
    mark = {"type": "ephemeral"} | ({"ttl": ttl} if ttl else {})
    request = parse(**marked(mark))
    assert (request.caches_5m, request.caches_1h) == kinds


@pytest.mark.parametrize(
    "changes",
    [
        {"container": "c_1"},
        {"thread": {"type": "continue", "previous_message_id": "m"}},
        {"compaction": {"type": "summarize"}},
        {
            "context_management": {
                "edits": [{"type": "clear_thinking_20251015"}, {"type": "compact_20260112"}]
            }
        },
    ],
)
def test_state_at_the_provider(changes: dict[str, Any]) -> None:
    assert parse(**changes).has_provider_state
    assert not parse(context_management={"edits": [{"type": "clear_thinking_20251015"}]}).has_provider_state


def test_what_prices_depend_on() -> None:
    request = parse(
        speed="fast",
        inference_geo="us",
        service_tier="auto",
        mcp_servers=[{"type": "url", "url": "https://x/"}],
        fallbacks=[{"model": "claude-haiku-5-5", "max_tokens": 4_096, "speed": "standard"}, {"nonsense": 1}],
    )
    assert (request.speed, request.inference_geo, request.service_tier) == ("fast", "us", "auto")
    assert request.has_mcp_servers
    assert request.fallbacks == (Fallback("claude-haiku-5-5", 4_096, "standard"),)
    assert request.models == ("claude-opus-4-8", "claude-haiku-5-5")
    assert request.greatest_max_tokens == 4_096
    assert parse(fallbacks="default").has_default_fallbacks


def test_top_level_spans_are_the_bytes_of_the_values() -> None:
    body = b'\n{ "model" : "m\\"}" , "\xc3\xa9":[{"model":"inner"}],"max_tokens":\t7 }'
    values = {key: body[span.start : span.end] for key, span in top_level_spans(body).items()}
    assert values == {"model": b'"m\\"}"', "\u00e9": b'[{"model":"inner"}]', "max_tokens": b"7"}


@pytest.mark.parametrize(
    "content",
    [
        [
            {
                "type": "image",
                "source": {"type": "base64", "data": base64.b64encode(b"x" * 6_000_000).decode()},
            }
        ],
        "\n" * 4_000_000,
        "\\" * 4_000_000,
        '"{[' * 1_500_000,
        [{"type": "text", "text": "x"}] * 100_000,
    ],
    ids=["base64", "newlines", "backslashes", "brackets", "blocks"],
)
def test_a_big_body_takes_linear_time(content: Any) -> None:
    """Measured 30 to 150 ms here; anything quadratic takes minutes. The bound leaves room for a busy machine."""
    body = orjson.dumps(HELLO | {"messages": [{"role": "user", "content": content}]})
    began = time.process_time()
    parse_message_request(body)
    assert time.process_time() - began < 3.0
