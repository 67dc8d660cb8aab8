"""LangChain and the AI SDK run a tool on a model of each provider, thinking in between, whole and streamed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import present
from tests.clients.installations import langchain, node_modules
from tests.clients.served_gateway import ServedGateway
from tests.clients.third_party.page_clients import Asked, PythonProcess, run
from tests.stand_ins import anthropic_script, chat_script, openai_script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.chat_upstream import ChatUpstream
from tests.stand_ins.openai_upstream import OpenAIUpstream

HERE = Path(__file__).parent
CITY, WEATHER, THOUGHT, SAID = "København", "12 °C, 漢字", "I should look it up.", "It is 12 °C there."
DETAIL = {"type": "reasoning.text", "text": THOUGHT, "id": "rs_1", "format": "unknown"}
COST_USD, COST_NANOUSD = 0.001_234_567, 1_234_567

Loop = Callable[[str, str, str], str]


@dataclass(frozen=True)
class ClientLoops:
    """The two programs, each run on (base URL, token, model)."""

    langchain: Loop
    ai_sdk: Loop


@pytest.fixture(scope="module")
def loops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientLoops]:
    python = PythonProcess(present(langchain(), "LangChain"))
    home = tmp_path_factory.mktemp("ai-sdk")
    (home / "node_modules").symlink_to(present(node_modules(), "the npm packages"))
    program = home / "tools.mjs"
    program.write_text((HERE / "ai_sdk_tools.mjs").read_text("utf-8"), "utf-8")

    def with_langchain(base_url: str, token: str, model: str) -> str:
        code = (HERE / "langchain_tools.py").read_text("utf-8")
        return python.run(code, {"URL": base_url, "TOKEN": token, "MODEL": model})

    def with_ai_sdk(base_url: str, token: str, model: str) -> str:
        return run(["node", program], Asked(base_url, token, home), MODEL=model)

    yield ClientLoops(with_langchain, with_ai_sdk)
    python.close()


def outcomes(printed: str) -> list[dict[str, Any]]:
    """Read what a program printed: one line for its loop with whole answers, one for that with streamed ones."""
    try:
        return [json.loads(line) for line in printed.splitlines()]
    except json.JSONDecodeError:
        pytest.fail(printed)


def assert_ran(printed: str) -> int:
    """The tool was called, and its result answered; returns how many output tokens the client counted in all."""
    ran = outcomes(printed)
    assert [(outcome["calls"], outcome["text"]) for outcome in ran] == [([CITY], SAID)] * 2
    return sum(outcome["output_tokens"] for outcome in ran)


def settled(gateway: ServedGateway, token: str) -> int:
    """Return what was charged, in nanodollars."""
    return int(Decimal(gateway.settled_budget(token)["settled"]) * 10**9)


@pytest.fixture(params=["langchain", "ai_sdk"])
def loop(request: pytest.FixtureRequest, loops: ClientLoops) -> Loop:
    chosen: Loop = getattr(loops, request.param)
    return chosen


def test_on_an_anthropic_model(
    loop: Loop, gateway_of_three: ServedGateway, upstream: AnthropicUpstream, request: pytest.FixtureRequest
) -> None:
    call = anthropic_script.ToolUse("weather", {"city": CITY}, id="toolu_weather")
    thought = anthropic_script.Thinking(THOUGHT)
    first = anthropic_script.Script(blocks=(thought, call), stop_reason="tool_use", input_tokens=100)
    last = anthropic_script.Script(blocks=(anthropic_script.Text(SAID),), input_tokens=200)
    upstream.then(first, last, first, last)
    seen = len(upstream.requests)
    token = gateway_of_three.token(request.node.name)
    printed = loop(gateway_of_three.base_url, token, "claude-sonnet-4-6")
    # By hand from Anthropic's price list, in nanodollars a token.
    assert settled(gateway_of_three, token) == 600 * 3_000 + assert_ran(printed) * 15_000
    for after_the_call in [asked.json()["messages"] for asked in upstream.requests[seen:]][1::2]:
        thinking, used = after_the_call[1]["content"]
        assert (thinking["thinking"], thinking["signature"]) == (THOUGHT, thought.signature)
        assert (used["id"], used["input"]) == ("toolu_weather", {"city": CITY})
        assert WEATHER in json.dumps(after_the_call[2], ensure_ascii=False)


def test_on_an_openai_model(
    loop: Loop,
    gateway_of_three: ServedGateway,
    openai_upstream: OpenAIUpstream,
    request: pytest.FixtureRequest,
) -> None:
    openai_upstream.reset()
    call = openai_script.FunctionCall("weather", {"city": CITY}, call_id="call_weather")
    first = openai_script.Script((openai_script.Reasoning((THOUGHT,)), call), input_tokens=100)
    last = openai_script.Script((openai_script.Message(SAID),), input_tokens=200)
    openai_upstream.then(first, last, first, last)
    token = gateway_of_three.token(request.node.name)
    printed = loop(gateway_of_three.base_url, token, "gpt-5.2")
    openai_upstream.assert_nothing_refused()
    # By hand from OpenAI's price list.
    assert settled(gateway_of_three, token) == 600 * 1_750 + assert_ran(printed) * 14_000
    for asked, reasoning, used, result in openai_upstream.inputs()[1::2]:
        assert asked["role"] == "user"
        assert (reasoning["id"], reasoning["encrypted_content"]) in openai_upstream.issued_reasoning.items()
        assert (used["call_id"], json.loads(used["arguments"])) == ("call_weather", {"city": CITY})
        assert (result["call_id"], WEATHER in str(result["output"])) == ("call_weather", True)


@pytest.mark.parametrize("model", ["or:deepseek/deepseek-chat", "qwen/qwen3-coder"])
def test_on_an_openrouter_model(
    loop: Loop,
    model: str,
    gateway_of_three: ServedGateway,
    openrouter_upstream: ChatUpstream,
    request: pytest.FixtureRequest,
) -> None:
    openrouter_upstream.reset()
    call = chat_script.ToolCall("weather", {"city": CITY}, call_id="call_weather")
    thought = chat_script.Reasoning(THOUGHT, details=(DETAIL,))
    first = chat_script.Script((thought, call), input_tokens=100, cost=COST_USD)
    last = chat_script.Script((chat_script.Text(SAID),), input_tokens=200, cost=COST_USD)
    openrouter_upstream.then(first, last, first, last)
    token = gateway_of_three.token(request.node.name)
    printed = loop(gateway_of_three.base_url, token, model)
    openrouter_upstream.assert_nothing_refused()
    assert_ran(printed)
    bodies = openrouter_upstream.completions()
    assert {body["model"] for body in bodies} == {model.removeprefix("or:")}
    for _, used, result in [body["messages"] for body in bodies][1::2]:
        assert used["reasoning_details"] == [{**DETAIL, "index": 0}]
        assert json.loads(used["tool_calls"][0]["function"]["arguments"]) == {"city": CITY}
        assert (result["role"], result["tool_call_id"]) == ("tool", used["tool_calls"][0]["id"])
        assert WEATHER in str(result["content"])
    assert settled(gateway_of_three, token) == 4 * COST_NANOUSD
