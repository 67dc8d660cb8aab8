"""A project's own server in OpenRouter's place: asked in words that every such server knows, at its own prices."""

import socket
import threading
from typing import Any

import httpx
import pytest

from channeling.projects.project import ProjectRules
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.gateway.openrouter.conftest import message, openrouter_gateway
from tests.stand_ins.chat_named_scripts import NAMED_SCRIPTS
from tests.stand_ins.chat_script import Script, Text
from tests.stand_ins.chat_upstream import ChatUpstream
from tests.stand_ins.gateway_server import GatewayServer
from tests.stand_ins.strict_reader import read_strictly

LOOK = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
ANSWERS = [
    "plain",
    "deepseek",
    "tool",
    "interleaved",
    "whole-arguments",
    "no-arguments",
    "nasty",
    "usage-everywhere",
]
CEILING_INPUT, CEILING_OUTPUT = 30_000, 150_000  # nanodollars per token


def own_server(
    store: EmbeddedDynamoDB, tables: TableNames, upstream: ChatUpstream, base_url: str | None = None
) -> GatewayServer:
    rules = ProjectRules("Demo", base_urls={"openrouter": base_url or upstream.plain_base_url})
    return openrouter_gateway(store, tables, upstream, rules=rules, provider_keys={})


def post(gateway: GatewayServer, **changes: Any) -> httpx.Response:
    headers = {"x-api-key": gateway.token()}
    return httpx.post(f"{gateway.base_url}/v1/messages", json=message(**changes), headers=headers, timeout=20)


def test_answers_of_many_servers(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: ChatUpstream
) -> None:
    """Streamed and whole, none of them with a key: one on the same machine needs none."""
    with own_server(embedded_dynamodb, tables, upstream) as gateway:
        for name in ANSWERS:
            (upstream.script,) = NAMED_SCRIPTS[name]
            tools = [LOOK, {**LOOK, "name": "get_time"}, {**LOOK, "name": "get_date"}]
            thinking = {"type": "enabled", "budget_tokens": 1_024}
            asked: dict[str, Any] = {
                "model": "qwen3:8b",
                "max_tokens": 4_000,
                "tools": tools,
                "thinking": thinking,
            }
            whole = post(gateway, **asked)
            assert whole.status_code == 200, whole.text
            said = read_strictly(post(gateway, **asked, stream=True).content).message
            assert [block["type"] for block in said["content"]] == [
                block["type"] for block in whole.json()["content"]
            ]
            assert said["stop_reason"] == whole.json()["stop_reason"]
        gateway.assert_settled()
    seen = upstream.requests
    assert {request.path for request in seen} == {"/v1/chat/completions"}
    assert all(request.header("authorization") is None for request in seen)
    assert {body["model"] for body in upstream.completions()} == {"qwen3:8b"}


def test_reasoning_goes_back_under_the_name_that_it_came_with(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: ChatUpstream
) -> None:
    (upstream.script,) = NAMED_SCRIPTS["deepseek"]
    with own_server(embedded_dynamodb, tables, upstream) as gateway:
        thinking = {"type": "enabled", "budget_tokens": 1_024}
        answer = post(gateway, model="deepseek-reasoner", thinking=thinking, max_tokens=4_000).json()
    thought, text = answer["content"]
    assert (thought["thinking"], text["text"]) == ("Let me think.", "Done.")


@pytest.mark.parametrize("model", ["qwen3:8b", "qwen3:free", "or:deepseek/deepseek-chat"])
def test_no_name_makes_it_free_or_cheap(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: ChatUpstream, model: str
) -> None:
    """Servers that look at no name would answer to one that is free at OpenRouter; the ceiling holds for all."""
    upstream.script = Script((Text("One two three."),), input_tokens=100, vendor="plain")
    with own_server(embedded_dynamodb, tables, upstream) as gateway:
        assert post(gateway, model=model).status_code == 200
        assert gateway.assert_settled() == 100 * CEILING_INPUT + 3 * CEILING_OUTPUT
        assert gateway.records()[0].price_source == "ceiling"


def test_a_redirect_is_not_followed(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: ChatUpstream
) -> None:
    elsewhere = ("location", f"{upstream.plain_base_url}/elsewhere")
    upstream.script = Script(status=307, body=b"", headers=(elsewhere,), checks=False)
    with own_server(embedded_dynamodb, tables, upstream) as gateway:
        answer = post(gateway)
        assert (answer.status_code, answer.json()["error"]["type"]) == (500, "api_error")
        assert gateway.assert_settled() == 0
    assert [seen.path for seen in upstream.requests] == ["/v1/chat/completions"]


def test_a_server_that_is_down_costs_nothing(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: ChatUpstream
) -> None:
    with own_server(embedded_dynamodb, tables, upstream, "http://127.0.0.1:9/v1") as gateway:
        answer = post(gateway)
        assert (answer.status_code, answer.json()["error"]["message"]) == (
            500,
            "the upstream provider could not be reached",
        )
        assert gateway.assert_settled() == 0


def test_a_server_that_speaks_no_http(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: ChatUpstream
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_once() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")

        answering = threading.Thread(target=answer_once)
        answering.start()
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        with own_server(embedded_dynamodb, tables, upstream, base_url) as gateway:
            answer = post(gateway)
        answering.join(10)
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "api_error")


def test_the_list_of_models_is_the_project_s_aliases(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: ChatUpstream
) -> None:
    rules = ProjectRules(
        "Demo", aliases={"claude-local": "qwen3:8b"}, base_urls={"openrouter": upstream.plain_base_url}
    )
    gateway = openrouter_gateway(embedded_dynamodb, tables, upstream, rules=rules, provider_keys={})
    with gateway:
        headers = {"x-api-key": gateway.token()}
        listed = httpx.get(f"{gateway.base_url}/v1/models?limit=1000", headers=headers).json()["data"]
        assert [model["id"] for model in listed] == ["claude-local"]
        assert post(gateway, model="claude-local").status_code == 200
    assert upstream.completions()[-1]["model"] == "qwen3:8b"
