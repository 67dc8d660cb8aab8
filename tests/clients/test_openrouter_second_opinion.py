"""Servers of chat completions that nobody here wrote: the translation holds before another's reading of them.

npm `@copilotkit/aimock` is OpenRouter at `/api/v1`, with its costs, and any OpenAI-compatible server at `/v1`.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from tests.clients.aimock import aimock
from tests.clients.served_gateway import ServedGateway

pytestmark = pytest.mark.node

USAGE = {"prompt_tokens": 100, "completion_tokens": 7, "cost": 0.000_123_456_7}
FIXTURES = {
    "fixtures": [
        {
            "match": {"toolCallId": "call_time"},
            "response": {"content": "It is 12 °C in København.", "reasoning": "Both are in.", "usage": USAGE},
        },
        {
            "match": {"userMessage": "weather"},
            "response": {
                "toolCalls": [
                    {"id": "call_weather", "name": "get_weather", "arguments": '{"city":"København"}'},
                    {"id": "call_time", "name": "get_time", "arguments": "{}"},
                ],
                "reasoning": "I should look both up, at once.",
                "usage": USAGE,
            },
        },
        {
            "match": {"userMessage": "limit"},
            "response": {
                "error": {"message": "Rate limit exceeded", "type": "rate_limit_error", "code": 429},
                "status": 429,
            },
        },
    ]
}
TOOLS: Any = [
    {"name": name, "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
    for name in ("get_weather", "get_time")
]
REQUEST: dict[str, Any] = {"max_tokens": 4_000, "thinking": {"type": "adaptive"}, "tools": TOOLS}


@pytest.fixture(scope="module")
def aimock_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running aimock."""
    with aimock(tmp_path_factory.mktemp("aimock"), FIXTURES) as url:
        yield url


@pytest.fixture(scope="module")
def openrouter(aimock_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    """The gateway with OpenRouter's key, before aimock as OpenRouter."""
    folder = tmp_path_factory.mktemp("openrouter")
    with ServedGateway(None, folder, openrouter_base_url=f"{aimock_url}/api/v1") as served:
        yield served


@pytest.fixture(scope="module")
def own_server(aimock_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    """The gateway whose operator has no key, and has named aimock as the project's own server."""
    folder = tmp_path_factory.mktemp("own-server")
    with ServedGateway(None, folder) as served:
        set_base_url(folder, f"{aimock_url}/v1")
        yield served


def set_base_url(folder: Path, base_url: str) -> None:
    """Tell the served project so, as its operator does in another terminal."""
    channeling = str(Path(sys.executable).parent / "channeling")
    command = [channeling, "project", "set", "--base-url", f"openrouter={base_url}"]
    environ = {**os.environ, "CHANNELING_HOME": str(folder / "home")}
    subprocess.run(command, env=environ, cwd=folder, check=True, capture_output=True, timeout=60)


def ask(gateway: ServedGateway, user: str, streamed: bool, *messages: Any, **changes: Any) -> Any:
    asked = {**REQUEST, "messages": list(messages), **changes}
    with anthropic.Anthropic(api_key=gateway.token(user), base_url=gateway.base_url, max_retries=0) as sdk:
        if not streamed:
            return sdk.messages.create(**asked)
        with sdk.messages.stream(**asked) as stream:
            return stream.get_final_message()


def hello(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("server", "model"),
    [
        ("openrouter", "or:deepseek/deepseek-chat"),
        ("openrouter", "some-unknown-model"),
        ("own_server", "qwen3:8b"),
    ],
)
def test_a_tool_loop_with_thinking(
    server: str, model: str, streamed: bool, aimock_url: str, request: pytest.FixtureRequest
) -> None:
    gateway: ServedGateway = request.getfixturevalue(server)
    user = request.node.name
    httpx.delete(f"{aimock_url}/v1/_requests")
    first = ask(gateway, user, streamed, hello("How is the weather?"), model=model)
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
    last = ask(gateway, user, streamed, *history, model=model)
    assert last.content[-1].text == "It is 12 °C in København."
    assert last.stop_reason == "end_turn"
    bodies = [entry["body"] for entry in httpx.get(f"{aimock_url}/v1/_requests").json()]
    assert {body["model"] for body in bodies} == {model.removeprefix("or:")}
    outputs = [message for message in bodies[-1]["messages"] if message["role"] == "tool"]
    assert [output["tool_call_id"] for output in outputs] == ["call_weather", "call_time"]
    # OpenRouter says what each cost; for another server's model it is the ceiling: $30 and $150 per million.
    each_nanousd = 123_457 if server == "openrouter" else 100 * 30_000 + 7 * 150_000
    settled = gateway.settled_budget(gateway.token(user))["settled"]
    assert round(float(settled) * 1e9) == 2 * each_nanousd


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("server", ["openrouter", "own_server"])
def test_errors(server: str, streamed: bool, request: pytest.FixtureRequest) -> None:
    gateway: ServedGateway = request.getfixturevalue(server)
    with pytest.raises(anthropic.RateLimitError) as failure:
        ask(gateway, request.node.name, streamed, hello("limit"), model="or:deepseek/deepseek-chat")
    assert failure.value.type == "rate_limit_error"
    assert "Rate limit exceeded" in failure.value.message
