"""Which connection a request goes out on: one that is whole, the last used first, none that anybody else uses."""

import asyncio
import os
import socket

import pytest

from channeling.http1.errors import ConnectionBroken, TooManyConnections
from tests.channeling.http1.raw_server import (
    LIMIT_S,
    OK,
    Peer,
    RawServer,
    ask,
    client_of,
    scripted,
    sent,
    serving,
    turns,
)


async def test_requests_one_after_the_other_share_a_connection() -> None:
    async with serving(scripted(OK, stays=True)) as server, client_of() as client:
        for _ in range(20):
            assert await ask(client, server.url) == b"hi"
        assert (server.accepted, len(server.requests)) == (1, 20)


async def test_requests_at_once_do_not() -> None:
    everybody = asyncio.Barrier(5)

    async def answer_together(peer: Peer) -> None:
        while True:
            await peer.request()
            await everybody.wait()
            await peer.send(OK)

    async with serving(answer_together) as server, client_of() as client:
        for _ in range(2):
            asked = [ask(client, server.url) for _ in range(5)]
            assert await asyncio.gather(*asked) == [b"hi"] * 5
        assert server.accepted == 5


async def test_servers_do_not_share_connections() -> None:
    async with (
        serving(scripted(OK, stays=True)) as one,
        serving(scripted(OK, stays=True)) as other,
        client_of() as client,
    ):
        for _ in range(2):
            assert await ask(client, one.url) == b"hi"
            assert await ask(client, other.url) == b"hi"
            # The same server by another name is another: what is trusted, and verified, is the name.
            assert await ask(client, f"http://localhost:{one.port}/") == b"hi"
        assert (one.accepted, other.accepted) == (2, 1)


async def test_a_response_that_was_not_read_to_its_end_takes_its_connection_along() -> None:
    async with serving(scripted(OK[:-1], stays=True)) as server, client_of() as client:
        for number in range(1, 3):
            response = await sent(client, server.url)
            await response.aclose()
            await response.aclose()
            await server.until(lambda number=number: server.ended == number)  # type: ignore[misc] # bound now
        assert server.accepted == 2


async def test_a_response_that_came_whole_may_be_closed_unread() -> None:
    async with serving(scripted(OK, stays=True)) as server, client_of() as client:
        for _ in range(3):
            await (await sent(client, server.url)).aclose()
        assert await ask(client, server.url) == b"hi"
        assert server.accepted == 1


def own_socket(peer: Peer) -> socket.socket:
    """The connection's socket, to act on at once: a loop acts when it comes round."""
    return socket.socket(fileno=os.dup(peer.writer.get_extra_info("socket").fileno()))


async def at_rest(client: object, server: RawServer) -> Peer:
    """Ask once; the connection that the answer came on rests."""
    assert await ask(client, server.url) == b"hi"  # type: ignore[arg-type] # an HttpClient
    return server.peers[0]


@pytest.mark.parametrize("loop_goes_round", [True, False], ids=["known", "not yet known"])
async def test_a_connection_that_its_server_closed_at_rest_is_not_used(loop_goes_round: bool) -> None:
    """Also where its end is in the kernel, and the loop has not read it: what is asked then would be lost."""
    async with serving(scripted(OK, stays=True)) as server, client_of() as client:
        peer = await at_rest(client, server)
        with own_socket(peer) as connected:
            connected.shutdown(socket.SHUT_RDWR)
        if loop_goes_round:
            async with asyncio.timeout(LIMIT_S):
                while client._pool._idle_count:  # noqa: ASYNC110 # nobody is told of it
                    await asyncio.sleep(0)
        assert await ask(client, server.url) == b"hi"
        assert (server.accepted, len(server.requests)) == (2, 2)


@pytest.mark.parametrize("loop_goes_round", [True, False], ids=["known", "not yet known"])
async def test_a_connection_on_which_something_came_at_rest_is_not_used(loop_goes_round: bool) -> None:
    """It would be taken for the answer to what is asked next, of somebody else perhaps."""
    evil = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
    async with serving(scripted(OK, stays=True)) as server, client_of() as client:
        peer = await at_rest(client, server)
        with own_socket(peer) as connected:
            assert connected.send(evil) == len(evil)
        if loop_goes_round:
            async with asyncio.timeout(LIMIT_S):
                while client._pool._idle_count:  # noqa: ASYNC110 # nobody is told of it
                    await asyncio.sleep(0)
        assert await ask(client, server.url) == b"hi"
        assert server.accepted == 2


async def test_what_comes_late_for_one_request_is_not_the_next_ones() -> None:
    """The rest of a response that was given up arrives at nobody."""

    async def late(peer: Peer) -> None:
        await peer.request()
        if server.accepted == 1:
            await peer.send(OK[:-1])
            await asyncio.wait_for(given_up.wait(), LIMIT_S)
            await peer.send(b"X" + OK.replace(b"hi", b"no"))
        else:
            await peer.send(OK)
        await peer.until_closed()

    given_up = asyncio.Event()
    async with serving(late) as server, client_of() as client:
        response = await sent(client, server.url)
        await response.aclose()
        given_up.set()
        assert await ask(client, server.url) == b"hi"


async def test_a_reader_gets_nothing_of_the_request_that_follows() -> None:
    """Somebody closes a response at its end, and asks again, before its reader has been woken by that end."""

    async def answer(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK[:-2])
        await asyncio.wait_for(is_read.wait(), LIMIT_S)
        await peer.send(b"hi")
        await peer.request()
        await turns()
        await peer.send(OK.replace(b"hi", b"no"))
        await peer.until_closed()

    is_read, has_ended = asyncio.Event(), asyncio.Event()
    async with serving(answer) as server, client_of() as client:
        response = await sent(client, server.url)
        connection = response._connection
        wake = connection._wake

        def wake_the_other_first() -> None:
            if connection._is_complete:
                has_ended.set()
            wake()

        async def close_and_ask() -> bytes:
            await has_ended.wait()
            await response.aclose()
            return await (await client.send("POST", server.url, [], b"")).read(max_bytes=10)

        connection._wake = wake_the_other_first  # type: ignore[method-assign] # to come between the two
        reading = asyncio.create_task(response.read(max_bytes=10))
        asking = asyncio.create_task(close_and_ask())
        await turns()
        is_read.set()
        async with asyncio.timeout(LIMIT_S):
            assert await asking == b"no"
            with pytest.raises(ConnectionBroken):
                await reading
        assert server.accepted == 1


async def test_idle_connections_are_limited_in_number() -> None:
    everybody = asyncio.Barrier(4)

    async def answer_together(peer: Peer) -> None:
        await peer.request()
        await everybody.wait()
        await peer.send(OK)
        await peer.until_closed()

    async with serving(answer_together) as server, client_of(max_idle_connections=2) as client:
        await asyncio.gather(*(ask(client, server.url) for _ in range(4)))
        await server.until(lambda: server.ended == 2)
        assert client._pool._idle_count == 2


async def test_what_rested_too_long_is_not_used() -> None:
    async with serving(scripted(OK, stays=True)) as server, client_of(idle_s=0.0) as client:
        for _ in range(2):
            assert await ask(client, server.url) == b"hi"
        assert server.accepted == 2


async def test_waiters_get_connections_as_they_come_free() -> None:
    """Twenty requests over two connections, each served in turn."""
    async with (
        serving(scripted(OK, stays=True)) as server,
        client_of(max_connections=2, pool_timeout_s=LIMIT_S) as client,
    ):
        assert await asyncio.gather(*(ask(client, server.url) for _ in range(20))) == [b"hi"] * 20
        assert server.accepted <= 2
        assert len(server.requests) == 20


async def test_a_place_is_free_again_after_every_kind_of_end() -> None:
    """One connection, and a request that fails in each way before the next: none keeps its place."""

    async def by_turns(peer: Peer) -> None:
        request = await peer.request()
        if b"/malformed" in request:
            await peer.send(b"no HTTP at all\r\n\r\n")
        elif b"/cut" in request:
            return
        elif b"/half" in request:
            await peer.send(OK[:-1])
            is_half.set()
        else:
            await peer.send(OK)
            await scripted(OK, stays=True)(peer)
        await peer.until_closed()

    is_half = asyncio.Event()
    async with (
        serving(by_turns) as server,
        client_of(max_connections=1, pool_timeout_s=0.05) as client,
    ):
        for path in ("malformed", "cut", "half", "malformed", "fine"):
            asking = asyncio.create_task(ask(client, server.url + path))
            if path == "half":
                await asyncio.wait_for(is_half.wait(), LIMIT_S)
                await turns()
                asking.cancel()
            ended = (await asyncio.gather(asking, return_exceptions=True))[0]
            assert not isinstance(ended, TooManyConnections)
            assert (ended == b"hi") == (path == "fine")
        held = await sent(client, server.url)
        with pytest.raises(TooManyConnections):
            await ask(client, server.url)
        await held.aclose()
        assert await ask(client, server.url) == b"hi"


async def test_dropped_connections_are_opened_anew() -> None:
    async with serving(scripted(OK, stays=True)) as server, client_of() as client:
        assert await ask(client, server.url) == b"hi"
        client.drop_connections()
        assert await ask(client, server.url) == b"hi"
        assert server.accepted == 2


async def test_requests_under_way_end_with_the_connections_that_are_dropped() -> None:
    async with serving(scripted(OK[:-1], stays=True)) as server, client_of() as client:
        response = await sent(client, server.url)
        reading = asyncio.create_task(response.read(max_bytes=10))
        await turns()
        client.drop_connections()
        with pytest.raises(ConnectionBroken):
            await reading
