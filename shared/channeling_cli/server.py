"""Running an ASGI application on uvicorn until it is told to stop."""

import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from channeling_cli.failure import CommandFailed

# On the first Ctrl-C streams may end by themselves for this long; then they are cut, settled, and the server ends.
SHUTDOWN_GRACE_S = 5
# Longer than the pools of the common clients keep a connection: one that the server closes first may be written to
# just then, which shows as a failed request.
KEEP_ALIVE_S = 75


class _Server(uvicorn.Server):
    """uvicorn that calls back when it accepts connections."""

    def __init__(self, config: uvicorn.Config, when_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._when_ready()


def serve_until_stopped(app: Any, listener: socket.socket, *, when_ready: Callable[[], None]) -> None:
    """Serve an ASGI application on a bound socket until SIGINT or SIGTERM; raise CommandFailed if it cannot."""
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
    server = _Server(config, when_ready)
    server.run(sockets=[listener])
    if not server.started:
        raise CommandFailed("the server did not start; its own message is above")
