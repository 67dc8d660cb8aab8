"""Running an ASGI application on uvicorn until it is told to stop."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvicorn

from channeling_cli.failure import CommandFailed

# After Ctrl-C requests may end by themselves for this long (a second Ctrl-C skips it). Then they are cancelled,
# which the gateway passes on as an error: they have so long for that, and to put their record and settle.
SHUTDOWN_GRACE_S = 3
SETTLE_TIME_S = 10
# Longer than the pools of the common clients keep a connection: one that the server closes first may be written to
# just then, which shows as a failed request.
KEEP_ALIVE_S = 75


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    # uvicorn logs each request that it cancels at the end as a defect of the application, traceback and all.
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


class SettlingServer(uvicorn.Server):
    """uvicorn that says when it accepts connections, and waits at the end for requests to settle."""

    def __init__(
        self,
        config: uvicorn.Config,
        when_ready: Callable[[], None],
        when_stopped: Callable[[], Awaitable[None]],
        in_background: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        super().__init__(config)
        self._in_background = in_background
        self._background: asyncio.Task[None] | None = None
        self._when_ready = when_ready
        self._when_stopped = when_stopped

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._when_ready()
            if self._in_background is not None:
                self._background = asyncio.create_task(self._in_background())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._background is not None:
            self._background.cancel()
        await super().shutdown(sockets=sockets)
        left = set(self.server_state.tasks)
        for task in left:
            # uvicorn has cancelled them but after a second Ctrl-C; a second cancellation would stop a settle.
            if not task.cancelling():
                task.cancel()
        if left:
            await asyncio.wait(left, timeout=SETTLE_TIME_S)
        await self._when_stopped()


def serve_until_stopped(
    app: Any,
    listener: socket.socket,
    *,
    when_ready: Callable[[], None],
    when_stopped: Callable[[], Awaitable[None]],
    in_background: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Serve an ASGI application on a bound socket until SIGINT or SIGTERM; raise CommandFailed if it cannot.

    What runs in the background is cancelled when the server stops.
    """
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)
    server = SettlingServer(config, when_ready, when_stopped, in_background)
    server.run(sockets=[listener])
    if not server.started:
        raise CommandFailed("the server did not start; its own message is above")
