"""Just enough HTTP/1.1 on asyncio streams for stand-ins that must be able to misbehave on the wire."""

import asyncio
import socket
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Literal

import orjson


@dataclass(slots=True)
class RecordedRequest:
    """One request as it came, and what became of it."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    client_left: bool = False
    answered: bool = False
    pieces_sent: int = 0

    def header(self, name: str) -> str | None:
        """The value of a header, if it came once; raise ValueError when it came more often."""
        values = [value for key, value in self.headers if key == name]
        if len(values) > 1:
            raise ValueError(f"{name} came {len(values)} times")
        return values[0] if values else None

    def json(self) -> Any:
        """The body, parsed."""
        return orjson.loads(self.body)


@dataclass(slots=True)
class Connection:
    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    unread: bytes = b""

    async def line(self) -> bytes:
        unread, self.unread = self.unread, b""
        return unread + await self.reader.readline()


class ClientLeft(Exception):
    """The client closed its end before the answer was whole."""


class Gzip:
    """A compressor that flushes with each event, as a proxy that compresses streams does."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(wbits=31)
        self._flush = zlib.Z_SYNC_FLUSH

    def __call__(self, piece: bytes) -> bytes:
        return self._compressor.compress(piece) + self._compressor.flush(self._flush)

    def end(self) -> bytes:
        return self._compressor.flush()


async def read_request(connection: Connection) -> RecordedRequest | None:
    request_line = await connection.line()
    if not request_line.strip():
        return None
    method, target, _ = request_line.decode("latin-1").split(" ")
    headers: list[tuple[str, str]] = []
    while (line := await connection.line()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name.strip().lower(), value.strip()))
    length = int(dict(headers).get("content-length", "0"))
    body = await connection.reader.readexactly(length) if length else b""
    path, _, query = target.partition("?")
    return RecordedRequest(method, path, query, headers, body, connection.number)


async def send_whole(
    connection: Connection,
    status: int,
    body: bytes,
    headers: list[tuple[str, str]],
    *,
    ending: Literal["complete", "reset", "hang"] = "complete",
) -> None:
    """Send an answer of known length; one that ends in `reset` or `hang` does so half-way."""
    await send_head(connection, status, [*headers, ("content-length", str(len(body)))])
    if ending != "complete":
        await send_raw(connection, body[: len(body) // 2])
        if ending == "reset":
            reset(connection)
        await asyncio.Event().wait()
    await send_raw(connection, body)


async def send_head(connection: Connection, status: int, headers: list[tuple[str, str]]) -> None:
    lines = [f"HTTP/1.1 {status} stand-in", *(f"{name}: {value}" for name, value in headers), "", ""]
    await send_raw(connection, "\r\n".join(lines).encode("latin-1"))


async def send_cut(connection: Connection, piece: bytes, bytes_per_write: int) -> None:
    step = bytes_per_write or len(piece)
    for start in range(0, len(piece), step):
        await send_chunk(connection, piece[start : start + step])


async def send_chunk(connection: Connection, piece: bytes) -> None:
    if piece:
        await send_raw(connection, b"%x\r\n%b\r\n" % (len(piece), piece))


async def send_raw(connection: Connection, piece: bytes) -> None:
    connection.writer.write(piece)
    await connection.writer.drain()


def reset(connection: Connection) -> None:
    """Close with a TCP reset, as a crashed process behind a proxy does."""
    sock = connection.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.writer.transport.abort()
    raise ConnectionResetError("the script asked for a reset")
