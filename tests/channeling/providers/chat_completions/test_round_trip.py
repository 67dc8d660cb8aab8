"""What a model wrote comes back to it on the next turn as it was: reasoning in its order, calls, words."""

from typing import Any

import orjson
import pytest

from channeling.message_request import parse_message_request
from channeling.providers.openrouter.request import translate_request
from tests.channeling.providers.chat_completions.golden_answers import transcripts
from tests.channeling.providers.chat_completions.whole_completion import whole_completion
from tests.channeling.providers.golden_answers import events_of
from tests.stand_ins.chat_validator import refusals
from tests.stand_ins.strict_reader import read_strictly

ANSWERS = {case.name: case for case in transcripts() if case.ends_well}
THOUGHTS = (
    "trap_014_reasoning_is_sealed",
    "trap_014_summaries_are_joined",
    "trap_021_thinking_not_shown",
    "trap_067_thought_after_its_call",
    "trap_112_reasoning_between_calls",
)


def replayed(name: str) -> list[dict[str, Any]]:
    """Return the assistant messages that the next turn sends."""
    case = ANSWERS[name]
    content = read_strictly(case.client).message["content"]
    for block in content:
        block.pop("partial_input", None)  # clients complete what was cut off
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "done"}
        for block in content
        if block["type"] == "tool_use"
    ]
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": content},
        {"role": "user", "content": [*results, {"type": "text", "text": "Go on"}]},
    ]
    asked = {"model": "or:x", "max_tokens": 100, "messages": [turn for turn in messages if turn["content"]]}
    request = parse_message_request(orjson.dumps(asked))
    body = translate_request(request, model=case.terms.upstream_model, max_tokens=None, stream=False).body
    assert refusals(orjson.loads(orjson.dumps(body))) == []
    return [message for message in body["messages"] if message["role"] == "assistant"]


@pytest.mark.parametrize("name", THOUGHTS)
def test_reasoning_comes_back_as_it_was(name: str) -> None:
    (choice,) = whole_completion(events_of(ANSWERS[name].upstream))["choices"]
    details = [detail for message in replayed(name) for detail in message["reasoning_details"]]
    assert details == choice["message"]["reasoning_details"]


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_every_answer_can_be_a_history(name: str) -> None:
    """Whatever an answer was like, the turn after it is one that the API takes."""
    content = read_strictly(ANSWERS[name].client).message["content"]
    calls = [call for message in replayed(name) for call in message.get("tool_calls", ())]
    assert [call["id"] for call in calls] == [block["id"] for block in content if block["type"] == "tool_use"]
