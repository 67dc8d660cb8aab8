"""What goes up to OpenRouter has its key and the app's name, nothing else of the client's, and a limit of price."""

import json
from typing import Any

import pytest

from channeling.errors import InvalidRequest, UpstreamFailed
from channeling.message_request import MessageRequest, parse_message_request
from channeling.providers.chat_completions.adapter import ChatCompletionsAdapter
from channeling.providers.openrouter.adapter import OpenRouterAdapter
from channeling.providers.provider_adapter import MessageCall, UpstreamTarget
from tests.stand_ins.chat_validator import assert_taken

ADAPTER = OpenRouterAdapter()
TARGET = UpstreamTarget("https://openrouter.ai/api/v1/", "sk-or-project", "deepseek/deepseek-chat")
CLIENT_HEADERS = [
    ("x-api-key", "token"),
    ("Authorization", "Bearer token"),
    ("anthropic-beta", "x"),
    ("x-forwarded-for", "203.0.113.9"),
    ("X-Title", "My app"),
    ("x-claude-code-session-id", "session-7"),
]


def request(**changes: Any) -> MessageRequest:
    body = {"model": "or:deepseek/deepseek-chat", "max_tokens": 100}
    body |= {"messages": [{"role": "user", "content": "Hello"}]}
    return parse_message_request(json.dumps(body | changes).encode())


def call(
    asked: MessageRequest, target: UpstreamTarget = TARGET, max_tokens: int | None = None
) -> MessageCall:
    return ADAPTER.message_call(
        asked,
        target,
        max_tokens=max_tokens,
        client_headers=iter(CLIENT_HEADERS),
        query="beta=true",
        request_id="req_1",
    )


def test_a_call_goes_to_chat_completions_with_our_headers_and_the_app_s_name() -> None:
    asked = call(request(stream=True)).request
    assert (asked.method, asked.url) == ("POST", "https://openrouter.ai/api/v1/chat/completions")
    assert dict(asked.headers) == {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "authorization": "Bearer sk-or-project",
        "user-agent": "channeling",
        "x-title": "My app",
    }
    body = json.loads(asked.body)
    assert_taken(body)
    assert (body["model"], body["stream"]) == ("deepseek/deepseek-chat", True)
    assert body["session_id"]


def test_the_price_that_is_held_at_is_the_limit() -> None:
    target = UpstreamTarget(
        TARGET.base_url, TARGET.api_key, TARGET.model, held_rates=(300_000_000, 1_200_000_000)
    )
    body = json.loads(call(request(), target).request.body)
    assert body["provider"]["max_price"] == {"prompt": "0.3", "completion": "1.2"}
    assert "max_price" not in json.loads(call(request()).request.body).get("provider", {})


@pytest.mark.parametrize(("asked", "clamped", "sent"), [(100, None, 100), (100, 64, 64), (1, None, 16)])
def test_max_tokens_bound_the_answer_and_the_hold(asked: int, clamped: int | None, sent: int) -> None:
    body = json.loads(call(request(max_tokens=asked), max_tokens=clamped).request.body)
    assert body["max_tokens"] == sent
    assert ADAPTER.greatest_output_tokens(request(max_tokens=asked), TARGET.model) == max(asked, 16)


@pytest.mark.parametrize(
    ("asked", "model", "least"),
    [
        # It may reason unasked, which comes before the first word.
        ({"max_tokens": 8_000}, "deepseek/deepseek-chat", 1_088),
        ({"max_tokens": 8_000}, "mistralai/devstral-2512:free", 64),
        ({"max_tokens": 8_000, "thinking": {"type": "disabled"}}, "deepseek/deepseek-chat", 64),
        ({"max_tokens": 40}, "deepseek/deepseek-chat", 40),
        ({"max_tokens": 1}, "deepseek/deepseek-chat", 16),
    ],
)
def test_the_least_that_is_of_use(asked: dict[str, Any], model: str, least: int) -> None:
    assert ADAPTER.least_max_tokens(request(**asked), model) == least


def test_a_refused_setting_is_left_out_in_a_second_try() -> None:
    made = call(request(temperature=0.5))
    error = {"error": {"code": 400, "message": "Unsupported parameter: temperature"}}
    again = made.second_try(400, json.dumps(error).encode())
    assert again is not None
    assert again.url == made.request.url
    assert list(again.headers) == list(made.request.headers)
    assert "temperature" not in json.loads(again.body)
    assert made.second_try(500, b"") is None


def test_tokens_are_estimated_here() -> None:
    long = request(messages=[{"role": "user", "content": "word " * 4_000}])
    estimate = ADAPTER.estimated_input_tokens(long, TARGET.model)
    assert estimate is not None
    assert 4_000 < estimate < 8_000
    assert call(long).input_tokens_estimate == estimate
    assert ADAPTER.count_call(long, TARGET, client_headers=(), query="") is None
    with pytest.raises(UpstreamFailed):
        ADAPTER.count_of(b"{}")


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        call(request(messages=[{"role": "user", "content": [{"type": "text", "text": ""}]}]))


@pytest.mark.parametrize(
    ("upstream", "sent"),
    [
        (
            {"content-type": "text/event-stream", "x-generation-id": "gen-1", "set-cookie": "a=b"},
            {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"},
        ),
        (
            {"content-type": "application/json", "x-ratelimit-limit": "50"},
            {"content-type": "application/json"},
        ),
    ],
)
def test_the_account_s_headers_stay_here(upstream: dict[str, str], sent: dict[str, str]) -> None:
    assert dict(ADAPTER.answer_headers(upstream)) == sent


@pytest.mark.parametrize(
    ("model", "shows_all"),
    [("meta-llama/llama-3.3-70b-instruct", True), ("qwen/qwen3-32b", False), ("openai/gpt-5.2", False)],
)
def test_a_stream_shows_all_only_where_the_model_never_reasons(model: str, shows_all: bool) -> None:
    """A host of others' models may keep reasoning back; a server of one's own does not."""
    assert ADAPTER.shows_all(request(), model) == shows_all
    assert ChatCompletionsAdapter().shows_all(request(), model) == (shows_all or model.startswith("qwen"))
