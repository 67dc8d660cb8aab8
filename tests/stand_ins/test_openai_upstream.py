"""The stand-in for the Responses API is one that the official SDK takes for the real thing, and its tricks work."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response as ApiResponse
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from tests.stand_ins.openai_named_scripts import NAMED_SCRIPTS, OVERLOADED
from tests.stand_ins.openai_script import FunctionCall, Message, Reasoning, Response, Script
from tests.stand_ins.openai_upstream import OpenAIUpstream

# Those whose content has two thousand words differ in how they travel only.
ANSWERS = [
    name
    for name, scripts in NAMED_SCRIPTS.items()
    if scripts[0].body is None and scripts[0].answers and name not in ("paced", "dies")
]
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
INCLUDE: Any = ["reasoning.encrypted_content", "web_search_call.action.sources"]


@pytest.fixture
def stand_in() -> Iterator[OpenAIUpstream]:
    with OpenAIUpstream() as upstream:
        yield upstream


@pytest.fixture
def sdk(stand_in: OpenAIUpstream) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=stand_in.sdk_base_url, max_retries=0) as client:
        yield client


def streamed(sdk: openai.OpenAI, name: str, **fields: Any) -> Any:
    """Return the response of the stream's terminal event."""
    return last_event(sdk, name, **fields).response


def last_event(sdk: openai.OpenAI, name: str, **fields: Any) -> Any:
    events = sdk.responses.create(
        model=f"gpt-stand-in-{name}", input="Hello", store=False, include=INCLUDE, stream=True, **fields
    )
    with events:
        *_, last = events
    return last


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("max_output_tokens", [None, 16])
def test_its_events_are_those_of_the_official_types(name: str, max_output_tokens: int | None) -> None:
    response = Response(NAMED_SCRIPTS[name][0], {"model": "m", "max_output_tokens": max_output_tokens}, 5, 1)
    events = list(response.events())
    for event in events:
        read = EVENTS.validate_json(json.dumps(event), strict=True)
        unknown = (read.model_extra or {}).keys() - {"obfuscation"}
        assert not unknown, (event["type"], unknown)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    last = ApiResponse.model_validate(events[-1]["response"], strict=True)
    assert last.status != "in_progress"
    if last.usage is not None and max_output_tokens is not None:
        assert last.usage.output_tokens <= max_output_tokens


@pytest.mark.parametrize(
    "name", ["text", "long", "thinking", "tool", "interleaved", "web-search", "byte-by-byte", "crlf", "gzip"]
)
def test_streamed_and_whole_answers_are_the_same_to_the_sdk(sdk: openai.OpenAI, name: str) -> None:
    answer = streamed(sdk, name)
    whole = sdk.responses.create(model=f"gpt-stand-in-{name}", input="Hello", store=False, include=INCLUDE)

    def shown(response: Any) -> list[Any]:
        drop = {"id", "call_id", "encrypted_content"}
        return [item.model_dump(exclude=drop) for item in response.output]

    assert shown(answer) == shown(whole)
    assert (answer.status, answer.usage.output_tokens) == (whole.status, whole.usage.output_tokens)


def test_the_sdk_accumulates_what_was_scripted(sdk: openai.OpenAI) -> None:
    with sdk.responses.stream(model="gpt-stand-in-tool", input="Hello") as stream:
        response: Any = stream.get_final_response()
    reasoning, message, first, second = response.output
    assert reasoning.summary[0].text == "I should look."
    assert (message.content[0].text, message.phase) == ("I will look.", "commentary")
    assert json.loads(first.arguments) == {"city": "K\u00f8benhavn", "days": 3}
    assert (second.name, second.arguments) == ("get_time", "{}")
    assert first.call_id != second.call_id


def test_interleaved_calls_come_in_turns() -> None:
    long, short = FunctionCall("read", {"path": "x" * 100}), FunctionCall("look", {"at": "all of it"})
    events = list(Response(Script((long, short), interleaved=True), {"model": "m"}, 5, 1).events())
    deltas = [event["output_index"] for event in events if event["type"].endswith("arguments.delta")]
    assert deltas[:4] == [0, 1, 0, 1]
    ended = [event["output_index"] for event in events if event["type"] == "response.output_item.done"]
    assert ended == [1, 0]
    assert [item["name"] for item in events[-1]["response"]["output"]] == ["read", "look"]


@pytest.mark.parametrize(
    ("max_output_tokens", "status"), [(16, "incomplete"), (1_999, "incomplete"), (2_000, "completed")]
)
def test_max_output_tokens_is_honoured(sdk: openai.OpenAI, max_output_tokens: int, status: str) -> None:
    answer = streamed(sdk, "long", max_output_tokens=max_output_tokens)
    assert answer.status == status
    assert len(answer.output[0].content[0].text.split()) == min(max_output_tokens, 2_000)


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("401", 401, "invalid_api_key"),
        ("403", 403, "unsupported_country_region_territory"),
        ("404", 404, "model_not_found"),
        ("429", 429, "rate_limit_exceeded"),
        ("quota", 429, "insufficient_quota"),
        ("context", 400, "context_length_exceeded"),
        ("policy", 400, "invalid_prompt"),
        ("500", 500, None),
        ("502", 502, None),
        ("503", 503, "server_is_overloaded"),
    ],
)
def test_errors(sdk: openai.OpenAI, name: str, status: int, code: str | None) -> None:
    with pytest.raises(openai.APIStatusError) as failure:
        streamed(sdk, name)
    assert (failure.value.status_code, failure.value.code) == (status, code)


def test_an_error_event_and_a_failed_response(sdk: openai.OpenAI) -> None:
    failed = streamed(sdk, "failed")
    assert (failed.status, failed.error.code) == ("failed", "server_error")
    error = last_event(sdk, "error-event")
    assert (error.type, error.code) == ("error", "server_error")


@pytest.mark.parametrize("name", ["dies", "garbage"])
def test_broken_streams(sdk: openai.OpenAI, name: str) -> None:
    with pytest.raises(Exception, match=r"reset|decode|Connection error"):  # each of another library
        streamed(sdk, name)


def test_a_request_that_the_types_do_not_know_is_refused(stand_in: OpenAIUpstream) -> None:
    answer = httpx.post(
        f"{stand_in.sdk_base_url}/responses",
        headers={"authorization": "Bearer k"},
        json={"model": "gpt-5.2", "input": "Hello", "stop": ["x"]},
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "stop"
    assert [refusal.of_types for refusal in stand_in.refused] == [True]
    with pytest.raises(AssertionError, match="stop"):
        stand_in.assert_nothing_refused()
    stand_in.reset()
    stand_in.assert_nothing_refused()


def test_a_request_without_a_key_is_refused(stand_in: OpenAIUpstream) -> None:
    answer = httpx.post(f"{stand_in.sdk_base_url}/responses", json={"model": "gpt-5.2", "input": "Hello"})
    assert (answer.status_code, stand_in.refused) == (401, [])


def test_reasoning_goes_back_as_it_came_or_not_at_all(sdk: openai.OpenAI, stand_in: OpenAIUpstream) -> None:
    stand_in.script = Script((Reasoning(("Hm.",)), FunctionCall("look", call_id="call_1")))
    tools: Any = [
        {
            "type": "function",
            "name": "look",
            "strict": False,
            "parameters": {"type": "object", "properties": {}},
        }
    ]
    first = sdk.responses.create(model="gpt-5.2", input="Hello", tools=tools, include=INCLUDE)
    reasoning, call = first.output
    assert isinstance(reasoning.encrypted_content, str)  # type: ignore[union-attr]
    output = {"type": "function_call_output", "call_id": "call_1", "output": "seen"}
    kept: Any = {
        "type": "reasoning",
        **reasoning.model_dump(include={"id", "summary", "encrypted_content"}),
    }
    called: Any = call.model_dump(include={"type", "call_id", "name", "arguments"})
    hello = {"role": "user", "content": "Hello"}
    history: Any = [hello, kept, called, output]
    assert sdk.responses.create(model="gpt-5.2", input=history, tools=tools).status == "completed"
    stand_in.assert_nothing_refused()
    altered: Any = [hello, {**kept, "encrypted_content": kept["encrypted_content"][:-2]}, called, output]
    with pytest.raises(openai.BadRequestError) as failure:
        sdk.responses.create(model="gpt-5.2", input=altered, tools=tools)
    assert failure.value.code == "invalid_encrypted_content"


def test_the_first_ciphertext_of_an_item_is_not_yet_all_of_it() -> None:
    events = list(Response(NAMED_SCRIPTS["thinking"][0], {"model": "m"}, 5, 1).events())
    ciphertexts = [
        event["item"]["encrypted_content"]
        for event in events
        if "item" in event and event["item"]["type"] == "reasoning"
    ]
    assert len(ciphertexts[0]) < len(ciphertexts[1])
    assert ciphertexts[1].startswith(ciphertexts[0])


def test_scripts_in_a_row(sdk: openai.OpenAI, stand_in: OpenAIUpstream) -> None:
    stand_in.then(OVERLOADED, Script((Message("second"),)))
    with pytest.raises(openai.InternalServerError):
        sdk.responses.create(model="gpt-5.2", input="Hello")
    texts = [sdk.responses.create(model="gpt-5.2", input="Hello").output_text for _ in range(2)]
    assert texts == ["second", "Hello from the stand-in, with a smile: \u00e9\u4f60\U0001f600."]


def test_a_gated_answer_waits_and_leaving_is_seen(sdk: openai.OpenAI, stand_in: OpenAIUpstream) -> None:
    with sdk.responses.create(model="gpt-stand-in-paced", input="Hello", stream=True) as stream:
        stand_in.release(2)
        deltas = (event.delta for event in stream if event.type == "response.output_text.delta")
        assert [next(deltas), next(deltas)] == ["word ", "word "]
    stand_in.wait_until(lambda requests: requests[0].client_left)
    assert not stand_in.requests[0].answered


def test_a_count(sdk: openai.OpenAI, stand_in: OpenAIUpstream) -> None:
    stand_in.script = Script(input_tokens=2_095)
    assert sdk.responses.input_tokens.count(model="gpt-5.2", input="Hello").input_tokens == 2_095


def test_nasty_streams_still_say_it_all(sdk: openai.OpenAI) -> None:
    answer = streamed(sdk, "nasty")
    assert (
        answer.output[0].content[0].text == "Hello from the stand-in, with a smile: \u00e9\u4f60\U0001f600."
    )


def test_it_runs_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.stand_ins.openai_upstream"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        base_url = json.loads(process.stdout.readline())["base_url"]
        with openai.OpenAI(api_key="k", base_url=f"{base_url}/v1", max_retries=0) as sdk:
            assert streamed(sdk, "tool").status == "completed"
        (seen,) = httpx.get(f"{base_url}/stand-in/requests").json()
        assert (seen["path"], seen["answered"]) == ("/v1/responses", True)
        process.stdin.close()
        assert process.wait(20) == 0
