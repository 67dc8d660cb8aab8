"""Anthropic's own SDKs run a tool loop on an OpenAI model, with thinking, parallel tools and a picture as a result;
the reasoning goes back to OpenAI as it came."""

import itertools
import json
from typing import Any

import anthropic
import pytest

from tests.clients.served_gateway import OPENAI_KEY, ServedGateway
from tests.clients.tool_loops import (
    NOTE,
    PNG,
    RESULTS,
    SCREENSHOT,
    WEATHER,
    Loop,
    async_python_loop,
    python_loop,
    typescript_loop,
)
from tests.clients.tool_loops import REQUEST as TOOL_REQUEST
from tests.stand_ins.openai_script import FunctionCall, Message, Reasoning, Script
from tests.stand_ins.openai_upstream import OpenAIUpstream

REQUEST = {**TOOL_REQUEST, "model": "gpt-5.2"}


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
    first, second, third = loop(openai_gateway, token, streamed, REQUEST)
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
