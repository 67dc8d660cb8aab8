"""An Anthropic client that names an OpenAI model gets Anthropic's answers: held for, billed as reported."""

import json

import anthropic
import httpx
import pytest

from channeling.projects.project import ProjectRules
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.gateway.openai.conftest import OPENAI_KEY, message, openai_gateway
from tests.stand_ins.gateway_server import HMAC_SECRET, GatewayServer
from tests.stand_ins.openai_named_scripts import NAMED_SCRIPTS
from tests.stand_ins.openai_script import Message, Script
from tests.stand_ins.openai_upstream import OpenAIUpstream
from tests.stand_ins.strict_reader import read_strictly

# $1.75 and $14 per million tokens of gpt-5.2, $0.175 for cached input: nanodollars per token.
INPUT, CACHED, OUTPUT = 1_750, 175, 14_000
SEARCH = 10_000_000  # $10 per thousand

LOOK = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
ANSWERS = [
    "text",
    "thinking",
    "hidden-thinking",
    "tool",
    "interleaved",
    "whole-arguments",
    "refusal",
    "content-filter",
    "web-search",
    "cached",
    "byte-by-byte",
    "crlf",
    "nasty",
    "gzip",
]


def fields(name: str) -> dict[str, object]:
    searches = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    thinking = {"type": "enabled", "budget_tokens": 1_024}
    tools: list[object] = [LOOK, {**LOOK, "name": "get_time"}] + ([searches] if name == "web-search" else [])
    return {"max_tokens": 4_000, "tools": tools, "thinking": thinking}


@pytest.mark.parametrize("name", ANSWERS)
def test_whole_and_streamed_answers_are_one_message(
    client: httpx.Client, upstream: OpenAIUpstream, gateway: GatewayServer, name: str
) -> None:
    """Both are strictly right, say the same, and cost what was reported."""
    (upstream.script,) = NAMED_SCRIPTS[name]
    whole = client.post("/v1/messages", json=message(**fields(name)))
    streamed = client.post("/v1/messages", json=message(**fields(name), stream=True))
    assert (whole.status_code, streamed.status_code) == (200, 200), whole.text
    assert whole.headers["content-type"] == "application/json"
    assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"
    said = read_strictly(streamed.content).message

    def shown(answer: dict[str, object]) -> str:
        """The stand-in gives each response ids, ciphertexts and an input of its own."""
        content = json.loads(json.dumps(answer["content"]))
        for block in content:
            for key in ("id", "tool_use_id", "signature"):
                block.pop(key, None)
        return json.dumps([content, answer["stop_reason"], answer["model"]])

    assert shown(whole.json()) == shown(said)
    assert said["model"] == "gpt-5.2"
    first, second = gateway.records()
    assert (first.status, second.status, first.estimated, second.estimated) == ("ok", "ok", False, False)
    assert gateway.assert_settled() == first.cost + second.cost > 0


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_a_request_is_billed_as_reported(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream, stream: bool
) -> None:
    """Cached input is part of OpenAI's input, and reasoning of its output: neither is billed twice."""
    upstream.script = Script(
        (Message("One two three."),), input_tokens=2_100, cached_tokens=2_000, reasoning_tokens=500
    )
    answer = client.post("/v1/messages", json=message(stream=stream))
    usage = read_strictly(answer.content).message["usage"] if stream else answer.json()["usage"]
    assert usage["input_tokens"] == 100
    assert usage["cache_read_input_tokens"] == 2_000
    assert usage["output_tokens"] == 503
    assert usage["output_tokens_details"]["thinking_tokens"] == 500
    [record] = gateway.records()
    assert record.cost == 100 * INPUT + 2_000 * CACHED + 503 * OUTPUT
    assert (record.provider, record.model_asked, record.model_used) == ("openai", "gpt-5.2", "gpt-5.2")
    assert record.counts.thinking_tokens == 500
    assert gateway.assert_settled() == record.cost


def test_the_dated_name_of_the_answer_is_billed_as_the_model_that_was_asked(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    upstream.script = Script((Message("One."),), input_tokens=10, model="gpt-5.2-2025-12-11")
    assert client.post("/v1/messages", json=message()).json()["model"] == "gpt-5.2"
    [record] = gateway.records()
    assert (record.model_used, record.cost) == ("gpt-5.2-2025-12-11", 10 * INPUT + OUTPUT)


def test_priority_is_billed_as_priority(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    """A project of OpenAI's may serve everything so, unasked."""
    upstream.script = Script((Message("One."),), input_tokens=10, service_tier="priority")
    client.post("/v1/messages", json=message())
    assert gateway.records()[0].cost == 2 * (10 * INPUT + OUTPUT)


def test_cache_writes_are_billed_as_such(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    """gpt-5.6 caches unasked: $4 input, $0.40 cached, $5 written, $20 output per million."""
    (upstream.script,) = NAMED_SCRIPTS["cached"]
    client.post("/v1/messages", json=message(model="gpt-5.6-sol"))
    assert gateway.records()[0].cost == 7 * 4_000 + 2_000 * 400 + 300 * 5_000 + 8 * 20_000


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_searches_have_their_fee(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream, stream: bool
) -> None:
    (upstream.script,) = NAMED_SCRIPTS["web-search"]
    answer = client.post("/v1/messages", json=message(**fields("web-search"), stream=stream))
    told = read_strictly(answer.content).message if stream else answer.json()
    assert told["usage"]["server_tool_use"]["web_search_requests"] == 1
    [record] = gateway.records()
    counts = record.counts
    assert counts.web_search_requests == 1
    assert record.cost == counts.input_tokens * INPUT + counts.output_tokens * OUTPUT + SEARCH


def test_credentials_and_headers_of_the_client_never_reach_openai(
    gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    token = gateway.token()
    headers = {
        "authorization": f"Bearer {token}",
        "x-api-key": "sk-ant-api03-somebody",
        "anthropic-beta": "context-management-2025-06-27",
        "cookie": "session=of-the-client",
        "x-forwarded-for": "203.0.113.9",
        "user-agent": "claude-cli/2.1",
    }
    answer = httpx.post(
        f"{gateway.base_url}/v1/messages?beta=true",
        json=message(metadata={"user_id": "somebody@example.com"}),
        headers=headers,
    )
    assert answer.status_code == 200
    [seen] = upstream.requests
    assert (seen.path, seen.query) == ("/v1/responses", "")
    assert seen.header("authorization") == f"Bearer {OPENAI_KEY}"
    everything = json.dumps(seen.headers).encode() + seen.body
    for secret in (
        token,
        "sk-ant-api03-somebody",
        HMAC_SECRET,
        "session=of",
        "203.0.113.9",
        "claude-cli",
        "2025-06-27",
    ):
        assert secret.encode() not in everything
    assert b"somebody@example.com" not in seen.body


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_the_account_s_headers_do_not_come_down(
    client: httpx.Client, upstream: OpenAIUpstream, stream: bool
) -> None:
    answer = client.post("/v1/messages", json=message(stream=stream))
    for name in answer.headers:
        assert not name.startswith(("openai-", "x-ratelimit-", "cf-")), name
    assert "set-cookie" not in answer.headers
    assert answer.headers["anthropic-ratelimit-unified-status"] == "allowed"
    assert answer.headers["request-id"].startswith("req_")


def test_token_counts_are_estimated_without_a_call(
    sdk: anthropic.Anthropic, upstream: OpenAIUpstream
) -> None:
    """System and tools count, too; the provider is not asked."""
    messages = [{"role": "user", "content": "word " * 400}]
    few = sdk.messages.count_tokens(model="gpt-5.2", messages=messages)  # type: ignore[arg-type]
    many = sdk.messages.count_tokens(
        model="gpt-5.2",
        messages=messages,  # type: ignore[arg-type]
        system="word " * 400,
        tools=[LOOK],  # type: ignore[list-item]
    )
    assert 300 < few.input_tokens < 700
    assert many.input_tokens > few.input_tokens * 2
    assert upstream.requests == []


def test_models_of_openai_are_listed(sdk: anthropic.Anthropic) -> None:
    """Those of the providers that the project has a key for, and no others."""
    names = [model.id for model in sdk.models.list(limit=1_000)]
    assert {"gpt-5.2", "gpt-4.1", "o3"} <= set(names)
    assert not [name for name in names if name.startswith("claude-")]
    assert sdk.models.retrieve("gpt-5.2").max_input_tokens == 400_000


def test_a_model_of_a_provider_without_a_key_is_refused_by_name(
    client: httpx.Client, upstream: OpenAIUpstream
) -> None:
    refused = client.post("/v1/messages", json=message(model="claude-sonnet-4-6"))
    assert refused.status_code == 400
    assert "channeling key set anthropic" in refused.json()["error"]["message"]
    assert upstream.requests == []


def test_what_cannot_be_translated_is_refused_by_name_before_anything_is_held(
    client: httpx.Client, gateway: GatewayServer, upstream: OpenAIUpstream
) -> None:
    refused = client.post("/v1/messages", json=message(container="container_1"))
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "invalid_request_error"
    assert "container" in refused.json()["error"]["message"]
    assert upstream.requests == []
    assert gateway.budget().window is None
    assert gateway.records() == []


def test_an_alias_and_the_long_context_suffix_lead_to_openai(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: OpenAIUpstream
) -> None:
    """Claude Code lists models that are called claude: an alias makes one of OpenAI's such a model."""
    rules = ProjectRules("Demo", aliases={"claude-on-openai": "gpt-5.2"})
    with openai_gateway(embedded_dynamodb, tables, upstream, rules=rules) as gateway:
        headers = {"x-api-key": gateway.token(models=["claude-on-openai"])}
        with httpx.Client(base_url=gateway.base_url, headers=headers, timeout=20) as client:
            answer = client.post("/v1/messages", json=message(model="claude-on-openai[1m]"))
            listed = [model["id"] for model in client.get("/v1/models").json()["data"]]
            other = client.post("/v1/messages", json=message())
        assert upstream.requests[0].json()["model"] == "gpt-5.2"
        assert answer.json()["model"] == "claude-on-openai[1m]"
        assert listed == ["claude-on-openai"]
        assert other.status_code == 403
        [record] = gateway.records()
        assert (record.model_used, record.cost > 0) == ("gpt-5.2", True)
