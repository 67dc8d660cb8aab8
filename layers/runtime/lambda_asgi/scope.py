"""From an invocation's event to an ASGI scope and body: pure.

Function URLs send payload format 2.0 (AWS Lambda Developer Guide, "Invoking Lambda function URLs", request
payload format): header names in lower case, repeated headers joined by commas, cookies apart.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from lambda_asgi.asgi import Scope

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What may stand unescaped in a raw path: RFC 3986 pchar, "/" between segments, "%" of what is escaped already.
_PATH_SAFE = "/%:@!$&'()*+,;=-._~"


class MalformedEvent(Exception):
    """The event is not one that a function URL sends; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """What Lambda says of an invocation beside its event; `deadline_ms` is in milliseconds since 1970."""

    request_id: str
    deadline_ms: int
    invoked_function_arn: str
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request as ASGI sees it."""

    scope: Scope
    body: bytes


def http_request(event_json: bytes, context: LambdaContext, state: Mapping[str, Any]) -> HttpRequest:
    """Return the ASGI scope and body of a function URL's event; raise MalformedEvent.

    `state` is the lifespan's; each request gets a shallow copy. The scope's extension `lambda.context` carries
    the context.
    """
    event = _parsed(event_json)
    http = _mapping(_mapping(event, "requestContext"), "http")
    headers = _headers(event)
    path = _path(event)
    method = _text(http, "method").upper()
    if not _TOKEN.fullmatch(method):
        raise MalformedEvent("requestContext.http.method is not an HTTP method")
    by_name = dict(headers)
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": _text(http, "protocol", "HTTP/1.1").removeprefix("HTTP/"),
        "method": method,
        "scheme": by_name.get(b"x-forwarded-proto", b"https").decode("latin-1"),
        "path": unquote(path),
        "raw_path": quote(path, safe=_PATH_SAFE).encode("ascii"),
        "query_string": _bytes(_text(event, "rawQueryString", ""), "rawQueryString"),
        "root_path": "",
        "headers": headers,
        "client": _client(http),
        "server": _server(by_name),
        "state": dict(state),
        "extensions": {"lambda.context": _context(context)},
    }
    return HttpRequest(scope, _body(event))


def _parsed(event_json: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(event_json)
    except (ValueError, RecursionError) as error:
        raise MalformedEvent(f"the event is not JSON: {error}") from error
    if not isinstance(event, dict):
        raise MalformedEvent("the event is not a JSON object")
    if not isinstance(event.get("requestContext"), dict) or "rawPath" not in event:
        raise MalformedEvent(
            "the event is not an HTTP request in payload format 2.0; invoke this function through its function URL"
        )
    return event


def _context(context: LambdaContext) -> dict[str, Any]:
    return {
        "request_id": context.request_id,
        "deadline_ms": context.deadline_ms,
        "invoked_function_arn": context.invoked_function_arn,
        "trace_id": context.trace_id,
    }


def _path(event: Mapping[str, Any]) -> str:
    path = _text(event, "rawPath") or "/"
    if not path.startswith("/"):
        raise MalformedEvent("rawPath does not start with a slash")
    _bytes(path, "rawPath")
    return path


def _headers(event: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    headers = []
    for name, value in _mapping(event, "headers").items():
        if not isinstance(value, str) or not _TOKEN.fullmatch(name):
            raise MalformedEvent(f"header {name[:80]!r} is not a name with a string value")
        encoded = _bytes(value, f"header {name}", "latin-1")
        if b"\r" in encoded or b"\n" in encoded or b"\0" in encoded:
            raise MalformedEvent(f"header {name} holds a line break or NUL")
        headers.append((name.lower().encode("ascii"), encoded))
    cookies = event.get("cookies") or []
    if not isinstance(cookies, list) or not all(isinstance(cookie, str) for cookie in cookies):
        raise MalformedEvent("cookies is not a list of strings")
    if cookies:
        headers.append((b"cookie", _bytes("; ".join(cookies), "cookies", "latin-1")))
    return headers


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedEvent("body is not a string")
    if event.get("isBase64Encoded") is not True:
        return _bytes(body, "body")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedEvent(f"body is not base64: {error}") from error


def _client(http: Mapping[str, Any]) -> list[object] | None:
    # The client's port is not in the event.
    source_ip = http.get("sourceIp")
    return [source_ip, 0] if isinstance(source_ip, str) else None


def _server(headers: Mapping[bytes, bytes]) -> list[object] | None:
    host, _, host_port = headers.get(b"host", b"").decode("latin-1").partition(":")
    port = headers.get(b"x-forwarded-port", host_port.encode("latin-1")).decode("latin-1")
    if not host:
        return None
    return [host, int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 443]


def _mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise MalformedEvent(f"{name} is not an object")
    return value


def _text(parent: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = parent.get(name, default)
    if not isinstance(value, str):
        raise MalformedEvent(f"{name} is not a string")
    return value


def _bytes(value: str, where: str, encoding: str = "utf-8") -> bytes:
    """Return the value as bytes; JSON escapes can carry half a surrogate pair, which no bytes stand for."""
    try:
        return value.encode(encoding)
    except UnicodeEncodeError:
        pass
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedEvent(f"{where} holds half a surrogate pair") from error
