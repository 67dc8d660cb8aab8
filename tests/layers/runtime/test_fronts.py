"""Each caller gets the answer in the form it takes: stream or whole, headers joined or listed, text or base64."""

import base64
import json
from typing import Any

import pytest

from lambda_asgi.asgi import Receive, Scope, Send
from lambda_asgi.buffered_response import PAYLOAD_BYTES_MAX
from tests.layers.runtime.conftest import StartRuntime
from tests.layers.runtime.runtime_api_stand_in import RuntimeApiStandIn, event, rest_event
from tests.layers.runtime.tiny_apps import body, echo, start, with_lifespan

pytestmark = pytest.mark.timeout(60)

HTTP_API = "h.execute-api.eu-west-1.amazonaws.com"


@with_lifespan
async def two_pieces(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer in two pieces, with a repeated header and two cookies."""
    headers = [(b"Vary", b"a"), (b"vary", b"b"), (b"set-cookie", b"c=1"), (b"Set-Cookie", b"d=2")]
    await start(send, 201, headers)
    await body(send, b"one ")
    await body(send, "zwö".encode(), more=False)


JOINED = {"headers": {"vary": "a, b"}, "cookies": ["c=1", "d=2"]}
LISTS = {"multiValueHeaders": {"vary": ["a", "b"], "set-cookie": ["c=1", "d=2"]}}


@pytest.mark.parametrize(
    ("mode", "what", "streamed", "head"),
    [
        ("stream", event(), True, JOINED),
        ("buffered", event(), False, JOINED),
        ("stream", rest_event(), True, LISTS),
        ("buffered", rest_event(), False, LISTS),
        ("stream", event(domain=HTTP_API), False, JOINED),
        ("stream", rest_event(version="1.0"), False, LISTS),
        ("stream", event(domain=None), False, JOINED),
    ],
    ids=[
        "streaming function URL",
        "buffered function URL",
        "streaming REST API",
        "buffered REST API",
        "HTTP API",
        "HTTP API, format 1.0",
        "plain Invoke",
    ],
)
async def test_each_caller_gets_its_form(
    start_runtime: StartRuntime,
    runtime_api: RuntimeApiStandIn,
    mode: str,
    what: dict[str, Any],
    streamed: bool,
    head: dict[str, Any],
) -> None:
    start_runtime(two_pieces, LAMBDA_ASGI_RESPONSE=mode)
    invocation = runtime_api.invoke(what)
    if streamed:
        assert await invocation.prelude() == {"statusCode": 201, **head}
        assert await invocation.body() == "one zwö".encode()
    else:
        answer = await invocation.answer()
        assert answer == {"statusCode": 201, **head, "body": "one zwö", "isBase64Encoded": False}
        assert invocation.response_headers["content-type"] == "application/json"


async def test_a_plain_invocation_is_told_what_the_function_takes(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    start_runtime(echo)
    invocation = runtime_api.invoke({"key1": "value1"})
    await invocation.over.wait()
    assert invocation.error is not None
    assert invocation.error["errorType"] == "Runtime.MalformedEvent"
    for word in ("key1", "function URL", "API Gateway", "rawPath", "httpMethod"):
        assert word in invocation.error["errorMessage"]


@pytest.mark.parametrize(
    ("data", "is_base64"),
    [(b"", False), (b"text", False), (bytes(range(256)), True), (b"\0", False), ("漢".encode()[:2], True)],
)
async def test_a_whole_body_is_base64_where_it_is_no_text(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, data: bytes, is_base64: bool
) -> None:
    start_runtime(echo, LAMBDA_ASGI_RESPONSE="buffered")
    sent = base64.b64encode(data).decode()
    answer = await runtime_api.invoke(event(method="POST", body=sent, isBase64Encoded=True)).answer()
    assert answer["isBase64Encoded"] is is_base64
    text = answer["body"]
    assert (base64.b64decode(text) if is_base64 else text.encode()) == data


@pytest.mark.parametrize(
    ("piece", "pieces"),
    [
        (b"x" * 65_536, PAYLOAD_BYTES_MAX // 65_536 + 1),
        (b"\xff" * 65_536, PAYLOAD_BYTES_MAX * 4 // 5 // 65_536),
        (b"x" * (PAYLOAD_BYTES_MAX - 2), 1),
    ],
    ids=["too long as it comes", "too long as base64", "too long with its head"],
)
async def test_an_answer_that_lambda_would_not_take_whole_is_a_502_that_says_so(
    start_runtime: StartRuntime,
    runtime_api: RuntimeApiStandIn,
    capsys: pytest.CaptureFixture[str],
    piece: bytes,
    pieces: int,
) -> None:
    @with_lifespan
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/small":
            await echo(scope, receive, send)
            return
        await start(send)
        for _ in range(pieces):
            await body(send, piece)
        await body(send, b"", more=False)

    start_runtime(app, LAMBDA_ASGI_RESPONSE="buffered")
    answer = await runtime_api.invoke(event()).answer()
    assert answer["statusCode"] == 502
    assert "6291456 bytes" in json.loads(answer["body"])["message"]
    assert "Function.ResponseSizeTooLarge" in capsys.readouterr().err
    assert (await runtime_api.invoke(event("/small", body="next")).answer())["body"] == "next"


async def test_an_app_that_fails_before_its_whole_answer_is_an_invocation_error(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    @with_lifespan
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await body(send, b"half")
        raise ValueError("no other half")

    start_runtime(app, LAMBDA_ASGI_RESPONSE="buffered")
    invocation = runtime_api.invoke(event())
    await invocation.over.wait()
    assert invocation.error is not None
    assert invocation.error["errorType"] == "ValueError"


@pytest.mark.parametrize("mode", ["stream", "buffered"])
@pytest.mark.parametrize("status", [413, 500])
async def test_an_answer_that_lambda_refuses_in_the_end_is_logged_and_the_next_is_served(
    start_runtime: StartRuntime,
    runtime_api: RuntimeApiStandIn,
    capsys: pytest.CaptureFixture[str],
    mode: str,
    status: int,
) -> None:
    runtime_api.response_status = status
    start_runtime(echo, LAMBDA_ASGI_RESPONSE=mode)
    await runtime_api.invoke(event()).over.wait()
    after = runtime_api.invoke(event())
    await after.over.wait()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    [line] = [line for line in lines if line.get("requestId") == "request-0"]
    assert f"refused the answer: {status}" in line["message"]
