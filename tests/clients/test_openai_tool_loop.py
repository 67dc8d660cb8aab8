"""Anthropic's own SDKs run a tool loop on an OpenAI model, with thinking, parallel tools and a picture as a result;
the reasoning goes back to OpenAI as it came."""

import asyncio
import base64
import itertools
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.clients.conftest import present
from tests.clients.installations import node_modules
from tests.clients.served_gateway import OPENAI_KEY, ServedGateway
from tests.stand_ins.openai_script import FunctionCall, Message, Reasoning, Script
from tests.stand_ins.openai_upstream import OpenAIUpstream

Loop = Callable[[ServedGateway, str, bool], list[dict[str, Any]]]

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(100)).decode()
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
RESULTS: dict[str, Any] = {
    "mcp__weather_service__get_the_weather_of_a_city_for_the_coming_days_in_detail": "12 °C, 漢字",
    "take_screenshot": [{"type": "text", "text": "The screen:"}, PICTURE],
    "write_note": "noted",
}
WEATHER, SCREENSHOT, NOTE = RESULTS
REQUEST: dict[str, Any] = {
    "model": "gpt-5.2",
    "max_tokens": 8_000,
    "thinking": {"type": "enabled", "budget_tokens": 4_000},
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "tools": [
        {"name": name, "description": "A tool", "input_schema": {"type": "object", "properties": {}}}
        for name in RESULTS
    ],
    "messages": [{"role": "user", "content": "What is the weather, and what is on the screen?"}],
}


def shortened(script: Script, names: dict[str, str]) -> Script:
    """Return the script calling tools by the names that went up: OpenAI's end after 64 characters."""
    items = tuple(
        FunctionCall(names[item.name], item.arguments, item.call_id)
        if isinstance(item, FunctionCall)
        else item
        for item in script.items
    )
    return Script(items, input_tokens=script.input_tokens, reasoning_tokens=script.reasoning_tokens)


STEPS = (
    Script(
        (
            Reasoning(("Both can be looked up.", "At once, even.")),
            FunctionCall(WEATHER, {"city": "København", "days": 3}, call_id="call_weather"),
            FunctionCall(SCREENSHOT, {}, call_id="call_screen"),
        ),
        input_tokens=100,
    ),
    Script(
        (
            Reasoning(),  # hidden: it goes back all the same
            Message("I will note that.", phase="commentary"),
            FunctionCall(NOTE, {"text": "12 °C"}, call_id="call_note"),
        ),
        input_tokens=300,
        reasoning_tokens=64,
    ),
    Script((Reasoning(("Done.",)), Message("It is 12 °C.", phase="final_answer")), input_tokens=400),
)


def python_loop(gateway: ServedGateway, token: str, streamed: bool) -> list[dict[str, Any]]:
    answers, messages = [], list(REQUEST["messages"])
    with anthropic.Anthropic(api_key=token, base_url=gateway.base_url, max_retries=0) as sdk:
        while True:
            asked = {**REQUEST, "messages": messages}
            if streamed:
                with sdk.messages.stream(**asked) as stream:
                    answer = stream.get_final_message()
            else:
                answer = sdk.messages.create(**asked)
            answers.append(answer.model_dump(mode="json", exclude_unset=True))
            if answer.stop_reason != "tool_use":
                return answers
            messages += with_results(answer.content)


def async_python_loop(gateway: ServedGateway, token: str, streamed: bool) -> list[dict[str, Any]]:
    async def loop() -> list[dict[str, Any]]:
        answers, messages = [], list(REQUEST["messages"])
        async with anthropic.AsyncAnthropic(api_key=token, base_url=gateway.base_url, max_retries=0) as sdk:
            while True:
                asked = {**REQUEST, "messages": messages}
                if streamed:
                    async with sdk.messages.stream(**asked) as stream:
                        answer = await stream.get_final_message()
                else:
                    answer = await sdk.messages.create(**asked)
                answers.append(answer.model_dump(mode="json", exclude_unset=True))
                if answer.stop_reason != "tool_use":
                    return answers
                messages += with_results(answer.content)

    return asyncio.run(loop())


def with_results(content: list[Any]) -> list[dict[str, Any]]:
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": RESULTS[block.name]}
        for block in content
        if block.type == "tool_use"
    ]
    return [{"role": "assistant", "content": content}, {"role": "user", "content": results}]


def typescript_loop(gateway: ServedGateway, token: str, streamed: bool) -> list[dict[str, Any]]:
    modules = present(node_modules(), "the TypeScript SDK")
    asked = {
        "base_url": gateway.base_url,
        "token": token,
        "request": REQUEST,
        "results": RESULTS,
        "streamed": streamed,
    }
    ran = subprocess.run(
        ["node", str(Path(__file__).parent / "node" / "tool_loop.mjs"), str(modules)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    answers: list[dict[str, Any]] = json.loads(ran.stdout)
    return answers


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    "loop",
    [
        pytest.param(python_loop, id="python"),
        pytest.param(async_python_loop, id="python-async"),
        pytest.param(typescript_loop, id="typescript", marks=pytest.mark.node),
    ],
)
def test_a_tool_loop_of_three_steps(
    loop: Loop, streamed: bool, openai_gateway: ServedGateway, openai_upstream: OpenAIUpstream
) -> None:
    openai_upstream.reset()
    names = upstream_names(openai_gateway, openai_upstream)
    openai_upstream.reset()
    openai_upstream.then(*(shortened(step, names) for step in STEPS))
    token = openai_gateway.token(f"{loop.__name__} {streamed}")
    first, second, third = loop(openai_gateway, token, streamed)
    openai_upstream.assert_nothing_refused()
    assert_said(first, second, third)
    assert_replayed(openai_upstream, names)
    # 800 tokens of input at $1.75 per million, and what the stand-in counted of output at $14.
    outputs = sum(answer["usage"]["output_tokens"] for answer in (first, second, third))
    settled = float(openai_gateway.settled_budget(token)["settled"])
    assert settled == pytest.approx((800 * 1.75 + outputs * 14) / 1_000_000)


def assert_said(first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]) -> None:
    """What the client was given: thinking with signatures, its own names and ids, pictures asked for."""
    thinking, weather, screen = first["content"]
    assert thinking["thinking"] == "Both can be looked up.\n\nAt once, even."
    assert (weather["name"], weather["input"]) == (WEATHER, {"city": "København", "days": 3})
    assert (screen["name"], screen["input"], first["stop_reason"]) == (SCREENSHOT, {}, "tool_use")
    hidden, text, note = second["content"]
    assert (hidden["type"], hidden.get("thinking", "")) in {("thinking", ""), ("redacted_thinking", "")}
    assert (text["text"], note["input"]) == ("I will note that.", {"text": "12 °C"})
    assert second["usage"]["output_tokens_details"]["thinking_tokens"] == 64
    assert (third["content"][1]["text"], third["stop_reason"]) == ("It is 12 °C.", "end_turn")
    assert {answer["model"] for answer in (first, second, third)} == {"gpt-5.2"}


def assert_replayed(upstream: OpenAIUpstream, names: dict[str, str]) -> None:
    """What went up the last time: every item of before in its order, ciphertexts as they were given out."""
    inputs = upstream.inputs()
    assert len(inputs) == 3
    for earlier, later in itertools.pairwise(inputs):
        assert later[: len(earlier)] == earlier  # a prefix that stays is one that is cached
    asked, reasoning, *calls, weather, screen, hidden, text, note, noted = inputs[-1]
    assert asked["role"] == "user"
    assert upstream.issued_reasoning.items() >= {
        (item["id"], item["encrypted_content"]) for item in (reasoning, hidden)
    }
    assert [part["text"] for part in reasoning["summary"]] == ["Both can be looked up.", "At once, even."]
    assert hidden["summary"] == []
    assert [(call["call_id"], call["name"]) for call in calls] == [
        ("call_weather", names[WEATHER]),
        ("call_screen", names[SCREENSHOT]),
    ]
    assert json.loads(calls[0]["arguments"]) == {"city": "København", "days": 3}
    assert (weather["call_id"], weather["output"]) == ("call_weather", "12 °C, 漢字")
    picture = screen["output"][1]
    assert (picture["type"], picture["image_url"]) == ("input_image", f"data:image/png;base64,{PNG}")
    assert (text["role"], note["call_id"], noted["output"]) == ("assistant", "call_note", "noted")
    keys = {request.header("authorization") for request in upstream.requests}
    assert keys == {f"Bearer {OPENAI_KEY}"}


def upstream_names(gateway: ServedGateway, upstream: OpenAIUpstream) -> dict[str, str]:
    """Return what the tools are called upstream, by the names that the client has for them."""
    with anthropic.Anthropic(api_key=gateway.token("names"), base_url=gateway.base_url) as sdk:
        sdk.messages.create(**REQUEST)
    names = [tool["name"] for tool in upstream.requests[-1].json()["tools"]]
    assert all(len(name) <= 64 for name in names)
    return dict(zip(RESULTS, names, strict=True))
