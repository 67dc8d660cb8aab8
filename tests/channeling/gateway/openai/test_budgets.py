"""Nobody spends more than their budget on OpenAI's models, whose usage is told only when an answer has ended."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.channeling.gateway.openai.conftest import message
from tests.stand_ins.gateway_server import GatewayServer
from tests.stand_ins.openai_named_scripts import LONG_TEXT
from tests.stand_ins.openai_script import FunctionCall, Message, OutputItem, Reasoning, Script
from tests.stand_ins.openai_upstream import OpenAIUpstream
from tests.stand_ins.strict_reader import read_strictly

INPUT, OUTPUT = 1_750, 14_000  # gpt-5.2, nanodollars per token
# Held at twice that: unless the request rules it out, it may be served, and billed, as priority.
HELD_INPUT, HELD_OUTPUT = 2 * INPUT, 2 * OUTPUT
WRITE = {"name": "write", "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}}}


def post(gateway: GatewayServer, limit_microusd: int, **changes: Any) -> httpx.Response:
    return httpx.post(
        f"{gateway.base_url}/v1/messages",
        json=message(**changes),
        headers={"x-api-key": gateway.token(limit_microusd=limit_microusd)},
        timeout=30,
    )


def test_a_spent_budget_reaches_no_provider(gateway: GatewayServer, upstream: OpenAIUpstream) -> None:
    upstream.script = Script((Message("One."),), input_tokens=10, reasoning_tokens=499)
    assert post(gateway, 100_000).status_code == 200  # 10 × $1.75 + 500 × $14 per million: $0.0070175
    refused = post(gateway, 7_017)
    assert refused.status_code == 429
    assert refused.json()["error"]["details"]["error_code"] == "budget_exceeded"
    assert len(upstream.requests) == 1
    assert gateway.assert_settled() == 10 * INPUT + 500 * OUTPUT


@pytest.mark.parametrize(
    "items",
    [
        pytest.param((Message(LONG_TEXT),), id="text"),
        pytest.param((Reasoning((LONG_TEXT,)), Message("Done.")), id="thinking"),
        pytest.param((Reasoning(text=LONG_TEXT), Message("Done.")), id="open thinking"),
        pytest.param((FunctionCall("write", {"text": LONG_TEXT}),), id="tool input"),
        pytest.param((FunctionCall("write"), FunctionCall("write", {"text": LONG_TEXT})), id="second call"),
        pytest.param((Message(refusal=LONG_TEXT),), id="refusal"),
        pytest.param((Message("你好，世界。 " * 700),), id="CJK"),
    ],
)
def test_a_spent_budget_cuts_a_stream_in_good_order(
    own_gateway: GatewayServer, upstream: OpenAIUpstream, items: tuple[OutputItem, ...]
) -> None:
    """The open block is closed, `max_tokens` is the reason, OpenAI is left, the limit is kept."""
    limit = 40_000_000
    upstream.script = Script(items, input_tokens=100, ending="hang")
    thinking = {"type": "enabled", "budget_tokens": 1_024}
    answer = post(
        own_gateway, limit // 1_000, stream=True, max_tokens=32_000, tools=[WRITE], thinking=thinking
    )
    assert answer.status_code == 200
    read = read_strictly(answer.content)
    assert read.message["stop_reason"] == "max_tokens"
    assert read.message["usage"]["output_tokens"] > 0
    upstream.wait_until(lambda requests: requests[-1].client_left)
    settled = own_gateway.assert_settled()
    assert 0 < settled <= limit
    [record] = own_gateway.records()
    assert (record.status, record.cut, record.estimated, record.uncollected) == ("ok", True, True, 0)
    assert record.stop_reason == "max_tokens"
    assert post(own_gateway, settled // 1_000, stream=True).status_code == 429


def test_hidden_reasoning_is_cut_too(own_gateway: GatewayServer, upstream: OpenAIUpstream) -> None:
    """A model that reasons without a word bills for it: the hold is metered by time."""
    upstream.script = Script((Message("Short."),), input_tokens=100)
    for _ in range(20):  # so that short answers are expected
        assert post(own_gateway, 5_000_000, stream=True, max_tokens=32_000).status_code == 200
    settled = own_gateway.assert_settled()
    upstream.script = Script((Reasoning(), Message("Done.")), ending="hang", records_before_ending=3)
    answer = post(own_gateway, settled // 1_000 + 6_000, stream=True, max_tokens=32_000)
    assert read_strictly(answer.content).message["stop_reason"] == "max_tokens"
    upstream.wait_until(lambda requests: requests[-1].client_left)
    assert own_gateway.assert_settled() <= settled + 6_000_000
    assert [record.cut for record in own_gateway.records()].count(True) == 1


def test_compaction_that_openai_is_not_asked_for_is_not_held_for(
    gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    """It would hold a whole context window; the conversation goes up as it is."""
    edits = {"edits": [{"type": "compact_20260112"}]}
    assert post(gateway, 100_000, max_tokens=100, context_management=edits).status_code == 200
    [seen] = upstream.requests
    assert b"context_management" not in seen.body


def test_a_stream_that_is_cut_before_a_word_ends_well_and_its_input_is_billed(
    own_gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    """OpenAI has taken the request and says nothing more, as where it reasons: an error would be retried."""
    upstream.script = Script((Message("Short."),), input_tokens=100)
    for _ in range(20):  # so that short answers are expected
        assert post(own_gateway, 5_000_000, stream=True, max_tokens=32_000).status_code == 200
    settled = own_gateway.assert_settled()
    upstream.script = Script(ending="hang", records_before_ending=2)
    answer = post(own_gateway, settled // 1_000 + 6_000, stream=True, max_tokens=32_000)
    read = read_strictly(answer.content)
    assert (read.message["content"], read.message["stop_reason"]) == ([], "max_tokens")
    upstream.wait_until(lambda requests: requests[-1].client_left)
    assert settled < own_gateway.assert_settled() <= settled + 6_000_000
    assert [record.cut for record in own_gateway.records()].count(True) == 1


def test_a_long_answer_is_extended_and_billed_as_reported(
    own_gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    upstream.script = Script((Message(LONG_TEXT),), input_tokens=100)
    answer = post(own_gateway, 5_000_000, stream=True, max_tokens=32_000)
    assert read_strictly(answer.content).text == LONG_TEXT
    assert own_gateway.store_calls()["update", "budgets"] >= 4
    assert own_gateway.assert_settled() == 100 * INPUT + 2_000 * OUTPUT


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_what_does_not_fit_is_clamped_in_what_openai_is_asked(
    gateway: GatewayServer, upstream: OpenAIUpstream, stream: bool
) -> None:
    upstream.script = Script((Message("One."),), input_tokens=10)
    answer = post(gateway, 32_000, max_tokens=32_000, stream=stream)
    assert answer.status_code == 200
    clamped = int(answer.headers["x-channeling-max-tokens"])
    assert upstream.requests[-1].json()["max_output_tokens"] == clamped
    body_bytes = len(
        httpx.Request("POST", "http://x", json=message(max_tokens=32_000, stream=stream)).content
    )
    assert clamped == pytest.approx((32_000_000 - body_bytes * HELD_INPUT) // HELD_OUTPUT, abs=10)
    gateway.assert_settled()


def test_a_probe_for_one_token_is_held_for_the_sixteen_that_openai_may_bill(
    gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    """Claude Code probes with `max_tokens: 1`; OpenAI takes no fewer than 16."""
    upstream.script = Script((Message(LONG_TEXT),), input_tokens=10, gated=True)
    token = gateway.token()
    with httpx.stream(
        "POST",
        f"{gateway.base_url}/v1/messages",
        json=message(max_tokens=1, stream=True),
        headers={"x-api-key": token},
        timeout=20,
    ) as answer:
        upstream.release(1)
        chunks = answer.iter_bytes()
        first = next(chunks)
        window = gateway.budget().window
        assert window is not None
        (held,) = window.holds.values()
        assert held >= 16 * HELD_OUTPUT
        upstream.release()
        read = read_strictly(first + b"".join(chunks))
    assert read.message["stop_reason"] == "max_tokens"
    assert gateway.assert_settled() == 10 * INPUT + 16 * OUTPUT <= held
    assert gateway.records()[0].uncollected == 0


def test_a_large_input_is_counted_by_openai_before_it_is_refused(
    gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    """Where a byte per token does not fit, OpenAI's own count is asked, and then it does; its margin is held."""
    upstream.script = Script((Message("One."),), input_tokens=25_000)
    messages = [{"role": "user", "content": "word " * 20_000}]
    answer = post(gateway, 200_000, messages=messages, max_tokens=64)
    assert answer.status_code == 200, answer.text
    assert [seen.path for seen in upstream.requests] == ["/v1/responses/input_tokens", "/v1/responses"]
    assert gateway.assert_settled() == 25_000 * INPUT + OUTPUT


def test_a_count_that_fails_leaves_the_bound(gateway: GatewayServer, upstream: OpenAIUpstream) -> None:
    upstream.script = Script(status=500, body=b"oops", checks=False)
    messages = [{"role": "user", "content": "word " * 20_000}]
    assert post(gateway, 200_000, messages=messages, max_tokens=64).status_code == 429
    assert [seen.path for seen in upstream.requests] == ["/v1/responses/input_tokens"]


def test_searches_without_a_bound_are_refused_by_name(
    gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    tool = {"type": "web_search_20250305", "name": "web_search"}
    refused = post(gateway, 5_000_000, tools=[tool])
    assert refused.status_code == 400
    assert "web_search_20250305" in refused.json()["error"]["message"]
    assert upstream.requests == []


def test_searches_are_bounded_upstream_as_they_are_held_for(
    gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    tool = {"type": "web_search_20250305", "name": "web_search", "max_uses": 1}
    assert post(gateway, 5_000_000, tools=[tool]).status_code == 200
    assert upstream.requests[0].json()["max_tool_calls"] == 1
    gateway.assert_settled()


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_budget_is_spent_to_its_end_by_callers_who_wait(
    gateway: GatewayServer, upstream: OpenAIUpstream, stream: bool
) -> None:
    """I1: eight callers race for it, each told only at an answer's end what it used: the limit is kept."""
    limit = 12_000_000
    token = gateway.token(limit_microusd=limit // 1_000)
    upstream.script = Script((Reasoning(), Message("One two three.")), input_tokens=60, reasoning_tokens=40)

    async def worker(client: httpx.AsyncClient) -> None:
        while True:
            answer = await client.post(
                "/v1/messages", json=message(max_tokens=64, stream=stream), headers={"x-api-key": token}
            )
            if answer.status_code == 429 and answer.headers.get("x-should-retry") == "false":
                return
            assert answer.status_code in (200, 429), answer.text

    async with httpx.AsyncClient(base_url=gateway.base_url, timeout=60) as client:
        await asyncio.gather(*(worker(client) for _ in range(8)))
    settled = await asyncio.to_thread(gateway.assert_settled)
    records = [record for record in await asyncio.to_thread(gateway.records) if record.status == "ok"]
    assert {record.cost for record in records} == {60 * INPUT + 43 * OUTPUT}
    assert limit - 64 * HELD_OUTPUT - 200 * HELD_INPUT < settled <= limit
    assert [record.uncollected for record in records] == [0] * len(records)


def test_the_common_request_costs_one_write_before_and_two_after(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    """The input is known at the end alone, when lowering the hold to it would be a write for nothing."""
    token = gateway.token(limit_microusd=70_000)  # of which the expected answer's hold is more than half
    headers = {"x-api-key": token}
    client.post("/v1/messages", json=message(), headers=headers)
    gateway.store_calls()
    answer = client.post("/v1/messages", json=message(stream=True, max_tokens=32_000), headers=headers)
    assert b"message_stop" in answer.content
    assert gateway.store_calls() == Counter({("update", "budgets"): 2, ("put", "usage"): 1})


LARGE = [{"role": "user", "content": "word " * 20_000}]  # 100 KB, of 25,000 tokens
LARGE_SCRIPT = Script((Message("One two three."),), input_tokens=25_000)


def test_a_large_input_is_counted_while_its_answer_runs_so_that_others_need_not_wait(
    gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    """OpenAI says at the end alone what an input was billed as; until then it is held at a token a byte, which
    leaves no room for a second request, and after its count does."""
    limit = 450_000
    body = message(max_tokens=1_000, stream=True, messages=LARGE)
    headers = {"x-api-key": gateway.token(limit_microusd=limit)}
    upstream.script = replace(LARGE_SCRIPT, gated=True)
    with httpx.stream("POST", f"{gateway.base_url}/v1/messages", json=body, headers=headers) as answer:
        chunks = answer.iter_bytes()
        upstream.release(1)
        first = next(chunks)
        upstream.script = LARGE_SCRIPT
        for _ in range(200):
            second = post(gateway, limit, max_tokens=1_000, messages=LARGE)
            if second.status_code == 200:
                break
            assert second.json()["error"]["message"].startswith("AI budget is held by requests in flight")
        assert second.status_code == 200
        upstream.release()
        read_strictly(first + b"".join(chunks))
    assert gateway.assert_settled() == 2 * (25_000 * INPUT + 3 * OUTPUT)


def test_a_large_input_is_not_counted_and_no_more_is_written_where_money_is_free(
    gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    post(gateway, 5_000_000)
    gateway.store_calls()
    upstream.reset()
    upstream.script = LARGE_SCRIPT
    assert post(gateway, 5_000_000, stream=True, max_tokens=1_000, messages=LARGE).status_code == 200
    assert gateway.store_calls() == Counter({("update", "budgets"): 2, ("put", "usage"): 1})
    assert [seen.path for seen in upstream.requests] == ["/v1/responses"]


def test_with_little_free_the_count_costs_one_write(gateway: GatewayServer, upstream: OpenAIUpstream) -> None:
    """The hold is lowered once; the stream, which is short, asks for nothing else."""
    post(gateway, 450_000)
    gateway.store_calls()
    upstream.reset()
    upstream.script = replace(LARGE_SCRIPT, gated=True)
    body = message(max_tokens=1_000, stream=True, messages=LARGE)
    headers = {"x-api-key": gateway.token(limit_microusd=450_000)}
    with httpx.stream("POST", f"{gateway.base_url}/v1/messages", json=body, headers=headers) as answer:
        chunks = answer.iter_bytes()
        upstream.release(1)
        first = next(chunks)
        upstream.wait_until(lambda requests: len(requests) == 2)
        upstream.release()
        read_strictly(first + b"".join(chunks))
    calls = gateway.store_calls()
    assert calls - Counter({("update", "budgets"): 3, ("put", "usage"): 1}) == Counter()
    assert sorted(seen.path for seen in upstream.requests) == ["/v1/responses", "/v1/responses/input_tokens"]
