"""A relay of Starlette and httpx, as the documentation of both has it: no checks, no budget. For uvicorn.

It runs in an environment of its own, which has none of Channeling.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

_UPSTREAM = os.environ["UPSTREAM_URL"]
_HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=600, trust_env=False) as client:
        app.state.client = client
        yield


async def _relay(request: Request) -> StreamingResponse:
    client: httpx.AsyncClient = request.app.state.client
    headers = [(name, value) for name, value in request.headers.items() if name not in _HOP_BY_HOP]
    outgoing = client.build_request(
        "POST", _UPSTREAM + request.url.path, headers=headers, content=await request.body()
    )
    answer = await client.send(outgoing, stream=True)

    async def body() -> AsyncIterator[bytes]:
        try:
            async for chunk in answer.aiter_raw():
                yield chunk
        finally:
            await answer.aclose()

    passed = {name: value for name, value in answer.headers.items() if name not in _HOP_BY_HOP}
    return StreamingResponse(body(), answer.status_code, passed)


app = Starlette(routes=[Route("/{path:path}", _relay, methods=["POST"])], lifespan=_lifespan)
