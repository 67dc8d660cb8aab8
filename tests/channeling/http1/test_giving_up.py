"""Wherever a request is given up, or its client closed, the connection closes and nobody waits for ever."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from channeling.http1.client import HttpClient
from channeling.http1.errors import ConnectionBroken, HttpError, NotSent
from tests.channeling.http1.raw_server import (
    LIMIT_S,
    OK,
    Handler,
    Peer,
    ask,
    client_of,
    scripted,
    sent,
    serving,
    turns,
)

HUGE = b"x" * 12_000_000
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Stage:
    """Where a server stops, and what tells that it is there."""

    def __init__(self, handler: Callable[["Stage", Peer], Awaitable[None]], body: bytes = b"{}") -> None:
        self._handler = handler
        self.body = body
        self.reached = asyncio.Event()

    @property
    def handler(self) -> Handler:
        async def handle(peer: Peer) -> None:
            await self._handler(self, peer)
            await peer.until_closed()

        return handle


async def _before_the_head(stage: Stage, peer: Peer) -> None:
    await peer.request()
    stage.reached.set()


async def _while_it_is_sent(stage: Stage, peer: Peer) -> None:
    await peer.reader.readuntil(b"\r\n\r\n")
    stage.reached.set()
    await turns(20)


async def _in_the_head(stage: Stage, peer: Peer) -> None:
    await peer.request()
    await peer.send(OK[:20])
    stage.reached.set()


async def _after_an_early_100(stage: Stage, peer: Peer) -> None:
    await peer.request()
    await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    stage.reached.set()


async def _before_the_body(stage: Stage, peer: Peer) -> None:
    await peer.request()
    await peer.send(OK[:-2])
    stage.reached.set()


async def _in_a_chunk(stage: Stage, peer: Peer) -> None:
    await peer.request()
    await peer.send(CHUNKED + b"5\r\nhel")
    stage.reached.set()


async def _before_the_last_chunk(stage: Stage, peer: Peer) -> None:
    await peer.request()
    await peer.send(CHUNKED + b"5\r\nhello\r\n0\r\n")
    stage.reached.set()


async def _in_a_body_until_the_end(stage: Stage, peer: Peer) -> None:
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhel")
    stage.reached.set()


STAGES = {
    "before the head": (_before_the_head, b"{}"),
    "while it is sent": (_while_it_is_sent, HUGE),
    "in the head": (_in_the_head, b"{}"),
    "after a 100": (_after_an_early_100, b"{}"),
    "before the body": (_before_the_body, b"{}"),
    "in a chunk": (_in_a_chunk, b"{}"),
    "before the last chunk": (_before_the_last_chunk, b"{}"),
    "in a body until the end": (_in_a_body_until_the_end, b"{}"),
}


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(*STAGES[request.param])


async def test_a_request_that_is_cancelled_closes_its_connection(stage: Stage) -> None:
    async with (
        serving(stage.handler) as server,
        client_of(max_connections=1, pool_timeout_s=LIMIT_S) as client,
    ):
        asking = asyncio.create_task(ask(client, server.url, stage.body))
        await asyncio.wait_for(stage.reached.wait(), LIMIT_S)
        await turns()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.until(lambda: server.ended == 1)
        async with serving(scripted(OK)) as other:
            assert await ask(client, other.url) == b"hi"


async def test_a_client_that_closes_ends_what_is_under_way(stage: Stage) -> None:
    async with serving(stage.handler) as server:
        client = HttpClient()
        asking = asyncio.create_task(ask(client, server.url, stage.body))
        await asyncio.wait_for(stage.reached.wait(), LIMIT_S)
        await turns()
        await client.aclose()
        with pytest.raises(ConnectionBroken):
            await asking
        await server.until(lambda: server.ended == 1)


async def test_a_cancelled_wait_for_a_part_of_the_body_may_be_followed_by_another() -> None:
    """Whoever waits with a limit of its own goes on where it was: no byte is lost."""
    goes_on = asyncio.Event()

    async def pause(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"1\r\na\r\n")
        await goes_on.wait()
        await peer.send(b"1\r\nb\r\n0\r\n\r\n")

    async with serving(pause) as server, client_of() as client:
        response = await sent(client, server.url)
        assert await anext(response.chunks()) == b"a"
        waiting = asyncio.create_task(anext(response.chunks()))  # type: ignore[arg-type] # an async generator's
        await turns()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        goes_on.set()
        assert await response.read(max_bytes=10) == b"b"


async def test_cancelled_at_the_very_moment_at_which_the_head_came() -> None:
    """Whoever asked does not have the response to close: its connection is closed for it."""
    answers = asyncio.Event()

    async def answer(peer: Peer) -> None:
        await peer.request()
        await answers.wait()
        await peer.send(OK)
        await peer.until_closed()

    async with serving(answer) as server, client_of() as client:
        asking = asyncio.create_task(client.send("GET", server.url, [], b""))
        await server.until(lambda: server.accepted == 1)
        async with asyncio.timeout(LIMIT_S):
            while not client._pool._busy:  # noqa: ASYNC110 # nobody is told of it
                await asyncio.sleep(0)
        (connection,) = client._pool._busy
        wake = connection._wake

        def wake_and_cancel() -> None:
            wake()
            asking.cancel()

        connection._wake = wake_and_cancel  # type: ignore[method-assign] # to come between the two
        answers.set()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.until(lambda: server.ended == 1)
        assert not client._pool._busy


@pytest.mark.parametrize("rounds", range(12))
async def test_cancelled_at_every_step_of_the_way(rounds: int) -> None:
    """From the first turn of the loop to the last: no connection stays open, no place is lost."""
    async with (
        serving(scripted(OK, stays=True)) as server,
        client_of(max_connections=1, max_idle_connections=0, pool_timeout_s=LIMIT_S) as client,
    ):
        asking = asyncio.create_task(ask(client, server.url))
        await turns(rounds)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert await ask(client, server.url) == b"hi"
        await server.until(lambda: server.ended == server.accepted)


async def test_closing_a_response_ends_who_reads_it() -> None:
    async with serving(scripted(OK[:-1], stays=True)) as server, client_of() as client:
        response = await sent(client, server.url)
        reading = asyncio.create_task(response.read(max_bytes=10))
        await turns()
        await response.aclose()
        with pytest.raises(ConnectionBroken):
            await reading
        with pytest.raises(ConnectionBroken, match="was closed"):
            await response.read(max_bytes=10)
        await server.until(lambda: server.ended == 1)


async def test_closing_a_response_until_the_end_is_no_end() -> None:
    """A body that ends with its connection is not whole because its reader's side closed that."""
    async with (
        serving(scripted(b"HTTP/1.1 200 OK\r\n\r\nhel", stays=True)) as server,
        client_of() as client,
    ):
        response = await sent(client, server.url)
        reading = asyncio.create_task(response.read(max_bytes=10))
        await turns(20)
        client.drop_connections()
        with pytest.raises(ConnectionBroken):
            await reading


async def test_a_reset_is_no_end_of_a_body_until_the_end() -> None:
    import socket
    import struct

    async def reset(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhel")
        await asyncio.wait_for(is_read.wait(), LIMIT_S)
        own = peer.writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.writer.transport.abort()

    is_read = asyncio.Event()
    async with serving(reset) as server, client_of() as client:
        response = await sent(client, server.url)
        chunks = response.chunks()
        assert await anext(chunks) == b"hel"
        is_read.set()
        with pytest.raises(ConnectionBroken):
            await anext(chunks)
        await response.aclose()


async def test_requests_given_up_at_random_leave_nothing() -> None:
    """Each at another turn of the loop, through few connections: in the end all places are free."""
    async with (
        serving(scripted(OK, stays=True)) as server,
        client_of(max_connections=3, pool_timeout_s=LIMIT_S) as client,
    ):

        async def give_up_after(rounds: int) -> None:
            asking = asyncio.create_task(ask(client, server.url))
            await turns(rounds)
            asking.cancel()
            (ended,) = await asyncio.gather(asking, return_exceptions=True)
            assert ended == b"hi" or isinstance(ended, asyncio.CancelledError)

        await asyncio.gather(*(give_up_after(number * 7919 % 61) for number in range(200)))
        pool = client._pool
        assert (len(pool._busy), pool._connecting, len(pool._queue)) == (0, 0, 0)
        assert await asyncio.gather(*(ask(client, server.url) for _ in range(9))) == [b"hi"] * 9
        assert server.accepted - server.ended <= 3 + 3  # a server learns of an end a little later


async def test_whoever_waits_for_a_place_is_told_of_the_clients_end() -> None:
    async with serving(scripted(OK[:-1], stays=True)) as server:
        client = HttpClient(max_connections=1, pool_timeout_s=LIMIT_S)
        held = await sent(client, server.url)
        waiting = [asyncio.create_task(ask(client, server.url)) for _ in range(5)]
        await turns()
        await client.aclose()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(one) for one in ended} == {NotSent}
        with pytest.raises(HttpError):
            await held.read(max_bytes=10)
        await server.until(lambda: server.ended == 1)
