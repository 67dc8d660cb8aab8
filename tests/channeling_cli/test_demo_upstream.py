"""The demo upstream answers as the API does, at a human pace, within max_tokens, and says what it is."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import anthropic
import orjson
import pytest

from channeling.providers.anthropic.response import count_of_tokens, read_message
from channeling.providers.anthropic.stream import AnthropicStream
from channeling.upstream import UpstreamRequest, read_body
from channeling_cli.demo_upstream import LONGEST_SILENCE_S, PIECES_PER_S, DemoUpstream
from tests.stand_ins.strict_reader import read_strictly

HELLO: dict[str, Any] = {
    "model": "claude-sonnet-5",
    "max_tokens": 1_000,
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello\nthere"}]}],
}


class Pace:
    """Records how long was slept, without sleeping."""

    def __init__(self) -> None:
        self.slept_s: list[float] = []

    async def sleep(self, delay_s: float) -> None:
        self.slept_s.append(delay_s)


async def answer_to(body: Any, path: str = "/v1/messages", pace: Pace | None = None) -> tuple[int, bytes]:
    upstream = DemoUpstream(sleep=(pace or Pace()).sleep)
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    response = await upstream.send(
        UpstreamRequest("POST", f"https://api.anthropic.com{path}?beta=true", [], raw)
    )
    content = await read_body(response)
    await response.aclose()
    await upstream.aclose()
    assert response.headers["request-id"] == "req_demo_000001"
    return response.status, content


async def test_a_stream_is_strictly_right_and_says_what_it_is() -> None:
    pace = Pace()
    status, body = await answer_to(HELLO | {"stream": True}, pace=pace)
    read = read_strictly(body)
    assert status == 200
    assert "built-in demo, not claude-sonnet-5" in read.text
    assert "\u201cHello there\u201d" in read.text
    assert "channeling key set anthropic" in read.text
    assert read.message["stop_reason"] == "end_turn"
    output_tokens = read.message["usage"]["output_tokens"]
    assert output_tokens == len(read.text.split())
    assert pace.slept_s == [1 / PIECES_PER_S] * output_tokens


async def test_its_usage_is_plausible_to_the_reader_of_bills() -> None:
    _, body = await answer_to(HELLO | {"stream": True, "system": "s" * 4_000})
    stream = AnthropicStream("req")
    assert stream.feed(body) == body
    assert stream.facts.usage is not None
    assert stream.facts.output_is_final
    assert 1_000 <= stream.facts.usage.input_tokens < 1_100
    # Under the bound that holds are made by: 0.4 tokens per byte.
    assert stream.facts.usage.output_tokens < 0.4 * stream.emitted.ascii_bytes


async def test_a_whole_answer_says_the_same() -> None:
    pace = Pace()
    _, streamed = await answer_to(HELLO | {"stream": True})
    status, body = await answer_to(HELLO, pace=pace)
    message = orjson.loads(body)
    assert (status, message["type"], message["stop_reason"]) == (200, "message", "end_turn")
    assert message["content"] == [{"type": "text", "text": read_strictly(streamed).text}]
    assert read_message(body)[0].usage is not None
    assert pace.slept_s == [LONGEST_SILENCE_S]


@pytest.mark.parametrize("max_tokens", [1, 5])
async def test_max_tokens_is_honoured(max_tokens: int) -> None:
    body = HELLO | {"max_tokens": max_tokens}
    message = read_strictly((await answer_to(body | {"stream": True}))[1]).message
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("max_tokens", max_tokens)
    whole = orjson.loads((await answer_to(body))[1])
    assert (whole["stop_reason"], whole["usage"]["output_tokens"]) == ("max_tokens", max_tokens)


async def test_a_count_is_what_a_message_bills() -> None:
    _, counted = await answer_to({"model": "m", "messages": HELLO["messages"]}, "/v1/messages/count_tokens")
    usage = read_message((await answer_to(HELLO))[1])[0].usage
    assert usage is not None
    assert count_of_tokens(counted) == usage.input_tokens


@pytest.mark.parametrize(
    ("body", "path", "status", "error_type"),
    [
        (b"nonsense", "/v1/messages", 400, "invalid_request_error"),
        ({"model": "m"}, "/v1/messages", 400, "invalid_request_error"),
        ({"model": "m"}, "/v1/messages/count_tokens", 400, "invalid_request_error"),
        (HELLO, "/v1/complete", 404, "not_found_error"),
    ],
)
async def test_nonsense(body: Any, path: str, status: int, error_type: str) -> None:
    answered, content = await answer_to(body, path)
    assert (answered, orjson.loads(content)["error"]["type"]) == (status, error_type)


@pytest.mark.parametrize("content", [None, [], [7, {"type": "image"}], "", "x" * 500])
async def test_odd_content_is_answered_too(content: Any) -> None:
    status, body = await answer_to(HELLO | {"messages": [{"role": "user", "content": content}]})
    assert status == 200
    assert "x" * 80 not in orjson.loads(body)["content"][0]["text"]


async def test_leaving_stops_it() -> None:
    """Nothing listens and nothing runs on: the answer is made only as it is read."""
    pace = Pace()
    response = await DemoUpstream(sleep=pace.sleep).send(
        UpstreamRequest("POST", "https://x/v1/messages", [], orjson.dumps(HELLO | {"stream": True}))
    )
    chunks = response.chunks()
    for _ in range(5):
        await anext(chunks)
    await response.aclose()
    assert len(pace.slept_s) == 2


def test_it_runs_over_http_in_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "channeling_cli.demo_upstream", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            base_url = json.loads(process.stdout.readline())["base_url"]
            with anthropic.Anthropic(api_key="k", base_url=base_url, max_retries=0) as sdk:
                with sdk.messages.stream(**HELLO | {"max_tokens": 3}) as stream:
                    assert stream.get_final_message().stop_reason == "max_tokens"
                assert sdk.messages.create(**HELLO | {"max_tokens": 3}).usage.output_tokens == 3
                assert sdk.messages.count_tokens(model="m", messages=HELLO["messages"]).input_tokens > 1
                with pytest.raises(anthropic.NotFoundError):
                    sdk.models.retrieve("m")
        finally:
            process.terminate()
    assert process.returncode in (0, -15)


async def test_two_at_once_do_not_share_a_pace() -> None:
    upstream = DemoUpstream(sleep=Pace().sleep)
    call = UpstreamRequest("POST", "https://x/v1/messages", [], orjson.dumps(HELLO | {"stream": True}))
    responses = [await upstream.send(call) for _ in range(2)]
    first, second = await asyncio.gather(*(read_body(response) for response in responses))
    assert read_strictly(first).message["id"] != read_strictly(second).message["id"]
