"""A function URL's event becomes the ASGI scope that any server would make of the same request."""

import json
from typing import Any

import pytest

from lambda_asgi.scope import HttpRequest, LambdaContext, MalformedEvent, http_request
from tests.layers.runtime.runtime_api_stand_in import event

CONTEXT = LambdaContext("request-1", 1_700_000_000_000, "arn:aws:lambda:x:1:function:f", None)


def _request(what: Any) -> HttpRequest:
    return http_request(json.dumps(what).encode(), CONTEXT, {"shared": 1})


def test_the_whole_scope() -> None:
    scope = _request(event("/v1/messages", method="post", query="a=1&b=%20", headers={"x-a": "1"})).scope
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": "/v1/messages",
        "raw_path": b"/v1/messages",
        "query_string": b"a=1&b=%20",
        "root_path": "",
        "headers": [
            (b"host", b"abc123.lambda-url.eu-west-1.on.aws"),
            (b"x-forwarded-proto", b"https"),
            (b"x-forwarded-port", b"443"),
            (b"x-a", b"1"),
        ],
        "client": ["192.0.2.7", 0],
        "server": ["abc123.lambda-url.eu-west-1.on.aws", 443],
        "state": {"shared": 1},
        "extensions": {
            "lambda.context": {
                "request_id": "request-1",
                "deadline_ms": 1_700_000_000_000,
                "invoked_function_arn": "arn:aws:lambda:x:1:function:f",
                "trace_id": None,
            }
        },
    }


@pytest.mark.parametrize(
    ("raw", "path", "raw_path"),
    [
        ("", "/", b"/"),
        ("/a%20b/c%2Fd", "/a b/c/d", b"/a%20b/c%2Fd"),
        ("/a b", "/a b", b"/a%20b"),
        ("/漢", "/漢", b"/%E6%BC%A2"),
        ("/v1/models/claude[1m]", "/v1/models/claude[1m]", b"/v1/models/claude%5B1m%5D"),
    ],
)
def test_paths(raw: str, path: str, raw_path: bytes) -> None:
    scope = _request(event() | {"rawPath": raw}).scope
    assert (scope["path"], scope["raw_path"]) == (path, raw_path)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [("é", b"\xe9"), ("漢", "漢".encode()), ("", b"")],
    ids=["latin-1", "utf-8", "empty"],
)
def test_header_values_are_latin_1_and_else_utf_8(value: str, encoded: bytes) -> None:
    assert dict(_request(event(headers={"X-Name": value})).scope["headers"])[b"x-name"] == encoded


@pytest.mark.parametrize(
    ("headers", "server"),
    [
        ({"host": "h:8443"}, ["h", 443]),
        ({"host": "h:8443", "x-forwarded-port": "x"}, ["h", 443]),
        ({"host": ""}, None),
        ({"host": "h", "x-forwarded-port": "9" * 30}, ["h", 443]),
    ],
)
def test_the_server_is_the_host_asked_for(headers: dict[str, str], server: list[object] | None) -> None:
    assert _request(event(headers=headers)).scope["server"] == server


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (event() | {"requestContext": {}}, "http is not an object"),
        (event() | {"requestContext": {"http": {"method": 5}}}, "method is not a string"),
        (event() | {"rawPath": "a"}, "does not start with a slash"),
        (event() | {"rawPath": "/\ud800"}, "surrogate"),
        (event() | {"rawQueryString": ["a"]}, "rawQueryString is not a string"),
        (event() | {"headers": []}, "headers is not an object"),
        (event() | {"headers": {"a b": "1"}}, "header 'a b'"),
        (event() | {"headers": {"a": ["1"]}}, "header 'a'"),
        (event() | {"headers": {"a": "\0"}}, "line break or NUL"),
        (event() | {"cookies": "a=1"}, "cookies is not a list"),
        (event() | {"body": {"a": 1}}, "body is not a string"),
        (event() | {"body": "ab=c", "isBase64Encoded": True}, "body is not base64"),
        ({"version": "1.0", "httpMethod": "GET", "path": "/"}, "payload format 2.0"),
    ],
)
def test_what_no_function_url_sends_is_refused_by_name(what: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedEvent, match=message.replace("(", r"\(")):
        _request(what)
