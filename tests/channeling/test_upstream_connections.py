"""Connections to providers are shared fairly, forgotten when they die, and none is opened or kept once closed."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from channeling.http1.client import HttpClient
from channeling.http1.content_encoding import BodyDecoder
from channeling.http1.errors import (
    ConnectionBroken,
    HttpError,
    NotSent,
    ResponseMalformed,
    TooManyConnections,
)

LIMIT_S = 60
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    url: str = ""
    accepted: int = 0
    ended: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S), self.changed:
            await self.changed.wait_for(holds)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Server]:
    seen, tasks = Server(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with seen.changed:
            seen.accepted += 1
            seen.changed.notify_all()
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            async with seen.changed:
                seen.ended += 1
                seen.changed.notify_all()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    seen.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield seen
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def answer_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)


async def ask(client: HttpClient, url: str) -> bytes:
    async with asyncio.timeout(LIMIT_S):
        response = await client.send("GET", url, [], b"")
        return await response.read(max_bytes=1_000_000)


async def turns(rounds: int = 5) -> None:
    for _ in range(rounds):
        await asyncio.sleep(0)


async def test_who_waits_comes_before_who_asks_again() -> None:
    """Else one busy caller keeps the only connection, and whoever waits for it is neither served nor told."""
    async with serving(answer_each) as server:
        client = HttpClient(max_connections=1, pool_timeout_s=LIMIT_S)
        held = await client.send("GET", server.url, [], b"")
        order: list[str] = []

        async def asking(name: str) -> None:
            await ask(client, server.url)
            order.append(name)

        waiting = [asyncio.create_task(asking(name)) for name in ("first", "second")]
        await turns()
        await held.read(max_bytes=10)
        await asking("again")
        await asyncio.gather(*waiting)
        assert order == ["first", "second", "again"]
        assert server.accepted == 1
        await client.aclose()


async def test_a_wait_for_a_connection_ends_in_time() -> None:
    async with serving(answer_each) as server:
        client = HttpClient(max_connections=1, pool_timeout_s=0.01)
        held = await client.send("GET", server.url, [], b"")
        with pytest.raises(TooManyConnections):
            await ask(client, server.url)
        await held.read(max_bytes=10)
        assert await ask(client, server.url) == b"hi"
        await client.aclose()


async def test_who_stops_waiting_leaves_no_hole() -> None:
    """Also one that was given the connection and cancelled at the same moment."""
    async with serving(answer_each) as server:
        client = HttpClient(max_connections=1, pool_timeout_s=LIMIT_S)
        held = await client.send("GET", server.url, [], b"")
        before, chosen, last = [asyncio.create_task(ask(client, server.url)) for _ in range(3)]
        await turns()
        before.cancel()
        await turns()
        await held.read(max_bytes=10)  # given to the next
        chosen.cancel()
        assert await last == b"hi"
        assert (await asyncio.gather(before, chosen, return_exceptions=True)).count(b"hi") == 0
        assert await ask(client, server.url) == b"hi"
        assert server.accepted == 1
        await client.aclose()


async def test_a_place_is_passed_on_where_no_connection_came_about() -> None:
    async with serving(answer_each) as server:
        client = HttpClient(max_connections=1, pool_timeout_s=LIMIT_S)
        opening = asyncio.create_task(ask(client, "http://127.0.0.1:1/"))
        await asyncio.sleep(0)
        assert await ask(client, server.url) == b"hi"
        with pytest.raises(NotSent):
            await opening
        await client.aclose()


async def test_connections_that_died_at_rest_leave_room_for_others() -> None:
    """Else, once a burst's connections have been closed by their server, no other server's is ever kept."""
    all_asked = asyncio.Event()

    async def answer_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await all_asked.wait()
        writer.write(ANSWER)
        await writer.drain()

    async with serving(answer_and_close) as closing, serving(answer_each) as lasting:
        client = HttpClient(max_idle_connections=3)
        burst = [asyncio.create_task(ask(client, closing.url)) for _ in range(3)]
        await closing.until(lambda: closing.accepted == 3)
        all_asked.set()
        await asyncio.gather(*burst)
        await closing.until(lambda: closing.ended == 3)
        async with asyncio.timeout(LIMIT_S):
            # Until the loop has read three ends from its sockets, of which nobody is told.
            while client._pool._idle_count:  # noqa: ASYNC110
                await asyncio.sleep(0)
        for _ in range(5):
            assert await ask(client, lasting.url) == b"hi"
        assert lasting.accepted == 1
        await client.aclose()


async def test_what_rests_too_long_is_closed_though_nobody_asks() -> None:
    async with serving(answer_each) as server:
        client = HttpClient(idle_s=0.01)
        await ask(client, server.url)
        await server.until(lambda: server.ended == 1)
        await client.aclose()


async def test_a_place_is_made_by_closing_what_has_rested_longest() -> None:
    """Also beside an origin whose only connection has been taken again."""
    async with serving(answer_each) as one, serving(answer_each) as other, serving(answer_each) as third:
        client = HttpClient(max_connections=2)
        await ask(client, one.url)
        await ask(client, other.url)
        held = await client.send("GET", one.url, [], b"")
        assert await ask(client, third.url) == b"hi"
        await other.until(lambda: other.ended == 1)
        assert (one.accepted, one.ended, third.ended) == (1, 0, 0)
        await held.aclose()
        await client.aclose()


async def test_closing_the_client_ends_who_waits_and_who_connects() -> None:
    came = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        came.set()
        await reader.read()

    async with serving(never) as server:
        client = HttpClient(max_connections=1, pool_timeout_s=LIMIT_S)
        asked = asyncio.create_task(ask(client, server.url))
        await asyncio.wait_for(came.wait(), LIMIT_S)
        waiting = asyncio.create_task(ask(client, server.url))
        await turns()
        await client.aclose()
        await client.aclose()
        with pytest.raises(ConnectionBroken):
            await asked
        with pytest.raises(NotSent):
            await waiting
        with pytest.raises(NotSent):
            await ask(client, server.url)

        late = HttpClient()
        connecting = asyncio.create_task(ask(late, server.url))
        await asyncio.sleep(0)
        await late.aclose()
        with pytest.raises(NotSent):
            await connecting
        await server.until(lambda: server.ended == server.accepted)


async def test_two_tasks_cannot_read_one_response() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER[:-2])
        await reader.read()

    async with serving(slow) as server:
        client = HttpClient()
        response = await client.send("GET", server.url, [], b"")
        first = asyncio.create_task(response.read(max_bytes=10))
        await turns()
        with pytest.raises(RuntimeError, match="two tasks"):
            await anext(response.chunks())
        await response.aclose()
        with pytest.raises(ConnectionBroken):
            await first
        await client.aclose()


@pytest.mark.parametrize(
    "beginning",
    [
        b"HTTP/1.1 099 No\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 103 Early\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 100 Go\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_nothing_before_the_response_becomes_part_of_it(beginning: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(beginning + ANSWER)
        await reader.read()

    async with serving(answer) as server:
        client = HttpClient()
        with pytest.raises(ResponseMalformed):
            await ask(client, server.url)
        await client.aclose()


async def test_a_server_that_announces_its_answer_for_ever_is_left() -> None:
    async def announce(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while True:
            writer.write(b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" * 50)
            await writer.drain()

    async with serving(announce) as server:
        client = HttpClient()
        with pytest.raises(HttpError, match="too long"):
            await ask(client, server.url)
        await client.aclose()


@pytest.mark.parametrize("wbits", [15, -15, 31], ids=["zlib", "raw deflate", "gzip"])
def test_a_body_may_end_anywhere_around_a_piece(wbits: int) -> None:
    """zlib may have read all of its input and still hold up to 258 bytes of output: they are not lost."""
    for length in range(256 * 1024 - 2, 256 * 1024 + 300, 7):
        compressor = zlib.compressobj(9, wbits=wbits)
        body = compressor.compress(b"a" * length) + compressor.flush()
        decoder = BodyDecoder("gzip" if wbits == 31 else "deflate")
        assert sum(len(piece) for piece in decoder.feed(body)) == length
        decoder.end()
