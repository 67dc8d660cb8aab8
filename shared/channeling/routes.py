"""Which endpoint a path and a method belong to, and what a server's start and stop open and close.

Eight paths that never change need no more than two look-ups. Starlette's router, whose import is a tenth of this
function's cold start, took a tenth of a request as well.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from channeling.asgi import ASGIApp, Receive, Scope, Send

Lifespan = Callable[[], AbstractAsyncContextManager[Mapping[str, Any]]]
# What answers a path that is not offered, and (with the methods that are) a method that is not.
NoSuchPath = Callable[[Scope, Send], Any]
WrongMethod = Callable[[Scope, Send, Sequence[str]], Any]


class Routes:
    """An ASGI app of endpoints by method and path; a path may end in a parameter, `{name:path}`, for the rest.

    What `lifespan` yields as the server starts is in every request's `state`. HEAD is answered where GET is.
    """

    def __init__(
        self,
        endpoints: Sequence[tuple[str, str, ASGIApp]],
        lifespan: Lifespan,
        *,
        no_such_path: NoSuchPath,
        wrong_method: WrongMethod,
    ) -> None:
        self._lifespan = lifespan
        self._no_such_path = no_such_path
        self._wrong_method = wrong_method
        self._exact: dict[str, dict[str, ASGIApp]] = {}
        self._prefixed: dict[tuple[str, str], dict[str, ASGIApp]] = {}
        for method, path, endpoint in endpoints:
            prefix, brace, parameter = path.partition("{")
            if brace:
                offered = self._prefixed.setdefault((prefix, parameter.removesuffix(":path}")), {})
            else:
                offered = self._exact.setdefault(path, {})
            offered[method] = endpoint
            if method == "GET":
                offered["HEAD"] = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000, "reason": "no WebSocket is offered here"})
        else:
            raise RuntimeError(f"ASGI servers offer http and lifespan, not {scope['type']}")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        # A stage of API Gateway: by ASGI's rules it is in the path too.
        if (root_path := scope.get("root_path")) and path.startswith(f"{root_path}/"):
            path = path[len(root_path) :]
        offered = self._exact.get(path)
        if offered is None:
            for (prefix, parameter), found in self._prefixed.items():
                if path.startswith(prefix):
                    offered = found
                    scope = {**scope, "path_params": {parameter: path[len(prefix) :]}}
                    break
        if offered is None:
            await self._no_such_path(scope, send)
            return
        endpoint = offered.get(scope["method"])
        if endpoint is None:
            await self._wrong_method(scope, send, sorted(offered))
            return
        await endpoint(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        ended = "lifespan.startup"
        try:
            async with self._lifespan() as state:
                scope["state"].update(state)
                await send({"type": "lifespan.startup.complete"})
                ended = "lifespan.shutdown"
                await receive()
        except BaseException:
            await send({"type": f"{ended}.failed", "message": traceback.format_exc()})
            raise
        await send({"type": "lifespan.shutdown.complete"})
