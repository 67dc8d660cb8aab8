"""A function URL's event holds the request whole, and the runtime reads the same request out of it."""

import json
from typing import Any

import pytest

from emulator.url_event import DOMAIN, UrlRequest, event_of
from lambda_asgi.scope import LambdaContext, http_request

CONTEXT = LambdaContext("id", 1, "arn", None)


def _event(**more: Any) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": "POST",
        "raw_path": "/v1/messages",
        "raw_query": "",
        "headers": [],
        "body": b"",
        "source_ip": "192.0.2.7",
    }
    return event_of(UrlRequest(**request | more), request_id="r", trace_id="Root=1", now_s=0.0)


@pytest.mark.parametrize(
    ("content_type", "body", "is_text"),
    [
        ("application/json", '{"a": "\u6f22 \\u0000"}'.encode(), True),
        ("application/json; charset=utf-8", b"{}", True),
        ("text/plain", b"a\r\nb", True),
        ("application/json", b"\xff\xfe", False),
        ("application/octet-stream", bytes(range(256)), False),
        ("", b"no type", False),
    ],
)
def test_every_body_arrives_byte_for_byte(content_type: str, body: bytes, is_text: bool) -> None:
    event = _event(headers=[("Content-Type", content_type)] if content_type else [], body=body)
    assert event["isBase64Encoded"] is not is_text
    assert http_request(json.dumps(event).encode(), CONTEXT, {}).body == body


def test_names_are_lower_case_repeated_ones_joined_and_cookies_apart() -> None:
    event = _event(
        headers=[
            ("Anthropic-Beta", "a"),
            ("anthropic-beta", "b"),
            ("Cookie", "x=1; y=2"),
            ("Connection", "keep-alive"),
            ("Transfer-Encoding", "chunked"),
            ("Host", "127.0.0.1:8080"),
            ("X-Forwarded-Proto", "http"),
        ],
        raw_query="beta=true&a=1&a=2&empty=",
    )
    assert event["headers"]["anthropic-beta"] == "a,b"
    assert event["cookies"] == ["x=1", "y=2"]
    assert not {"cookie", "connection", "transfer-encoding"} & set(event["headers"])
    assert (event["headers"]["host"], event["headers"]["x-forwarded-proto"]) == (DOMAIN, "https")
    assert event["queryStringParameters"] == {"beta": "true", "a": "1,2", "empty": ""}
    assert event["rawQueryString"] == "beta=true&a=1&a=2&empty="


def test_a_request_without_a_body_has_none() -> None:
    event = _event(method="GET", raw_path="/v1/models/claude%2Fx")
    assert "body" not in event
    assert "cookies" not in event
    assert http_request(json.dumps(event).encode(), CONTEXT, {}).scope["path"] == "/v1/models/claude/x"
