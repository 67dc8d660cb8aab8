"""Status and headers of an app's answer, checked, and in the form that each front takes: pure.

Function URLs and HTTP APIs take one value a name and cookies apart (AWS Lambda Developer Guide, "Response
streaming"; API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs", format 2.0). REST
APIs take every value of a name, in a list (API Gateway Developer Guide, "Output format of a Lambda function for
proxy integration" and, streamed, "Set up a Lambda proxy integration with payload response streaming").
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lambda_asgi.payload import Front

PRELUDE_END = b"\0" * 8
# API Gateway looks for the prelude's end in the first 16 KB of a stream; function URLs tell of no bound of theirs.
PRELUDE_BYTES_MAX = 16_384
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINE_ENDS = re.compile(rb"[\r\n\0]")
# About one connection, which the Lambda Runtime API keeps for itself (RFC 9110, 7.6.1).
_HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A final status with headers, names in lower case; `body_bytes` is how long the body must be, if known."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body_bytes: int | None


def response_head(status: int, headers: Iterable[tuple[bytes, bytes]], *, method: str) -> ResponseHead:
    """Return the head of an answer; raise ValueError for one that no HTTP answer can have."""
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise ValueError(f"{status!r} is not the status of a final HTTP response")
    kept = []
    body_bytes = None
    for name, value in headers:
        name, value = bytes(name).lower(), bytes(value)
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:80]!r} is not the name of a header")
        if _LINE_ENDS.search(value):
            raise ValueError(f"header {name.decode()} holds a line break or NUL")
        if name == b"content-length":
            if not value.isdigit() or len(value) > 15:
                raise ValueError(f"content-length is {value[:40]!r}: not a number of bytes")
            body_bytes = int(value)
        if name not in _HOP_BY_HOP:
            kept.append((name.decode("ascii"), value.decode("latin-1")))
    if method == "HEAD":
        body_bytes = None  # What a GET would have had (RFC 9110, 9.3.2).
    elif status in (204, 304):
        body_bytes = 0
    return ResponseHead(status, tuple(kept), body_bytes)


def head_fields(head: ResponseHead, front: Front) -> dict[str, Any]:
    """Return the head as the fields of a JSON answer or of a stream's prelude."""
    values: dict[str, list[str]] = {}
    for name, value in head.headers:
        values.setdefault(name, []).append(value)
    if front in (Front.REST_API, Front.OTHER_1_0):
        return {"statusCode": head.status, "multiValueHeaders": values}
    cookies = values.pop("set-cookie", [])
    # Joined by commas (RFC 9110, 5.3).
    joined = {name: ", ".join(several) for name, several in values.items()}
    return {"statusCode": head.status, "headers": joined, "cookies": cookies}


def prelude_of(head: ResponseHead, front: Front) -> bytes:
    """Return what precedes a streamed body, its end mark included; raise ValueError when it is too long."""
    prelude = json.dumps(head_fields(head, front)).encode("ascii") + PRELUDE_END
    if len(prelude) > PRELUDE_BYTES_MAX:
        raise ValueError(
            f"status and headers take {len(prelude)} bytes of a stream's prelude, of {PRELUDE_BYTES_MAX} at most"
        )
    return prelude
