"""A stand-in for the Responses API that nobody here wrote: the translation holds before another's reading of it.

npm `@copilotkit/aimock`: no item ids of OpenAI's kind, no sequence numbers, usage without details or of zeros.
"""

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest

from tests.clients.aimock import aimock
from tests.clients.served_gateway import ServedGateway

pytestmark = pytest.mark.node

FIXTURES = {
    "fixtures": [
        {
            "match": {"toolCallId": "call_time"},
            "response": {"content": "It is 12 °C in København.", "reasoning": "Both are in."},
        },
        {
            "match": {"userMessage": "weather"},
            "response": {
                "toolCalls": [
                    {"id": "call_weather", "name": "get_weather", "arguments": '{"city":"København"}'},
                    {"id": "call_time", "name": "get_time", "arguments": "{}"},
                ],
                "reasoning": "I should look both up, at once.",
            },
        },
        {
            "match": {"userMessage": "search"},
            "response": {
                "content": "Found it.",
                "webSearches": ["channeling"],
                "usage": {"input_tokens": 100, "output_tokens": 7},
            },
        },
        {
            "match": {"userMessage": "limit"},
            "response": {
                "error": {"message": "Rate limit reached", "type": "tokens", "code": "rate_limit_exceeded"},
                "status": 429,
            },
        },
    ]
}
TOOLS: Any = [
    {"name": name, "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
    for name in ("get_weather", "get_time")
]
REQUEST: dict[str, Any] = {
    "model": "gpt-5.2",
    "max_tokens": 4_000,
    "thinking": {"type": "adaptive"},
    "tools": TOOLS,
}


@pytest.fixture(scope="module")
def aimock_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running aimock."""
    with aimock(tmp_path_factory.mktemp("aimock"), FIXTURES) as url:
        yield url


@pytest.fixture(scope="module")
def gateway(aimock_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    folder = tmp_path_factory.mktemp("second-opinion")
    with ServedGateway(None, folder, openai_base_url=f"{aimock_url}/v1") as served:
        yield served


@pytest.fixture
def sdk(gateway: ServedGateway, request: pytest.FixtureRequest) -> Iterator[anthropic.Anthropic]:
    token = gateway.token(request.node.name)
    with anthropic.Anthropic(api_key=token, base_url=gateway.base_url, max_retries=0) as client:
        yield client


def ask(sdk: anthropic.Anthropic, streamed: bool, *messages: Any, **changes: Any) -> Any:
    asked = {**REQUEST, "messages": list(messages), **changes}
    if not streamed:
        return sdk.messages.create(**asked)
    with sdk.messages.stream(**asked) as stream:
        return stream.get_final_message()


def hello(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
def test_a_tool_loop_with_thinking(sdk: anthropic.Anthropic, aimock_url: str, streamed: bool) -> None:
    httpx.delete(f"{aimock_url}/v1/_requests")
    first = ask(sdk, streamed, hello("How is the weather?"))
    thinking, weather, clock = first.content
    assert thinking.thinking == "I should look both up, at once."
    assert (weather.name, weather.input, clock.input) == ("get_weather", {"city": "København"}, {})
    assert first.stop_reason == "tool_use"
    results: Any = [
        {"type": "tool_result", "tool_use_id": call.id, "content": "12"} for call in (weather, clock)
    ]
    history = [
        hello("How is the weather?"),
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    last = ask(sdk, streamed, *history)
    assert last.content[-1].text == "It is 12 °C in København."
    assert last.stop_reason == "end_turn"
    bodies = [entry["body"] for entry in httpx.get(f"{aimock_url}/v1/_requests").json()]
    # Its journal has requests in the form of chat completions, which it made of ours.
    outputs = [message for message in bodies[-1]["messages"] if message["role"] == "tool"]
    assert [output["tool_call_id"] for output in outputs] == ["call_weather", "call_time"]
    assert {body["model"] for body in bodies} == {"gpt-5.2"}


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
def test_searches_and_their_fee(gateway: ServedGateway, sdk: anthropic.Anthropic, streamed: bool) -> None:
    tool = {"type": "web_search_20250305", "name": "web_search", "max_uses": 1}
    answer = ask(sdk, streamed, hello("search it"), tools=[tool])
    kinds = [block.type for block in answer.content]
    # It reasons without saying what, which has to come back all the same.
    assert kinds == ["thinking", "server_tool_use", "web_search_tool_result", "text"]
    assert answer.usage.server_tool_use.web_search_requests == 1
    # 100 × $1.75 + 7 × $14 per million, and $0.01.
    token = sdk.api_key
    assert token is not None
    assert float(gateway.settled_budget(token)["settled"]) == pytest.approx(0.010273)


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
def test_errors(sdk: anthropic.Anthropic, streamed: bool) -> None:
    with pytest.raises(anthropic.RateLimitError) as failure:
        ask(sdk, streamed, hello("limit"))
    assert failure.value.response.headers["retry-after"] == "1"
    assert failure.value.type == "rate_limit_error"
