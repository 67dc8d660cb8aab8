"""From an event to the HTTP request it stands for, in payload format 1.0 and 2.0: pure.

Format 2.0: function URLs (AWS Lambda Developer Guide, "Invoking Lambda function URLs", request payload format) and
API Gateway HTTP APIs (API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs"): header
names in lower case, repeated headers joined by commas, cookies apart.
Format 1.0: REST APIs (API Gateway Developer Guide, "Input format of a Lambda function for proxy integration"), and
HTTP APIs that ask for it, whose events alone say `version`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from urllib.parse import quote, urlencode

from lambda_asgi.event_fields import (
    MalformedEvent,
    body,
    encoded,
    header,
    mapping,
    optional_mapping,
    text,
)

_TAKES = (
    "this function answers HTTP requests: events of a function URL or of API Gateway, payload format 2.0 "
    "(requestContext.http, rawPath) or 1.0 (httpMethod, path)"
)
_FUNCTION_URL = (".lambda-url.", ".on.aws")


class Front(Enum):
    """Who sent the event, as far as the answer depends on it."""

    FUNCTION_URL = auto()
    REST_API = auto()
    # API Gateway's HTTP APIs, or a hand that invokes the function: neither takes a stream.
    OTHER_2_0 = auto()
    OTHER_1_0 = auto()


@dataclass(frozen=True, slots=True)
class Payload:
    """An HTTP request as an event tells it; `raw_path` has `root_path` before what the app calls its own."""

    front: Front
    method: str
    raw_path: str
    root_path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    protocol: str
    source_ip: str | None


def read_payload(event_json: bytes) -> Payload:
    """Return the request of an event; raise MalformedEvent, with what this function takes."""
    try:
        event = json.loads(event_json)
    except (ValueError, RecursionError) as error:
        raise MalformedEvent(f"the event is not JSON: {error}; {_TAKES}") from error
    if not isinstance(event, dict):
        raise MalformedEvent(f"the event is not a JSON object; {_TAKES}")
    if isinstance(event.get("requestContext"), dict):
        if "rawPath" in event:
            return _payload_2_0(event)
        if "httpMethod" in event and "path" in event and "elb" not in event["requestContext"]:
            return _payload_1_0(event)
    keys = ", ".join(sorted(name[:40] for name in event)[:8]) or "none"
    raise MalformedEvent(f"the event is no HTTP request (its keys: {keys}); {_TAKES}")


def _payload_2_0(event: Mapping[str, Any]) -> Payload:
    request_context = mapping(event, "requestContext")
    http = mapping(request_context, "http")
    domain = request_context.get("domainName")
    middle, end = _FUNCTION_URL
    is_function_url = isinstance(domain, str) and domain.endswith(end) and middle in domain
    raw_path = _path(event, "rawPath")
    stage = request_context.get("stage")
    root_path = f"/{stage}" if isinstance(stage, str) and stage not in ("", "$default") else ""
    if not f"{raw_path}/".startswith(f"{root_path}/"):
        root_path = ""
    headers = [header(name, value) for name, value in optional_mapping(event, "headers").items()]
    cookies = event.get("cookies") or []
    if not isinstance(cookies, list) or not all(isinstance(cookie, str) for cookie in cookies):
        raise MalformedEvent("cookies is not a list of strings")
    if cookies:
        headers.append(header("cookie", "; ".join(cookies)))
    return Payload(
        front=Front.FUNCTION_URL if is_function_url else Front.OTHER_2_0,
        method=text(http, "method"),
        raw_path=raw_path,
        root_path=root_path,
        query=encoded(text(event, "rawQueryString", ""), "rawQueryString"),
        headers=headers,
        body=body(event),
        protocol=text(http, "protocol", "HTTP/1.1"),
        source_ip=_optional_text(http.get("sourceIp")),
    )


def _payload_1_0(event: Mapping[str, Any]) -> Payload:
    request_context = mapping(event, "requestContext")
    path = _path(event, "path")
    # Where the stage is part of the address, only the context has it: it is the app's mount point.
    whole_path = request_context.get("path")
    root_path = ""
    if isinstance(whole_path, str) and whole_path.startswith("/") and whole_path.endswith(path):
        root_path = whole_path.removesuffix(path).rstrip("/")
        encoded(root_path, "requestContext.path")
    return Payload(
        front=Front.OTHER_1_0 if "version" in event else Front.REST_API,
        method=text(event, "httpMethod"),
        raw_path=root_path + path,
        root_path=root_path,
        query=_query_1_0(event),
        headers=_headers_1_0(event),
        body=body(event),
        protocol=text(request_context, "protocol", "HTTP/1.1"),
        source_ip=_optional_text(optional_mapping(request_context, "identity").get("sourceIp")),
    )


def _headers_1_0(event: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    cookies: list[bytes] = []
    for name, values in _multi_values(event, "multiValueHeaders", "headers"):
        for value in values:
            pair = header(name, value)
            if pair[0] == b"cookie":
                cookies.append(pair[1])
            else:
                headers.append(pair)
    if cookies:
        # One field, as the format of cookies wants it (RFC 6265, 5.4): not all frameworks read a second.
        headers.append((b"cookie", b"; ".join(cookies)))
    return headers


def _query_1_0(event: Mapping[str, Any]) -> bytes:
    """Return a query string that decodes to the event's parameters, which API Gateway has decoded itself."""
    pairs = []
    for name, values in _multi_values(event, "multiValueQueryStringParameters", "queryStringParameters"):
        for value in values:
            if not isinstance(value, str):
                raise MalformedEvent(f"query parameter {name[:80]!r} is not a string")
            encoded(name + value, "a query parameter")
            pairs.append((name, value))
    return urlencode(pairs, quote_via=quote).encode("ascii")


def _multi_values(event: Mapping[str, Any], several: str, single: str) -> list[tuple[str, list[Any]]]:
    """Return names with all their values; what is named only among the single values comes last."""
    whole = []
    multi = optional_mapping(event, several)
    for name, values in multi.items():
        if not isinstance(values, list):
            raise MalformedEvent(f"{several} has a {name[:80]!r} that is not a list")
        whole.append((name, values))
    seen = {name.lower() for name in multi}
    rest = optional_mapping(event, single).items()
    return [*whole, *((name, [value]) for name, value in rest if name.lower() not in seen)]


def _path(event: Mapping[str, Any], name: str) -> str:
    path = text(event, name) or "/"
    if not path.startswith("/"):
        raise MalformedEvent(f"{name} does not start with a slash")
    encoded(path, name)
    return path


def _optional_text(value: object) -> str | None:
    return value if isinstance(value, str) else None
