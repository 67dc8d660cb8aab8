"""What runs in the background of the server starts with it and is cancelled when it stops."""

import asyncio
import socket
from typing import Any

import uvicorn

from channeling_cli.server import SettlingServer


async def _app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    raise AssertionError("nobody asks")


async def test_the_background_lives_as_long_as_the_server() -> None:
    heard: list[str] = []

    async def background() -> None:
        heard.append("started")
        server.should_exit = True
        try:
            await asyncio.Event().wait()
        finally:
            heard.append("cancelled")

    async def stopped() -> None:
        heard.append("stopped")

    config = uvicorn.Config(_app, lifespan="off", log_config=None)
    server = SettlingServer(config, lambda: heard.append("ready"), stopped, background)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await server._serve([listener])
        listener.detach()  # uvicorn has closed it
    assert heard == ["ready", "started", "cancelled", "stopped"]
