"""A server is connected to once, ahead of the first request, which then goes out over that connection."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from channeling.upstream import HttpUpstream, UpstreamRequest, UpstreamUnreachable, read_body
from tests.channeling.test_upstream_connections import LIMIT_S, answer_each, serving
from tests.stand_ins.upstream_server import closed_port_url


@pytest.fixture
async def upstream() -> AsyncIterator[HttpUpstream]:
    async def sleep(delay_s: float) -> None:
        pass

    upstream = HttpUpstream(sleep=sleep)
    yield upstream
    await upstream.aclose()


async def answer_of(upstream: HttpUpstream, url: str) -> bytes:
    async with asyncio.timeout(LIMIT_S):
        response = await upstream.send(UpstreamRequest("GET", url, [], b""))
        try:
            return await read_body(response)
        finally:
            await response.aclose()


async def test_the_first_request_takes_the_connection_that_was_begun(upstream: HttpUpstream) -> None:
    """It waits for it rather than to open a second, which would be there no sooner."""
    async with serving(answer_each) as server:
        upstream.connect_ahead(f"{server.url}v1/messages?beta=true")
        assert await answer_of(upstream, f"{server.url}v1/messages") == b"hi"
        upstream.connect_ahead(server.url)
        assert await answer_of(upstream, server.url) == b"hi"
        assert server.accepted == 1


async def test_what_cannot_be_reached_is_said_by_the_request(upstream: HttpUpstream) -> None:
    url = closed_port_url()
    upstream.connect_ahead(url)
    with pytest.raises(UpstreamUnreachable, match="could not be reached"):
        await answer_of(upstream, url)


async def test_an_address_that_is_none_is_said_by_the_request(upstream: HttpUpstream) -> None:
    upstream.connect_ahead("ftp://nowhere")
    with pytest.raises(UpstreamUnreachable, match="not a usable URL"):
        await answer_of(upstream, "ftp://nowhere")


async def test_after_connections_were_dropped_it_begins_again(upstream: HttpUpstream) -> None:
    """A snapshot's copies share no connection, and each gains by one."""
    async with serving(answer_each) as server:
        upstream.connect_ahead(server.url)
        await answer_of(upstream, server.url)
        upstream.drop_connections()
        upstream.connect_ahead(server.url)
        await server.until(lambda: server.accepted == 2)
        await answer_of(upstream, server.url)
        assert server.accepted == 2


async def test_closing_ends_what_was_begun() -> None:
    """No task is left behind, and no connection that nobody closes."""
    async with serving(answer_each) as server:
        upstream = HttpUpstream()
        upstream.connect_ahead(server.url)
        await upstream.aclose()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not [task for task in others if "_connect" in repr(task.get_coro())]
