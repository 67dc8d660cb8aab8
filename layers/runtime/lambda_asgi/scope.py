"""From an invocation's event to an ASGI scope and body: pure (ASGI specification, HTTP, version 2.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from lambda_asgi.asgi import Scope
from lambda_asgi.event_fields import TOKEN, MalformedEvent
from lambda_asgi.invocation_context import LambdaContext
from lambda_asgi.payload import Front, Payload, read_payload

__all__ = ["HttpRequest", "LambdaContext", "MalformedEvent", "http_request"]

# What may stand unescaped in a raw path: RFC 3986 pchar, "/" between segments, "%" of what is escaped already.
_PATH_SAFE = "/%:@!$&'()*+,;=-._~"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request as ASGI sees it, and the front that the answer goes back to."""

    scope: Scope
    body: bytes
    front: Front


def http_request(event_json: bytes, context: LambdaContext, state: Mapping[str, Any]) -> HttpRequest:
    """Return the ASGI scope and body of an event; raise MalformedEvent.

    `state` is the lifespan's; each request gets a shallow copy. The scope's extension `lambda.context` carries
    the context.
    """
    payload = read_payload(event_json)
    method = payload.method.upper()
    if not TOKEN.fullmatch(method):
        raise MalformedEvent("the event's method is not an HTTP method")
    by_name = dict(payload.headers)
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": payload.protocol.removeprefix("HTTP/"),
        "method": method,
        "scheme": by_name.get(b"x-forwarded-proto", b"https").decode("latin-1"),
        "path": unquote(payload.raw_path),
        "raw_path": quote(payload.raw_path, safe=_PATH_SAFE).encode("ascii"),
        "query_string": payload.query,
        "root_path": unquote(payload.root_path),
        "headers": payload.headers,
        "client": _client(payload),
        "server": _server(by_name),
        "state": dict(state),
        "extensions": {"lambda.context": _context(context)},
    }
    return HttpRequest(scope, payload.body, payload.front)


def _context(context: LambdaContext) -> dict[str, Any]:
    return {
        "request_id": context.request_id,
        "deadline_ms": context.deadline_ms,
        "invoked_function_arn": context.invoked_function_arn,
        "trace_id": context.trace_id,
    }


def _client(payload: Payload) -> list[object] | None:
    # The client's port is not in the event.
    return [payload.source_ip, 0] if payload.source_ip is not None else None


def _server(headers: Mapping[bytes, bytes]) -> list[object] | None:
    host, _, host_port = headers.get(b"host", b"").decode("latin-1").partition(":")
    port = headers.get(b"x-forwarded-port", host_port.encode("latin-1")).decode("latin-1")
    if not host:
        return None
    return [host, int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 443]
