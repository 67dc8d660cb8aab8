"""The event that a function URL makes of an HTTP request: payload format 2.0, pure.

Source: AWS Lambda Developer Guide, "Invoking Lambda function URLs", request payload format.
"""

import base64
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

URL_ID = "k3x5mq2r7w4ty6zj1n8pa9bc0dlfhgse"
DOMAIN = f"{URL_ID}.lambda-url.us-east-1.on.aws"
# Of one connection, which ends at the URL (RFC 9110, 7.6.1).
_OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-connection"}


@dataclass(frozen=True, slots=True)
class UrlRequest:
    """An HTTP request as a server reads it; `raw_path` and `raw_query` are still escaped."""

    method: str
    raw_path: str
    raw_query: str
    headers: Iterable[tuple[str, str]]
    body: bytes
    source_ip: str
    http_version: str = "1.1"


def event_of(request: UrlRequest, *, request_id: str, trace_id: str, now_s: float) -> dict[str, Any]:
    """Return the event: names in lower case, repeated headers and parameters joined by commas, cookies apart."""
    headers, cookies = _headers_and_cookies(request.headers)
    headers |= {
        "host": DOMAIN,
        "x-amzn-trace-id": trace_id,
        "x-amzn-tls-version": "TLSv1.3",
        "x-amzn-tls-cipher-suite": "TLS_AES_128_GCM_SHA256",
        "x-forwarded-for": request.source_ip,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.raw_path,
        "rawQueryString": request.raw_query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": URL_ID,
            "domainName": DOMAIN,
            "domainPrefix": URL_ID,
            "http": {
                "method": request.method,
                "path": request.raw_path,
                "protocol": f"HTTP/{request.http_version}",
                "sourceIp": request.source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now_s)),
            "timeEpoch": int(now_s * 1_000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if request.raw_query:
        event["queryStringParameters"] = _joined(parse_qsl(request.raw_query, keep_blank_values=True))
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(headers.get("content-type", ""), request.body)
    return event


def _headers_and_cookies(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], list[str]]:
    kept, cookies = [], []
    for name, value in pairs:
        if name.lower() == "cookie":
            cookies += value.split("; ")
        elif name.lower() not in _OF_THE_CONNECTION:
            kept.append((name.lower(), value))
    return _joined(kept), cookies


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: ",".join(several) for name, several in values.items()}


def _body(content_type: str, body: bytes) -> tuple[str, bool]:
    """Return the body as text where its type says text, else, or where it is none, in base64."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in ("application/json", "application/javascript", "application/xml"):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True
