"""What a model wrote comes back to it on the next turn as it was: reasoning, text, calls and their arguments."""

from typing import Any

import orjson
import pytest

from channeling.message_request import parse_message_request
from channeling.providers.chat_completions import request as plain
from channeling.providers.chat_completions.reasoning_signature import unseal
from channeling.providers.openrouter import request as openrouter
from tests.channeling.providers.chat_completions.golden_answers import transcripts
from tests.channeling.providers.chat_completions.whole_completion import whole_completion
from tests.channeling.providers.golden_answers import Transcript, events_of
from tests.stand_ins.chat_validator import assert_taken
from tests.stand_ins.strict_reader import read_strictly

TRANSCRIPTS = {transcript.name: transcript for transcript in transcripts() if transcript.ends_well}
# Answers that need no repair on their way, with reasoning and calls of several vendors.
UNCHANGED = (
    "plain_text",
    "trap_001_calls_back_to_back",
    "trap_014_reasoning_is_sealed",
    "trap_014_summaries_are_joined",
    "trap_017_reasoning_in_details_alone",
    "trap_067_thought_after_its_call",
)


def blocks_of(transcript: Transcript) -> list[Any]:
    """Return the content of the message that the client got."""
    content: list[Any] = read_strictly(transcript.client).message["content"]
    return content


def sent_back(transcript: Transcript) -> dict[str, Any]:
    """Return the assistant message that the next turn sends, empty where there is nothing of it to send."""
    content = blocks_of(transcript)
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
    document = {"model": "any", "max_tokens": 100, "messages": [turn for turn in messages if turn["content"]]}
    translate = openrouter.translate_request if transcript.server == "openrouter" else plain.translate_request
    body = translate(
        parse_message_request(orjson.dumps(document)),
        model=transcript.terms.upstream_model,
        max_tokens=None,
        stream=False,
    ).body
    assert_taken(orjson.loads(orjson.dumps(body)), plain=transcript.server != "openrouter")
    return next((message for message in body["messages"] if message["role"] == "assistant"), {})


@pytest.mark.parametrize("name", UNCHANGED)
def test_all_of_an_answer_comes_back(name: str) -> None:
    """It is what came over the wire, put together."""
    transcript = TRANSCRIPTS[name]
    came = whole_completion(events_of(transcript.upstream))["choices"][0]["message"]
    sent = sent_back(transcript)
    assert sent["content"] == (came["content"] or None)
    assert calls_of(sent) == calls_of(came)
    assert sent.get("reasoning_details") == came.get("reasoning_details")


def calls_of(message: dict[str, Any]) -> list[Any]:
    """Return the calls of a message, their arguments as JSON."""
    return [
        (call["id"], call["function"]["name"], orjson.loads(call["function"]["arguments"]))
        for call in message.get("tool_calls", ())
    ]


@pytest.mark.parametrize("name", sorted(TRANSCRIPTS))
def test_every_answer_can_be_a_history(name: str) -> None:
    """Whatever an answer was like, the turn after it is taken, with all the reasoning that was sealed for it."""
    transcript = TRANSCRIPTS[name]
    sent = sent_back(transcript)
    sealed = [unseal(block["signature"]) for block in blocks_of(transcript) if block["type"] == "thinking"]
    details = [detail for reasoning in sealed if reasoning is not None for detail in reasoning.details]
    if sent and transcript.server == "openrouter":
        assert sent.get("reasoning_details", []) == details
    calls = [block["name"] for block in blocks_of(transcript) if block["type"] == "tool_use"]
    assert len(sent.get("tool_calls", ())) == len(calls)
