"""A relay of Starlette and aiohttp: no checks, no budget. The floor that Channeling is held to. For uvicorn.

It runs in an environment of its own, which has none of Channeling.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

_UPSTREAM = os.environ["UPSTREAM_URL"]
_HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
        app.state.session = session
        yield


async def _relay(request: Request) -> StreamingResponse:
    session: aiohttp.ClientSession = request.app.state.session
    headers = [(name, value) for name, value in request.headers.items() if name not in _HOP_BY_HOP]
    answer = await session.post(_UPSTREAM + request.url.path, headers=headers, data=await request.body())

    async def body() -> AsyncIterator[bytes]:
        try:
            async for chunk in answer.content.iter_any():
                yield chunk
        finally:
            answer.release()

    passed = {name.lower(): value for name, value in answer.headers.items()}
    return StreamingResponse(
        body(), answer.status, {name: value for name, value in passed.items() if name not in _HOP_BY_HOP}
    )


app = Starlette(routes=[Route("/{path:path}", _relay, methods=["POST"])], lifespan=_lifespan)
