"""Small ASGI apps, for tests that are about something else."""

from typing import Any

from lambda_asgi.asgi import Receive, Scope, Send


def with_lifespan(app: Any) -> Any:
    """Return an app that answers the lifespan itself and leaves requests to `app`."""

    async def whole(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await app(scope, receive, send)

    return whole


async def start(send: Send, status: Any = 200, headers: Any = ()) -> None:
    """Send status and headers."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def body(send: Send, data: bytes, more: bool = True) -> None:
    """Send a piece of the body."""
    await send({"type": "http.response.body", "body": data, "more_body": more})


@with_lifespan
async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the request's body."""
    request = await receive()
    await start(send, headers=[(b"content-type", b"application/octet-stream")])
    await body(send, request["body"], more=False)
