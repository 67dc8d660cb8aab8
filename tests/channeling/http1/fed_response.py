"""Reads a response from scripted bytes without a network, so that a wait can be for a missing byte alone."""

import asyncio
import socket
from collections.abc import Sequence

from channeling.http1.client import HttpResponse
from channeling.http1.connection import Connection
from channeling.http1.pool import ConnectionPool
from channeling.http1.request_head import split_url

_ORIGIN, _ = split_url("http://127.0.0.1/")
# More turns of the loop than any step takes.
_TURNS = 20


class FedTransport(asyncio.Transport):
    """A transport that takes what is written, and closes when it is told to."""

    def __init__(self, connection: Connection, connected: socket.socket) -> None:
        super().__init__({"socket": connected})
        self._connection = connection
        self._closes = False
        self.is_paused = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever held up."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take it all."""

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def is_closing(self) -> bool:
        return self._closes

    def abort(self) -> None:
        self.end()

    def end(self) -> None:
        """Close, and tell the connection in the next turn as a loop does."""
        if not self._closes:
            self._closes = True
            asyncio.get_running_loop().call_soon(self._connection.connection_lost, None)


async def fed(
    pieces: Sequence[bytes], connected: socket.socket
) -> tuple[int, dict[str, str], bytes] | BaseException | None:
    """Return what a client makes of these pieces and the end: a response, an error, None for a hang."""
    connection = Connection(_ORIGIN)
    transport = FedTransport(connection, connected)
    connection.connection_made(transport)
    pool = ConnectionPool(max_connections=1, max_idle_connections=0, idle_s=0)

    async def ask() -> tuple[int, dict[str, str], bytes]:
        await connection.send(b"", b"", write_timeout_s=1e6, read_timeout_s=None)
        response = HttpResponse(connection, pool, None)
        return response.status, dict(response.headers), await response.read(max_bytes=1_000_000)

    asking = asyncio.ensure_future(ask())
    await asyncio.sleep(0)
    for piece in pieces:
        if not transport.is_closing():
            connection.data_received(piece)
        if len(pieces) < _TURNS:
            await asyncio.sleep(0)
    transport.end()
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    if not asking.done():
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return None
    return asking.exception() or asking.result()
