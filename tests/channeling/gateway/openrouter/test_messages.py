"""An Anthropic client that names any other model gets Anthropic's answers from OpenRouter, at OpenRouter's cost."""

import json
from typing import Any

import httpx
import pytest

from channeling.projects.project import ProjectRules
from channeling.providers.chat_completions.reasoning_signature import unseal
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.gateway.openrouter.conftest import OPENROUTER_KEY, message, openrouter_gateway
from tests.stand_ins.anthropic_script import Script as NativeScript
from tests.stand_ins.anthropic_script import Text as NativeText
from tests.stand_ins.chat_named_scripts import NAMED_SCRIPTS
from tests.stand_ins.chat_script import Script, Text
from tests.stand_ins.chat_upstream import ChatUpstream
from tests.stand_ins.gateway_server import GatewayServer
from tests.stand_ins.strict_reader import read_strictly

CLAUDE = "or:anthropic/claude-sonnet-4.5"
LOOK = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
ANSWERS = [
    "text",
    "thinking",
    "gemini",
    "claude",
    "tool",
    "interleaved",
    "whole-arguments",
    "no-arguments",
    "bad-ids",
    "says-stop",
    "phantom-tools",
    "refusal",
    "content-filter",
    "usage-everywhere",
    "searched",
    "own-key",
    "cached",
    "byte-by-byte",
    "crlf",
    "nasty",
    "gzip",
]


def fields(**changes: object) -> dict[str, object]:
    tools = [LOOK, {**LOOK, "name": "get_time"}, {**LOOK, "name": "get_date"}]
    thinking = {"type": "enabled", "budget_tokens": 1_024}
    return message(max_tokens=4_000, tools=tools, thinking=thinking, **changes)


@pytest.mark.parametrize("name", ANSWERS)
def test_whole_and_streamed_answers_are_one_message(
    client: httpx.Client, upstream: ChatUpstream, gateway: GatewayServer, name: str
) -> None:
    """Both are strictly right and say the same."""
    (upstream.script,) = NAMED_SCRIPTS[name]
    whole = client.post("/v1/messages", json=fields())
    streamed = client.post("/v1/messages", json=fields(stream=True))
    assert (whole.status_code, streamed.status_code) == (200, 200), whole.text
    assert whole.headers["content-type"] == "application/json"
    assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"
    said = read_strictly(streamed.content).message

    def shown(answer: dict[str, Any]) -> list[Any]:
        """The stand-in gives each answer ids of its own; what a signature carries has no order."""
        content = json.loads(json.dumps(answer["content"]))
        for block in content:
            block.pop("id", None)
            block["signature"] = unseal(block.get("signature"))
        return [content, answer["stop_reason"], answer["model"]]

    assert shown(whole.json()) == shown(said)
    assert said["model"] == "or:deepseek/deepseek-chat"
    first, second = gateway.records()
    assert (first.status, second.status, first.estimated, second.estimated) == ("ok", "ok", False, False)
    assert gateway.assert_settled() == first.cost + second.cost


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("script", "cost"),
    [
        pytest.param(Script(cost=0.000_123_456_7), 123_457, id="rounded up once"),
        pytest.param(Script(cost=1e-9), 1, id="the smallest"),
        pytest.param(Script(cost=0.0), 0, id="nothing"),
        pytest.param(Script(cost=0.1 + 0.2), 300_000_001, id="as the digits say"),
        pytest.param(Script(cost=0.000_05, upstream_cost=0.001), 1_050_000, id="a key of one's own"),
        pytest.param(Script(cost=0.020_004, web_searches=2), 20_004_000, id="fees are in it"),
    ],
)
def test_the_bill_is_openrouter_s_to_the_nanodollar(
    client: httpx.Client,
    gateway: GatewayServer,
    upstream: ChatUpstream,
    stream: bool,
    script: Script,
    cost: int,
) -> None:
    upstream.script = script
    assert client.post("/v1/messages", json=message(stream=stream)).status_code == 200
    [record] = gateway.records()
    assert (record.cost, record.price_source, record.estimated) == (cost, "reported", False)
    assert (record.provider, record.model_used) == ("openrouter", "deepseek/deepseek-chat")
    assert gateway.assert_settled() == cost


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_without_a_cost_the_price_table_makes_the_bill(
    client: httpx.Client, gateway: GatewayServer, upstream: ChatUpstream, stream: bool
) -> None:
    upstream.script = Script((Text("One two three."),), input_tokens=1_000)
    assert client.post("/v1/messages", json=message(stream=stream)).status_code == 200
    [record] = gateway.records()
    assert record.price_source != "reported"
    assert (record.counts.input_tokens, record.counts.output_tokens) == (1_000, 3)
    assert record.cost > 0


@pytest.mark.parametrize(
    "asked",
    ["or:deepseek/deepseek-chat", "or:mistralai/devstral-2512:free", "or:qwen/qwen3-coder", "some-model"],
)
def test_names_with_and_without_the_prefix(
    client: httpx.Client, gateway: GatewayServer, upstream: ChatUpstream, asked: str
) -> None:
    answer = client.post("/v1/messages", json=message(model=asked))
    assert answer.json()["model"] == asked
    [body] = upstream.completions()
    assert body["model"] == asked.removeprefix("or:")
    [seen] = upstream.requests
    assert seen.header("authorization") == f"Bearer {OPENROUTER_KEY}"
    assert seen.header("x-api-key") is None


def test_what_is_held_at_is_the_limit_of_price(client: httpx.Client, upstream: ChatUpstream) -> None:
    """A model on no list is held at the ceiling, a free one at nothing."""
    for model in ("some/unknown-model", "mistralai/devstral-2512:free"):
        client.post("/v1/messages", json=message(model=f"or:{model}"))
    unknown, free = upstream.completions()
    assert unknown["provider"]["max_price"] == {"prompt": "30", "completion": "150"}
    assert "max_price" not in free.get("provider", {})


def test_an_account_s_headers_stay_here(client: httpx.Client) -> None:
    for stream in (False, True):
        answer = client.post("/v1/messages", json=message(stream=stream))
        assert not answer.headers.keys() & {"x-generation-id", "x-ratelimit-limit", "set-cookie", "cf-ray"}


def test_a_count_asks_nobody(client: httpx.Client, upstream: ChatUpstream) -> None:
    for model in ("or:deepseek/deepseek-chat", CLAUDE):
        body = message(model=model, max_tokens=None)
        assert client.post("/v1/messages/count_tokens", json=body).json()["input_tokens"] > 0
    assert upstream.requests == []


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_claude_is_asked_in_its_own_format(
    client: httpx.Client, gateway: GatewayServer, upstream: ChatUpstream, stream: bool
) -> None:
    upstream.native.script = NativeScript((NativeText("Hi"),), final_usage={"cost": 0.000_777_7})
    body = message(model=CLAUDE, stream=stream, system=[{"type": "text", "text": "Be brief."}])
    raw = json.dumps(body, indent=1).encode()
    answer = client.post("/v1/messages?beta=true", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    [seen] = upstream.requests
    assert (seen.path, seen.query) == ("/api/v1/messages", "beta=true")
    assert seen.body == raw.replace(b"or:anthropic/", b"anthropic/")
    assert seen.header("authorization") == f"Bearer {OPENROUTER_KEY}"
    assert seen.header("x-api-key") is None
    [record] = gateway.records()
    assert (record.provider, record.cost, record.price_source) == ("openrouter", 777_700, "reported")
    assert gateway.assert_settled() == 777_700
    assert "anthropic-organization-id" not in answer.headers


def test_claude_is_translated_where_the_project_says_so(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: ChatUpstream
) -> None:
    rules = ProjectRules("Demo", openrouter_native_anthropic=False)
    with openrouter_gateway(embedded_dynamodb, tables, upstream, rules=rules) as gateway:
        headers = {"x-api-key": gateway.token()}
        answer = httpx.post(f"{gateway.base_url}/v1/messages", json=message(model=CLAUDE), headers=headers)
    assert answer.status_code == 200
    assert [seen.path for seen in upstream.requests] == ["/api/v1/chat/completions"]
