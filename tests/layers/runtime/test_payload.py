"""Events of payload format 1.0, and of API Gateway's stages, become the request that the client sent."""

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from lambda_asgi.invocation_context import LambdaContext
from lambda_asgi.payload import Front
from lambda_asgi.scope import HttpRequest, MalformedEvent, http_request
from tests.layers.runtime.runtime_api_stand_in import event, rest_event

CONTEXT = LambdaContext("request-1", 1_700_000_000_000, "arn:aws:lambda:x:1:function:f", None)


def _request(what: Any) -> HttpRequest:
    return http_request(json.dumps(what).encode(), CONTEXT, {})


def test_a_rest_apis_event_keeps_every_value_of_a_name() -> None:
    what = rest_event(
        "/items/a%20b",
        method="post",
        multiValueHeaders={
            "Host": ["h.execute-api.eu-west-1.amazonaws.com"],
            "X-Forwarded-Proto": ["https"],
            "Accept": ["a", "b"],
            "Cookie": ["c=1", "d=2"],
        },
        headers={"Accept": "b", "X-Only-Single": "s"},
        multiValueQueryStringParameters={"a": ["1", "2"], "b c": ["ü&="]},
        queryStringParameters={"a": "2", "d": ""},
        body="aGk=",
        isBase64Encoded=True,
    )
    request = _request(what)
    scope = request.scope
    assert request.front is Front.REST_API
    assert request.body == b"hi"
    assert (scope["method"], scope["path"], scope["raw_path"]) == ("POST", "/items/a b", b"/items/a%20b")
    assert scope["headers"] == [
        (b"host", b"h.execute-api.eu-west-1.amazonaws.com"),
        (b"x-forwarded-proto", b"https"),
        (b"accept", b"a"),
        (b"accept", b"b"),
        (b"x-only-single", b"s"),
        (b"cookie", b"c=1; d=2"),
    ]
    assert parse_qsl(scope["query_string"].decode(), keep_blank_values=True) == [
        ("a", "1"),
        ("a", "2"),
        ("b c", "ü&="),
        ("d", ""),
    ]
    assert (scope["client"], scope["http_version"], scope["scheme"]) == (["192.0.2.7", 0], "1.1", "https")


def test_null_maps_are_empty() -> None:
    nothing = dict.fromkeys(
        ("headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters", "body")
    )
    request = _request(rest_event() | nothing)
    assert (request.scope["headers"], request.scope["query_string"], request.body) == ([], b"", b"")


@pytest.mark.parametrize(
    ("what", "root_path", "path"),
    [
        (rest_event("/a", stage_path="/prod/a"), "/prod", "/prod/a"),
        (rest_event("/v1/a", stage_path="/v1/a"), "", "/v1/a"),
        (rest_event("/", stage_path="/prod/"), "/prod", "/prod/"),
        (rest_event("/a", stage_path="/elsewhere"), "", "/a"),
        (event("/dev/a", stage="dev"), "/dev", "/dev/a"),
        (event("/dev", stage="dev"), "/dev", "/dev"),
        (event("/device", stage="dev"), "", "/device"),
        (event("/a", stage="$default"), "", "/a"),
    ],
)
def test_a_stage_in_the_address_is_where_the_app_is_mounted(what: Any, root_path: str, path: str) -> None:
    scope = _request(what).scope
    assert (scope["root_path"], scope["path"]) == (root_path, path)


@pytest.mark.parametrize(
    ("what", "front"),
    [
        (event(), Front.FUNCTION_URL),
        (event(domain="h.execute-api.eu-west-1.amazonaws.com"), Front.OTHER_2_0),
        (event(domain="abc.lambda-url.eu-west-1.on.aws.example.com"), Front.OTHER_2_0),
        (event(domain=None), Front.OTHER_2_0),
        (rest_event(), Front.REST_API),
        (rest_event(version="1.0"), Front.OTHER_1_0),
    ],
)
def test_the_front_is_told_from_the_event(what: Any, front: Front) -> None:
    assert _request(what).front is front


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (rest_event() | {"httpMethod": 5}, "httpMethod is not a string"),
        (rest_event() | {"httpMethod": "G T"}, "not an HTTP method"),
        (rest_event() | {"path": "a"}, "path does not start with a slash"),
        (rest_event() | {"multiValueHeaders": {"a": "1"}}, "'a' that is not a list"),
        (rest_event() | {"multiValueHeaders": {"a": [1]}}, "header 'a'"),
        (rest_event() | {"multiValueHeaders": {"a": ["x\r\nb: c"]}}, "line break"),
        (rest_event() | {"queryStringParameters": {"a": 1}}, "query parameter 'a'"),
        (rest_event() | {"queryStringParameters": {"a": "\udc00"}}, "surrogate"),
        (rest_event(stage_path="/\udc00/"), "surrogate"),
        # A load balancer's event, a queue's, a test event of the console, a web socket's.
        (rest_event() | {"requestContext": {"elb": {}}}, "takes|answers HTTP requests"),
        ({"Records": [{}]}, "its keys: Records.*function URL or of API Gateway"),
        ({"key1": "value1"}, "its keys: key1.*httpMethod, path"),
        ({"requestContext": {"connectionId": "x"}}, "its keys: requestContext"),
        ({}, "its keys: none"),
        ([], "not a JSON object.*httpMethod"),
    ],
)
def test_what_is_no_http_request_is_refused_with_what_is_taken(what: Any, message: str) -> None:
    with pytest.raises(MalformedEvent, match=message):
        _request(what)
