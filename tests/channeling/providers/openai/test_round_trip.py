"""What OpenAI wrote comes back to it on the next turn as it was: items in their order, ciphertexts, arguments."""

from typing import Any

import orjson
import pytest

from channeling.message_request import parse_message_request
from channeling.providers.openai.request import translate_request
from tests.channeling.providers.openai.golden_answers import events_of, transcripts
from tests.stand_ins.openai_validator import assert_taken
from tests.stand_ins.strict_reader import read_strictly

THOUGHTS = ("trap_014_reasoning_is_sealed", "thinking_and_parallel_tools", "trap_112_reasoning_between_calls")


ANSWERS = {transcript.name: transcript for transcript in transcripts() if transcript.ends_well}


def upstream_items(name: str) -> list[dict[str, Any]]:
    """Return the finished output items of a golden answer, as OpenAI sent them."""
    events = events_of(ANSWERS[name].upstream)
    return [event["item"] for event in events if event["type"] == "response.output_item.done"]


def replayed_items(name: str) -> list[dict[str, Any]]:
    """Return the items that the next turn sends between the question and the new one."""
    content = read_strictly(ANSWERS[name].client).message["content"]
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
    request = parse_message_request(
        orjson.dumps(
            {
                "model": "gpt-5.2",
                "max_tokens": 100,
                "messages": [turn for turn in messages if turn["content"]],
            }
        )
    )
    body = translate_request(request, model="gpt-5.2", max_tokens=None, stream=False).body
    assert_taken(orjson.loads(orjson.dumps(body)))
    return [
        item
        for item in body["input"]
        if item["type"] != "function_call_output" and item.get("role") != "user"
    ]


def comparable(item: dict[str, Any]) -> Any:
    """Return what of an item has to come back."""
    match item["type"]:
        case "reasoning":
            summary = [part["text"] for part in item["summary"]]
            return ("reasoning", item["id"], item["encrypted_content"], summary)
        case "function_call":
            return ("function_call", item["call_id"], item["name"], orjson.loads(item["arguments"] or "{}"))
    content = item["content"]
    return ("message", content if isinstance(content, str) else "".join(part["text"] for part in content))


@pytest.mark.parametrize("name", THOUGHTS)
def test_all_of_an_answer_comes_back(name: str) -> None:
    """Reasoning, preambles and calls, each as it was and in its place."""
    sent = [comparable(item) for item in upstream_items(name)]
    assert [comparable(item) for item in replayed_items(name)] == sent
    assert any(item[0] == "reasoning" for item in sent)


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_every_answer_can_be_a_history(name: str) -> None:
    """Whatever an answer was like, the turn after it is one that the API takes."""
    assert isinstance(replayed_items(name), list)
