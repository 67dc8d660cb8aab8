"""The stand-in for the Anthropic API is one that the official SDK takes for the real thing, and its tricks work."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from tests.stand_ins.anthropic_script import (
    LONG_TEXT,
    NAMED_SCRIPTS,
    OVERLOADED,
    SIGNATURE,
    Script,
    Text,
    encoded,
    events_of,
)
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.strict_reader import read_strictly

HELLO: Any = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def stand_in() -> Iterator[AnthropicUpstream]:
    with AnthropicUpstream() as upstream:
        yield upstream


@pytest.fixture
def sdk(stand_in: AnthropicUpstream) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="k", base_url=stand_in.base_url, max_retries=0) as client:
        yield client


def streamed(sdk: anthropic.Anthropic, name: str, max_tokens: int = 5_000) -> Any:
    model = f"claude-stand-in-{name}"
    with sdk.messages.stream(model=model, max_tokens=max_tokens, messages=HELLO) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize(
    "name", ["text", "long", "thinking", "tool", "cached", "byte-by-byte", "crlf", "gzip"]
)
def test_streamed_and_whole_answers_are_the_same_to_the_sdk(sdk: anthropic.Anthropic, name: str) -> None:
    answer = streamed(sdk, name)
    whole = sdk.messages.create(model=f"claude-stand-in-{name}", max_tokens=5_000, messages=HELLO)
    drop = {"parsed_output", "id"}
    assert [block.model_dump(exclude=drop) for block in answer.content] == [
        block.model_dump(exclude=drop) for block in whole.content
    ]
    assert (answer.stop_reason, answer.usage.output_tokens) == (whole.stop_reason, whole.usage.output_tokens)


def test_content_is_what_was_scripted(sdk: anthropic.Anthropic) -> None:
    thinking = streamed(sdk, "thinking").content[0]
    assert (thinking.thinking, thinking.signature) == ("Let me think about that.", SIGNATURE)
    _, first, second = streamed(sdk, "tool").content
    assert (first.input, second.input) == ({"city": "K\u00f8benhavn", "days": 3}, {})


@pytest.mark.parametrize(
    ("max_tokens", "stop_reason"), [(1, "max_tokens"), (7, "max_tokens"), (2_000, "end_turn")]
)
def test_max_tokens_is_honoured(sdk: anthropic.Anthropic, max_tokens: int, stop_reason: str) -> None:
    answer = streamed(sdk, "long", max_tokens)
    assert (answer.usage.output_tokens, answer.stop_reason) == (max_tokens, stop_reason)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("400", 400),
        ("401", 401),
        ("402", 402),
        ("403", 403),
        ("404", 404),
        ("413", 413),
        ("429", 429),
        ("500", 500),
        ("503", 503),
        ("529", 529),
        ("credit", 400),
        ("error-event", 200),
    ],
)
def test_errors(sdk: anthropic.Anthropic, name: str, status: int) -> None:
    with pytest.raises(anthropic.APIStatusError) as failure:
        streamed(sdk, name)
    assert failure.value.status_code == status


@pytest.mark.parametrize("name", ["dies", "garbage"])
def test_broken_streams(sdk: anthropic.Anthropic, name: str) -> None:
    with pytest.raises(Exception, match=r"reset|decode"):  # the SDK's HTTP library has its own error types
        streamed(sdk, name)


def test_a_clean_end_without_message_stop_is_silently_taken_by_the_sdk(sdk: anthropic.Anthropic) -> None:
    """Which is why the gateway must say it: `stop_reason` is all that a client could look at."""
    assert streamed(sdk, "clean-eof").stop_reason is None
    assert streamed(sdk, "eof-after-delta").stop_reason == "end_turn"


def test_scripts_in_a_row(sdk: anthropic.Anthropic, stand_in: AnthropicUpstream) -> None:
    stand_in.then(OVERLOADED, Script(blocks=(Text("second"),)))
    with pytest.raises(anthropic.APIStatusError):
        streamed_as(sdk)
    assert [streamed_as(sdk).content[0].text for _ in range(2)] == [
        "second",
        "Hello from the stand-in, with a smile: \u00e9\u4f60\U0001f600.",
    ]
    with pytest.raises(anthropic.APIStatusError):
        streamed(sdk, "busy-once")
    assert streamed(sdk, "busy-once").stop_reason == "end_turn"


def streamed_as(sdk: anthropic.Anthropic, model: str = "claude-sonnet-5") -> Any:
    with sdk.messages.stream(model=model, max_tokens=500, messages=HELLO) as stream:
        return stream.get_final_message()


def test_a_header_chooses_the_script_too(stand_in: AnthropicUpstream) -> None:
    headers = {"anthropic-stand-in": "429"}
    answer = httpx.post(f"{stand_in.base_url}/v1/messages", headers=headers, json={})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "17"


def test_a_gated_answer_waits_and_leaving_is_seen(
    sdk: anthropic.Anthropic, stand_in: AnthropicUpstream
) -> None:
    stand_in.script = Script(blocks=(Text(LONG_TEXT),), gated=True)
    with sdk.messages.stream(model="m", max_tokens=500, messages=HELLO) as stream:
        stand_in.release(2)
        texts = stream.text_stream
        assert [next(texts), next(texts)] == ["word ", "word "]
        assert (stand_in.requests[0].pieces_sent, stand_in.requests[0].client_left) == (2, False)
    stand_in.wait_until(lambda requests: requests[0].client_left)
    assert not stand_in.requests[0].answered


def test_a_count(sdk: anthropic.Anthropic, stand_in: AnthropicUpstream) -> None:
    stand_in.script = Script(input_tokens=2_095)
    assert sdk.messages.count_tokens(model="m", messages=HELLO).input_tokens == 2_095


@pytest.mark.parametrize("name", ["text", "long", "thinking", "tool", "cached"])
@pytest.mark.parametrize("max_tokens", [1, 3, 9_999])
def test_its_streams_are_strictly_right(name: str, max_tokens: int) -> None:
    events = events_of(NAMED_SCRIPTS[name][0], model="m", max_tokens=max_tokens, input_tokens=5)
    read = read_strictly(b"".join(encoded(event) for event in events))
    assert read.message["usage"]["output_tokens"] <= max_tokens


def test_it_runs_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.stand_ins.anthropic_upstream"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        base_url = json.loads(process.stdout.readline())["base_url"]
        with (
            anthropic.Anthropic(api_key="k", base_url=base_url, max_retries=0) as sdk,
            sdk.messages.stream(model="claude-stand-in-paced", max_tokens=5, messages=HELLO) as stream,
        ):
            urllib.request.urlopen(f"{base_url}/stand-in/release?count=5", data=b"").close()  # noqa: S310 - http
            assert stream.get_final_message().stop_reason == "max_tokens"
        with urllib.request.urlopen(f"{base_url}/stand-in/requests") as listing:  # noqa: S310 - http
            (seen,) = json.loads(listing.read())
        assert (seen["path"], seen["answered"], seen["pieces_sent"]) == ("/v1/messages", True, 5)
        process.stdin.close()
        assert process.wait(20) == 0
