"""As much of an HTTP/1.1 client as the Lambda Runtime API needs, on asyncio streams (RFC 9112)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

HEADER_LINES_MAX = 200
# An invocation's event is at most 6 MB on the wire; JSON escapes cannot make it longer than this.
BODY_BYTES_MAX = 64 * 1024 * 1024


class ProtocolError(Exception):
    """The other side sent something that is not HTTP/1.1, or closed in the middle of it."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole HTTP response; header names are lower-case, `keep_alive` tells if the connection goes on."""

    status: int
    headers: dict[str, str]
    body: bytes
    keep_alive: bool


def request_head(method: str, path: str, host: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """Return a request line with its header fields and the blank line after them."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def read_response(reader: asyncio.StreamReader) -> Response:
    """Return the next response, body included; raise ProtocolError when it is malformed or cut off."""
    try:
        status, version, headers = await _read_head(reader)
        while 100 <= status < 200:
            status, version, headers = await _read_head(reader)
        body, delimited = await _read_body(reader, status, headers)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise ProtocolError(f"a response was cut off or malformed: {error}") from error
    keep_alive = delimited and version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    return Response(status, headers, body, keep_alive)


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, str, dict[str, str]]:
    line = (await reader.readuntil(b"\r\n")).decode("latin-1").rstrip("\r\n")
    version, _, rest = line.partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not (status.isascii() and status.isdigit() and len(status) == 3):
        raise ProtocolError(f"not a status line: {line[:80]!r}")
    headers: dict[str, str] = {}
    for _ in range(HEADER_LINES_MAX):
        line = (await reader.readuntil(b"\r\n")).decode("latin-1").rstrip("\r\n")
        if not line:
            return int(status), version, headers
        name, colon, value = line.partition(":")
        if not colon:
            raise ProtocolError(f"not a header field: {line[:80]!r}")
        headers[name.strip().lower()] = value.strip()
    raise ProtocolError(f"more than {HEADER_LINES_MAX} header fields")


async def _read_body(
    reader: asyncio.StreamReader, status: int, headers: dict[str, str]
) -> tuple[bytes, bool]:
    """Return the body and whether its end was marked, so that another response can follow."""
    if status in (204, 304):
        return b"", True
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _read_chunks(reader), True
    if "content-length" in headers:
        return await reader.readexactly(_bounded(int(headers["content-length"]))), True
    return await reader.read(BODY_BYTES_MAX), False


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        size_line = await reader.readuntil(b"\r\n")
        size = _bounded(int(size_line.partition(b";")[0], 16), already=len(body))
        if size == 0:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass  # Trailer fields: none that the Runtime API sends means anything to us.
            return bytes(body)
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise ProtocolError("a chunk is longer than it said")


def _bounded(size: int, already: int = 0) -> int:
    if size < 0 or already + size > BODY_BYTES_MAX:
        raise ProtocolError(f"a body of {already + size} bytes is outside 0..{BODY_BYTES_MAX}")
    return size
