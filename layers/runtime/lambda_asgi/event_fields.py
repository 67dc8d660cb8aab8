"""Reading fields of an event that anybody may have written: each is of its type, or the event is refused."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class MalformedEvent(Exception):
    """The event is no HTTP request of a function URL or API Gateway; the message says what is wrong with it."""


def mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a field that must be an object; raise MalformedEvent."""
    value = parent.get(name)
    if not isinstance(value, dict):
        raise MalformedEvent(f"{name} is not an object")
    return value


def optional_mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a field that is an object, or an empty one where it is missing or null; raise MalformedEvent."""
    return {} if parent.get(name) is None else mapping(parent, name)


def text(parent: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return a field that must be a string; raise MalformedEvent."""
    value = parent.get(name, default)
    if not isinstance(value, str):
        raise MalformedEvent(f"{name} is not a string")
    return value


def encoded(value: str, where: str, encoding: str = "utf-8") -> bytes:
    """Return the value as bytes; JSON escapes can carry half a surrogate pair, which no bytes stand for."""
    try:
        return value.encode(encoding)
    except UnicodeEncodeError:
        pass
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedEvent(f"{where} holds half a surrogate pair") from error


def header(name: str, value: object) -> tuple[bytes, bytes]:
    """Return a header as ASGI has it; raise MalformedEvent for what would not be one on a wire."""
    if not isinstance(value, str) or not TOKEN.fullmatch(name):
        raise MalformedEvent(f"header {name[:80]!r} is not a name with a string value")
    value_bytes = encoded(value, f"header {name[:80]}", "latin-1")
    if b"\r" in value_bytes or b"\n" in value_bytes or b"\0" in value_bytes:
        raise MalformedEvent(f"header {name[:80]} holds a line break or NUL")
    return name.lower().encode("ascii"), value_bytes


def body(event: Mapping[str, Any]) -> bytes:
    """Return the request's body; raise MalformedEvent."""
    value = event.get("body")
    if value is None:
        return b""
    if not isinstance(value, str):
        raise MalformedEvent("body is not a string")
    if event.get("isBase64Encoded") is not True:
        return encoded(value, "body")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedEvent(f"body is not base64: {error}") from error
