"""Anthropic's own SDKs run a tool loop on OpenRouter's models, with thinking, parallel tools and a picture as a
result; reasoning goes back to OpenRouter as it came, and each step costs what OpenRouter said."""

import itertools
import json
from typing import Any

import anthropic
import pytest

from tests.clients.served_gateway import OPENROUTER_KEY, ServedGateway
from tests.clients.tool_loops import (
    NOTE,
    PNG,
    REQUEST,
    RESULTS,
    SCREENSHOT,
    WEATHER,
    Loop,
    python_loop,
    typescript_loop,
)
from tests.stand_ins.chat_named_scripts import GEMINI_CALL, GEMINI_DETAILS
from tests.stand_ins.chat_script import Reasoning, Script, Text, ToolCall
from tests.stand_ins.chat_upstream import ChatUpstream

GEMINI = "or:google/gemini-3-pro-preview"
# Three as people name them, one that no list has, and one that refuses to go on without its reasoning.
MODELS = [
    "or:mistralai/mistral-large",
    "or:deepseek/deepseek-chat",
    "or:mistralai/devstral-2512:free",
    "some-unknown-model",
    GEMINI,
]
SECOND_SIGNATURE = {**GEMINI_DETAILS[1], "id": "tool_0_write_note", "data": "CuMBAnother=="}
COSTS = (0.000_123_456_7, 0.000_2, 0.000_000_001)
SETTLED = "0.000323458"  # each step rounded up to a nanodollar


def steps(names: dict[str, str], model: str) -> tuple[Script, ...]:
    """Return what the model says, step by step; `names` are the tools' upstream, by the client's."""
    thought, again = Reasoning("Let me look that up."), Reasoning("Now the note.")
    if model == GEMINI:
        thought, again = Reasoning(details=GEMINI_DETAILS), Reasoning(details=(SECOND_SIGNATURE,))
    return (
        Script(
            (
                thought,
                ToolCall(names[WEATHER], {"city": "København", "days": 3}, GEMINI_CALL),
                ToolCall(names[SCREENSHOT], ""),
            ),
            cost=COSTS[0],
        ),
        Script(
            (
                again,
                Text("I will note that."),
                ToolCall(names[NOTE], {"text": "12 °C"}, "tool_0_write_note"),
            ),
            cost=COSTS[1],
        ),
        Script((Text("It is 12 °C."),), cost=COSTS[2]),
    )


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "loop",
    [
        pytest.param(python_loop, id="python"),
        pytest.param(typescript_loop, id="typescript", marks=pytest.mark.node),
    ],
)
def test_a_tool_loop_of_three_steps(
    loop: Loop,
    model: str,
    streamed: bool,
    openrouter_gateway: ServedGateway,
    openrouter_upstream: ChatUpstream,
) -> None:
    request = {**REQUEST, "model": model}
    names = upstream_names(openrouter_gateway, openrouter_upstream, request)
    openrouter_upstream.reset()
    openrouter_upstream.then(*steps(names, model))
    token = openrouter_gateway.token(f"{loop.__name__} {model} {streamed}")
    answers = loop(openrouter_gateway, token, streamed, request)
    openrouter_upstream.assert_nothing_refused()
    assert_said(answers, model)
    assert_replayed(openrouter_upstream, names, model)
    assert openrouter_gateway.settled_budget(token)["settled"] == SETTLED


def assert_said(answers: list[dict[str, Any]], model: str) -> None:
    """What the client was given: thinking with signatures, its own names for tools and model, each id once."""
    first, second, third = answers
    calls = [block for block in first["content"] if block["type"] == "tool_use"]
    assert [(call["name"], call["input"]) for call in calls] == [
        (WEATHER, {"city": "København", "days": 3}),
        (SCREENSHOT, {}),
    ]
    assert [answer["stop_reason"] for answer in answers] == ["tool_use", "tool_use", "end_turn"]
    thinking = [block for block in first["content"] if block["type"] == "thinking"]
    assert [block["thinking"] for block in thinking] == ["Let me look that up."]
    assert all(block["signature"] for block in thinking)
    *_, text, note = second["content"]
    assert (text["text"], note["name"], note["input"]) == ("I will note that.", NOTE, {"text": "12 °C"})
    assert third["content"][-1]["text"] == "It is 12 °C."
    ids = [block["id"] for answer in answers for block in answer["content"] if block["type"] == "tool_use"]
    assert len(set(ids)) == 3
    assert {answer["model"] for answer in answers} == {model}


def assert_replayed(upstream: ChatUpstream, names: dict[str, str], model: str) -> None:
    """What went up the last time: every message of before, in its order."""
    bodies = upstream.completions()
    assert {body["model"] for body in bodies} == {model.removeprefix("or:")}
    histories = [body["messages"] for body in bodies]
    for earlier, later in itertools.pairwise(histories):
        assert later[: len(earlier)] == earlier  # a prefix that stays is one that is cached
    last = histories[-1]
    looked, noted = [message for message in last if message.get("tool_calls")]
    assert [call["function"]["name"] for call in looked["tool_calls"]] == [names[WEATHER], names[SCREENSHOT]]
    assert json.loads(looked["tool_calls"][0]["function"]["arguments"]) == {"city": "København", "days": 3}
    assert looked["tool_calls"][1]["function"]["arguments"] == "{}"
    results = [message for message in last if message["role"] == "tool"]
    ids = [call["id"] for turn in (looked, noted) for call in turn["tool_calls"]]
    assert [result["tool_call_id"] for result in results] == ids
    assert "12 °C, 漢字" in json.dumps(results[0]["content"], ensure_ascii=False)
    if model == GEMINI:
        kept = [[unplaced(detail) for detail in turn["reasoning_details"]] for turn in (looked, noted)]
        assert kept == [list(GEMINI_DETAILS), [SECOND_SIGNATURE]]
    assert any(PNG in json.dumps(message) for message in last if message["role"] == "user")
    keys = {request.header("authorization") for request in upstream.requests}
    assert keys == {f"Bearer {OPENROUTER_KEY}"}


def unplaced(detail: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in detail.items() if key != "index"}


def upstream_names(gateway: ServedGateway, upstream: ChatUpstream, request: dict[str, Any]) -> dict[str, str]:
    """Return what the tools are called upstream, by the names that the client has for them."""
    upstream.reset()
    with anthropic.Anthropic(api_key=gateway.token("names"), base_url=gateway.base_url) as sdk:
        sdk.messages.create(**request)
    names = [tool["function"]["name"] for tool in upstream.completions()[-1]["tools"]]
    assert all(len(name) <= 64 for name in names)
    return dict(zip(RESULTS, names, strict=True))
