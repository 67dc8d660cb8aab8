"""The stand-in for chat completions is one that OpenRouter's own package takes for the real thing, and its tricks
work."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openrouter
import pytest
from openrouter.components.chatresult import ChatResultTypedDict
from openrouter.components.chatstreamchunk import ChatStreamChunkTypedDict
from openrouter.errors import OpenRouterError
from openrouter.utils import RetryConfig

from tests.stand_ins.chat_named_scripts import GEMINI_DETAILS, NAMED_SCRIPTS
from tests.stand_ins.chat_script import Completion, Script, Text
from tests.stand_ins.chat_upstream import ChatUpstream
from tests.stand_ins.typed_dict_check import complaints

ANSWERS = [
    name
    for name, scripts in NAMED_SCRIPTS.items()
    if scripts[0].body is None and scripts[0].answers and scripts[0].vendor == "openrouter"
]
# Fields that OpenRouter sends though its types do not have them, and one whose type they have not made nullable.
BESIDE_THE_TYPES = (
    "provider: ",
    "native_finish_reason: ",
    "function.arguments: None is no",
    "server_tool_use_details",
)
HELLO: Any = [{"role": "user", "content": "Hello"}]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.fixture
def stand_in() -> Iterator[ChatUpstream]:
    with ChatUpstream() as upstream:
        yield upstream


@pytest.fixture
def sdk(stand_in: ChatUpstream) -> Iterator[openrouter.OpenRouter]:
    with openrouter.OpenRouter(
        api_key="k", server_url=stand_in.sdk_base_url, retry_config=RetryConfig("none", None, False)
    ) as client:
        yield client


def streamed(sdk: openrouter.OpenRouter, name: str) -> list[Any]:
    with sdk.chat.send(model=f"stand-in/{name}", messages=HELLO, stream=True) as stream:
        return list(stream)


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("max_tokens", [None, 2])
def test_its_answers_are_those_of_the_official_types(name: str, max_tokens: int | None) -> None:
    asked = {"model": "m", "max_tokens": max_tokens}
    completion = Completion(NAMED_SCRIPTS[name][0], asked, 5, 1)
    found = [
        complaint
        for chunk in completion.chunks()
        for complaint in complaints(chunk, ChatStreamChunkTypedDict)
    ]
    found += complaints(Completion(NAMED_SCRIPTS[name][0], asked, 5, 1).whole(), ChatResultTypedDict)
    assert [one for one in found if not any(known in one for known in BESIDE_THE_TYPES)] == []
    if max_tokens is not None:
        assert completion.tokens <= max_tokens


def test_the_sdk_reads_a_stream_and_a_whole_answer_alike(sdk: openrouter.OpenRouter) -> None:
    for name in ("text", "tool", "thinking", "gzip", "crlf", "byte-by-byte"):
        chunks = streamed(sdk, name)
        whole = sdk.chat.send(model=f"stand-in/{name}", messages=HELLO)
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        assert text == (whole.choices[0].message.content or "")
        assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
        assert chunks[-1].usage.cost == whole.usage.cost
        finishes = [choice.finish_reason for chunk in chunks for choice in chunk.choices]
        assert [finish for finish in finishes if finish] == [whole.choices[0].finish_reason]


def test_tool_calls_come_in_pieces(sdk: openrouter.OpenRouter) -> None:
    arguments: dict[int, str] = {}
    for chunk in streamed(sdk, "interleaved"):
        for choice in chunk.choices:
            for call in choice.delta.tool_calls or ():
                arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
    assert [json.loads(text) for text in arguments.values()] == [
        {"city": "København", "days": 3},
        {"zone": "Europe/Copenhagen"},
    ]


@pytest.mark.parametrize("name", ["401", "402", "403", "404", "429", "context", "500", "503", "529"])
def test_errors(sdk: openrouter.OpenRouter, name: str) -> None:
    with pytest.raises(OpenRouterError) as failure:
        sdk.chat.send(model=f"stand-in/{name}", messages=HELLO)
    status = NAMED_SCRIPTS[name][0].status
    assert (failure.value.status_code, json.loads(failure.value.body)["error"]["code"]) == (status, status)


def test_an_error_comes_in_a_chunk_under_the_status_200(sdk: openrouter.OpenRouter) -> None:
    last = streamed(sdk, "error-chunk")[-1]
    assert (last.error.code, last.choices[0].finish_reason) == (502, "error")


def test_a_nasty_stream_holds_the_same_answer(stand_in: ChatUpstream) -> None:
    answer = post(stand_in, model="stand-in/nasty", stream=True)
    assert b": OPENROUTER PROCESSING\r\n\r\n" in answer.content
    records = [line.removeprefix("data: ") for line in answer.text.split("\r\n") if line.startswith("data: ")]
    assert records[-1] == "[DONE]"
    deltas = [
        choice.get("delta") or {}
        for record in records[:-1]
        for choice in json.loads(record).get("choices", ())
    ]
    assert "".join(delta.get("content") or "" for delta in deltas) == "A word."


def post(stand_in: ChatUpstream, *, plain: bool = False, key: str = "k", **body: Any) -> httpx.Response:
    base_url = stand_in.plain_base_url if plain else stand_in.sdk_base_url
    return httpx.post(
        f"{base_url}/chat/completions",
        headers={"authorization": f"Bearer {key}"} if key else {},
        json={"model": "deepseek/deepseek-chat", "messages": HELLO, **body},
    )


def called(call_id: str = "call_1", **changes: Any) -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": "{}"}
    call = {"id": call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call], **changes}


RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "12"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
MISTRAL = "mistralai/devstral-2512:free"
GEMINI = "google/gemini-3-pro-preview"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="plain"),
        pytest.param({"messages": [*HELLO, called(), RESULT]}, id="a tool result"),
        pytest.param({"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False}, id="tools"),
        pytest.param({"reasoning": {"max_tokens": 2_000}}, id="documented, not typed"),
        pytest.param({"provider": {"max_price": {"prompt": "1"}, "require_parameters": True}}, id="provider"),
        pytest.param({"stop": ["a", "b", "c", "d"], "session_id": "s" * 256, "user": "u"}, id="others"),
        pytest.param({"messages": [{"role": "user", "content": [PICTURE]}]}, id="a picture"),
    ],
)
def test_good_requests_are_taken(stand_in: ChatUpstream, body: dict[str, Any]) -> None:
    assert post(stand_in, **body).status_code == 200
    stand_in.assert_nothing_refused()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"betas": ["x"]}, "no such field"),
        ({"temperature": True}, "is no"),
        ({"messages": []}, "at least 1"),
        ({"messages": [*HELLO, called()]}, "insufficient tool messages"),
        ({"messages": [*HELLO, called(), *HELLO, RESULT]}, "insufficient tool messages"),
        ({"messages": [*HELLO, RESULT]}, "must be a response"),
        ({"messages": [*HELLO, called("x" * 65), {**RESULT, "tool_call_id": "x" * 65}]}, "tool_calls"),
        ({"messages": [*HELLO, called(), RESULT, called(), RESULT]}, "Duplicate"),
        ({"messages": [*HELLO, called(), {**RESULT, "content": [PICTURE]}]}, "text only"),
        ({"messages": [{"role": "user", "content": ""}]}, "non-empty"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "non-empty"),
        ({"messages": [*HELLO, {"role": "assistant", "content": None}]}, "either content or tool_calls"),
        ({"model": GEMINI, "messages": [*HELLO, called(), RESULT]}, "reasoning details"),
        ({"model": MISTRAL, "messages": [*HELLO, called(), RESULT]}, "length of 9"),
        (
            {
                "model": MISTRAL,
                "messages": [*HELLO, called("a" * 9), {**RESULT, "tool_call_id": "a" * 9}, *HELLO],
            },
            "Unexpected role",
        ),
        ({"tools": []}, "too short"),
        ({"tool_choice": "auto"}, "only allowed when tools"),
        ({"tools": [TOOL, TOOL]}, "Duplicate"),
        ({"stop": list("abcde")}, "1 to 4"),
        ({"max_tokens": 0}, "at least 1"),
        ({"user": "u" * 129}, "<=128"),
        ({"reasoning": {"effort": "low", "max_tokens": 5}}, "Only one"),
    ],
)
def test_bad_requests_are_refused(stand_in: ChatUpstream, body: dict[str, Any], message: str) -> None:
    answer = post(stand_in, **body)
    assert (answer.status_code, bool(stand_in.refused)) == (400, True)
    assert message in answer.json()["error"]["message"]
    with pytest.raises(AssertionError):
        stand_in.assert_nothing_refused()


def test_a_server_that_is_not_openrouter_knows_nothing_of_its_own(stand_in: ChatUpstream) -> None:
    assert post(stand_in, plain=True, key="", max_tokens=5).status_code == 200
    stand_in.assert_nothing_refused()
    assert post(stand_in, plain=True, provider={"require_parameters": True}).status_code == 400


def test_reasoning_details_go_back_as_they_came(stand_in: ChatUpstream) -> None:
    whole = post(stand_in, model="stand-in/gemini").json()["choices"][0]["message"]
    assert whole["reasoning_details"] == [{**one, "index": i} for i, one in enumerate(GEMINI_DETAILS)]
    calls = whole["tool_calls"]
    results = [{**RESULT, "tool_call_id": call["id"]} for call in calls]
    replay = {"role": "assistant", "content": None, "tool_calls": calls}
    good = {**replay, "reasoning_details": [{**one, "index": i} for i, one in enumerate(GEMINI_DETAILS)]}
    assert post(stand_in, model=GEMINI, messages=[*HELLO, good, *results]).status_code == 200
    bad = {**replay, "reasoning_details": [GEMINI_DETAILS[0], {**GEMINI_DETAILS[1], "data": "CuMB"}]}
    answer = post(stand_in, model=GEMINI, messages=[*HELLO, bad, *results])
    assert "Invalid `signature`" in answer.json()["error"]["message"]


def test_without_a_key_it_answers_nobody(stand_in: ChatUpstream) -> None:
    assert post(stand_in, key="").status_code == 401
    assert httpx.post(f"{stand_in.sdk_base_url}/messages", json={}).status_code == 401


def test_it_answers_in_anthropic_s_own_format_too(stand_in: ChatUpstream) -> None:
    body = {"model": "anthropic/claude-sonnet-4.5", "max_tokens": 5, "messages": HELLO}
    headers = {"authorization": "Bearer k"}
    answer = httpx.post(f"{stand_in.sdk_base_url}/messages", headers=headers, json=body)
    assert answer.json()["type"] == "message"
    assert [request.path for request in stand_in.requests] == ["/api/v1/messages"]


def test_a_gated_answer_waits_and_leaving_is_seen(stand_in: ChatUpstream) -> None:
    stand_in.script = Script((Text("one two three"),), gated=True)
    body = {"model": "m", "messages": HELLO, "stream": True}
    headers = {"authorization": "Bearer k"}
    url = f"{stand_in.sdk_base_url}/chat/completions"
    with httpx.stream("POST", url, headers=headers, json=body) as answer:
        stand_in.release(1)
        stand_in.wait_until(lambda requests: requests[0].pieces_sent == 1)
        assert answer.status_code == 200
    stand_in.wait_until(lambda requests: requests[0].client_left)


def test_it_runs_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.stand_ins.chat_upstream"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        base_url = json.loads(process.stdout.readline())["base_url"]
        with openrouter.OpenRouter(api_key="k", server_url=f"{base_url}/api/v1") as sdk:
            assert streamed(sdk, "tool")[-1].usage.cost == 0.0005
        (seen,) = httpx.get(f"{base_url}/stand-in/requests").json()
        assert (seen["path"], seen["answered"]) == ("/api/v1/chat/completions", True)
        process.stdin.close()
        assert process.wait(20) == 0
