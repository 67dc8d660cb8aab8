"""A function URL on a port of this machine."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn

from emulator.function_url import FunctionUrl

_STOP_WITHIN_S = 1


class _UrlServer(uvicorn.Server):
    """uvicorn that leaves signals to its caller and says when it accepts connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepts = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections, and say so."""
        await super().startup(sockets=sockets)
        self.accepts.set()


@asynccontextmanager
async def running_url(url: FunctionUrl, listener: socket.socket) -> AsyncIterator[None]:
    """Serve on a listening socket, which is closed at the end; requests under way are then cut short."""
    # A broken-off answer is no defect of this server, so nothing is printed of it.
    config = uvicorn.Config(
        url,
        lifespan="off",
        log_level="critical",
        server_header=False,
        timeout_graceful_shutdown=_STOP_WITHIN_S,
    )
    server = _UrlServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.accepts.wait()
        yield
    finally:
        server.should_exit = True
        await serving
