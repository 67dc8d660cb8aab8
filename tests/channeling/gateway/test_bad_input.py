"""Bad input gets a clear error in Anthropic's shape, reaches no provider, and holds nothing."""

import json
import socket

import httpx
import orjson
import pytest

from channeling.auth.mint import mint_token
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.gateway.conftest import message
from tests.stand_ins.anthropic_script import Script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.gateway_server import PROJECT_ID, GatewayServer

BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty"),
    "not JSON": (b"hello", "not valid JSON"),
    "cut off": (json.dumps(message()).encode()[:-3], "not valid JSON"),
    "an array": (b"[]", "must be a JSON object"),
    "a string": (b'"hi"', "must be a JSON object"),
    "NaN": (b'{"model":"claude-x","max_tokens":NaN,"messages":[{}]}', "not valid JSON"),
    "invalid UTF-8": (b'{"model":"claude-\xff","max_tokens":1,"messages":[{}]}', "not valid JSON"),
    "lone surrogate": (b'{"model":"\\ud800","max_tokens":1,"messages":[{}]}', ""),
    "deep nesting": (
        b'{"model":"claude-x","max_tokens":1,"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "not valid JSON",
    ),
    "two models": (b'{"model":"claude-a","model":"claude-b","max_tokens":1,"messages":[{}]}', "occurs twice"),
    "escaped key": (b'{"mod\\u0065l":"claude-a","max_tokens":1,"messages":[{}]}', "without escape"),
}
FIELDS: dict[str, tuple[dict[str, object], str]] = {
    "no model": ({"model": None}, "model: Field required"),
    "model a number": ({"model": 5}, "model: Input should be a valid string"),
    "model empty": ({"model": ""}, "model:"),
    "model too long": ({"model": "claude-" + "x" * 300}, "model:"),
    "or: alone": ({"model": "or:"}, "model:"),
    "no max_tokens": ({"max_tokens": None}, "max_tokens: Field required"),
    "max_tokens text": ({"max_tokens": "64"}, "max_tokens: Input should be a valid integer"),
    "max_tokens a fraction": ({"max_tokens": 1.5}, "max_tokens: Input should be a valid integer"),
    "max_tokens true": ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
    "max_tokens 0": ({"max_tokens": 0}, "max_tokens: must be greater than or equal to 1"),
    "max_tokens negative": ({"max_tokens": -1}, "max_tokens: must be greater than or equal to 1"),
    "max_tokens huge": ({"max_tokens": 10**12}, "max_tokens: must be at most"),
    "max_tokens over 64 bits": ({"max_tokens": 10**30}, "max_tokens: must be at most"),
    "no messages": ({"messages": None}, "messages: Field required"),
    "messages text": ({"messages": "hi"}, "messages: Input should be a valid array"),
    "messages empty": ({"messages": []}, "messages: at least one"),
    "message text": ({"messages": ["hi"]}, "messages.0: Input should be an object"),
    "stream text": ({"stream": "yes"}, "stream: Input should be a valid boolean"),
    "provider without a key": ({"model": "gpt-5.2"}, "not configured for this project"),
    "unknown model": ({"model": "mistralai/mistral-large"}, "not configured for this project"),
}


def assert_refused(answer: httpx.Response, status: int, error_type: str, words: str) -> None:
    """The answer is an error in Anthropic's shape that says these words."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"type", "error", "request_id"}
    assert body["type"] == "error"
    assert body["error"]["type"] == error_type
    assert words in body["error"]["message"]
    assert body["request_id"] == answer.headers["request-id"]


@pytest.mark.parametrize(("body", "words"), BODIES.values(), ids=BODIES.keys())
def test_malformed_bodies(
    client: httpx.Client, gateway: GatewayServer, upstream: AnthropicUpstream, body: bytes, words: str
) -> None:
    """What is no request for a message is refused with 400, on both endpoints that take one."""
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        assert_refused(client.post(path, content=body), 400, "invalid_request_error", words)
    assert upstream.requests == []
    assert gateway.budget().window is None


@pytest.mark.parametrize(("changes", "words"), FIELDS.values(), ids=FIELDS.keys())
def test_missing_and_mistyped_fields(
    client: httpx.Client,
    gateway: GatewayServer,
    upstream: AnthropicUpstream,
    changes: dict[str, object],
    words: str,
) -> None:
    """Each field that routing or money rests on is checked, and the message names it."""
    answer = client.post("/v1/messages", json=message(**changes))
    assert_refused(answer, 400, "invalid_request_error", words)
    assert upstream.requests == []
    assert gateway.budget().window is None


def test_the_longest_body_is_the_deployment_s(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream
) -> None:
    """A body at the limit passes; one over it is refused with 413, announced or not, while it is still coming."""
    with GatewayServer(
        embedded_dynamodb, tables, upstream.base_url, settings_changes={"max_body_bytes": 10_000}
    ) as gateway:
        headers = {"x-api-key": gateway.token()}
        url = f"{gateway.base_url}/v1/messages"
        body = orjson.dumps(message())
        fitting = body[:-1] + b" " * (10_000 - len(body)) + b"}"
        assert httpx.post(url, content=fitting, headers=headers).status_code == 200
        over = httpx.post(url, content=fitting + b" ", headers=headers)
        assert_refused(over, 413, "request_too_large", "10000 bytes")
        unannounced = httpx.post(url, content=iter([fitting, b" "]), headers=headers)
        assert_refused(unannounced, 413, "request_too_large", "10000 bytes")
        assert len(upstream.requests) == 1


def test_a_body_of_thirty_megabytes_passes_whole(client: httpx.Client, upstream: AnthropicUpstream) -> None:
    """The default limit is 32 MB: a body just under it goes up unchanged."""
    upstream.script = Script(input_tokens=100)
    content = "x" * 30_000_000
    body = orjson.dumps(message(messages=[{"role": "user", "content": content}]))
    answer = client.post("/v1/messages", content=body, timeout=60)
    assert answer.status_code == 200, answer.text
    assert upstream.requests[-1].body == body


def test_compressed_bodies_are_refused_by_name(client: httpx.Client) -> None:
    """We would have to trust the size it says it has."""
    answer = client.post("/v1/messages", content=b"\x1f\x8b", headers={"content-encoding": "gzip"})
    assert_refused(answer, 400, "invalid_request_error", "content-encoding")


def test_a_client_that_leaves_while_it_sends_holds_nothing(
    gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """Half a body and a closed connection: no provider is called and the server goes on."""
    with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
        lines = [
            "POST /v1/messages HTTP/1.1",
            "host: x",
            f"x-api-key: {gateway.token()}",
            "content-length: 500",
        ]
        connection.sendall("\r\n".join([*lines, "", '{"model":']).encode())
    headers = {"x-api-key": gateway.token()}
    assert httpx.post(f"{gateway.base_url}/v1/messages", json=message(), headers=headers).status_code == 200
    assert len(upstream.requests) == 1


def test_a_body_that_never_ends_is_not_waited_for(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, upstream: AnthropicUpstream
) -> None:
    """A client that sends no more is told so at the deadline, and costs no connection for ever."""
    settings = {"max_request_s": 1}
    with (
        GatewayServer(embedded_dynamodb, tables, upstream.base_url, settings_changes=settings) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection,
    ):
        connection.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/", 405, "not offered"),
        ("GET", "/v1/messages", 405, "only POST"),
        ("DELETE", "/v1/budget", 405, "not offered"),
        ("POST", "/v1/complete", 404, "POST /v1/messages"),
        ("GET", "/v1/models/", 404, ""),
        ("POST", "/v1/v1/messages", 404, "without /v1"),
        ("GET", "/../../etc/passwd", 404, "no such path"),
        ("POST", "/v1/messages/", 404, "no such path"),
    ],
)
def test_other_paths_and_methods(
    client: httpx.Client, method: str, path: str, status: int, words: str
) -> None:
    """A wrong path or method is told what is offered instead."""
    answer = client.request(method, path)
    error_type = "not_found_error" if status == 404 else "invalid_request_error"
    assert_refused(answer, status, error_type, words)


def test_probes_are_answered_at_once(gateway: GatewayServer) -> None:
    """`HEAD /` (Claude Code's probe) and `GET /healthz` need no token and no store."""
    gateway.store_calls()
    assert httpx.head(gateway.base_url).status_code == 200
    assert httpx.get(f"{gateway.base_url}/healthz").status_code == 200
    assert gateway.store_calls() == {}


@pytest.mark.parametrize(
    "path", ["/v1/messages", "/v1/messages/count_tokens", "/v1/models", "/v1/models/claude-x", "/v1/budget"]
)
def test_every_endpoint_wants_a_token(gateway: GatewayServer, upstream: AnthropicUpstream, path: str) -> None:
    """No token, a provider's key, an expired token, another project's: 401, not to be retried."""
    method = "POST" if "messages" in path else "GET"
    expired = gateway.token(issued_s=gateway.clock.now_ms() // 1000 - 7_200)
    forged = gateway.token().rsplit(".", 1)[0] + "." + "A" * 43
    for headers in ({}, {"x-api-key": "sk-ant-api03-x"}, {"x-api-key": expired}, {"x-api-key": forged}):
        answer = httpx.request(method, gateway.base_url + path, json=message(), headers=headers)
        assert_refused(answer, 401, "authentication_error", "oken")
        assert answer.headers["x-should-retry"] == "false"
    assert upstream.requests == []


def test_a_wrong_token_does_not_tell_whether_a_project_exists(gateway: GatewayServer) -> None:
    """An unknown project and a wrong secret are answered alike."""

    def answer_for(project_id: str) -> httpx.Response:
        token = mint_token(
            user_id="u",
            project_id=project_id,
            secret="hk_live_" + "6" * 32,
            limit_microusd=1,
            window="day",
            window_start_s=0,
            now_s=gateway.clock.now_ms() // 1000,
        )
        return httpx.get(f"{gateway.base_url}/v1/budget", headers={"x-api-key": token})

    known, unknown = answer_for(PROJECT_ID), answer_for("no-such-project")
    assert known.status_code == unknown.status_code == 401
    assert known.json()["error"] == unknown.json()["error"]


def test_a_token_for_some_models_allows_no_others(
    gateway: GatewayServer, upstream: AnthropicUpstream
) -> None:
    """The models claim holds for the request, for its fallbacks, and for the list of models."""
    headers = {"x-api-key": gateway.token(models=["claude-sonnet-4-5*"])}
    url = f"{gateway.base_url}/v1/messages"
    assert httpx.post(url, json=message(), headers=headers).status_code == 200
    for changes in (
        {"model": "claude-opus-4-5-20251101"},
        {"fallbacks": [{"model": "claude-opus-4-5-20251101"}]},
        {"fallbacks": "default"},
    ):
        assert_refused(
            httpx.post(url, json=message(**changes), headers=headers), 403, "permission_error", "allow"
        )
    assert len(upstream.requests) == 1
    models = httpx.get(f"{gateway.base_url}/v1/models?limit=1000", headers=headers).json()["data"]
    assert {model["id"] for model in models} == {"claude-sonnet-4-5"}
