"""What a request is on the wire: sent once, whole or not at all, and answered even while it is still being sent."""

import asyncio
import socket

import pytest

from channeling.http1.client import HttpClient
from channeling.http1.connection import Connection
from channeling.http1.errors import (
    ConnectFailed,
    ConnectionBroken,
    HttpError,
    PeerRefused,
    ReadTimedOut,
    SendTimedOut,
)
from channeling.http1.request_head import split_url
from tests.channeling.http1.raw_server import (
    LIMIT_S,
    OK,
    Peer,
    ask,
    client_of,
    scripted,
    sent,
    serving,
    turns,
)

# More than the sockets of both sides hold.
HUGE = b"x" * 12_000_000


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 3_000_000])
async def test_a_body_of_any_size_arrives_once_and_whole(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    async with serving(scripted(OK, stays=True)) as server, client_of() as client:
        for _ in range(2):
            assert await ask(client, server.url, body[:size]) == b"hi"
        expected = b"content-length: %d\r\n\r\n" % size + body[:size]
        assert [request[-len(expected) :] == expected for request in server.requests] == [True, True]
        assert server.accepted == 1


@pytest.mark.parametrize(("body", "writes"), [(b"{}", 1), (b"x" * 100_000, 2)])
async def test_a_small_request_is_one_write(body: bytes, writes: int) -> None:
    """Head and body in two packets cost the server two reads; a large body is not copied to stand behind a head."""
    written: list[bytes] = []

    class Recording(asyncio.Transport):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            written.append(bytes(data))
            connection.data_received(OK)

        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            pass

        def is_closing(self) -> bool:
            return False

    origin, _ = split_url("http://127.0.0.1/")
    connection = Connection(origin)
    with socket.socket() as unconnected:
        connection.connection_made(Recording({"socket": unconnected}))
        await connection.send(b"head", body, write_timeout_s=LIMIT_S, read_timeout_s=LIMIT_S)
    assert len(written) == writes
    assert b"".join(written) == b"head" + body


async def test_what_a_request_is_on_the_wire() -> None:
    async with serving(scripted(OK)) as server, client_of() as client:
        assert await ask(client, server.url, b"{}") == b"hi"
    assert server.requests == [
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1:%d\r\naccept: */*\r\naccept-encoding: identity\r\n"
        b"user-agent: channeling\r\ncontent-length: 2\r\n\r\n{}" % server.port
    ]


async def test_an_ipv6_address_is_called_by_its_literal() -> None:
    async with serving(scripted(OK), host="::1") as server, client_of() as client:
        assert server.url.startswith("http://[::1]:")
        assert await ask(client, server.url) == b"hi"
        assert b"\r\nhost: [::1]:%d\r\n" % server.port in server.requests[0]


async def test_a_request_without_answer_is_not_sent_again() -> None:
    """The server may have done, and billed, what it was asked for."""

    async def answer(peer: Peer) -> None:
        await peer.request()
        if len(server.requests) == 1:
            await peer.send(OK)
            await peer.request()

    async with serving(answer) as server, client_of() as client:
        assert await ask(client, server.url) == b"hi"
        with pytest.raises(ConnectionBroken):
            await ask(client, server.url)
        assert (len(server.requests), server.accepted) == (2, 1)


async def test_an_answer_that_comes_before_all_was_sent_is_read() -> None:
    """A server that refuses a body does not read it. The rest of it is not sent, nor the connection kept."""

    async def refuse(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\n\r\nlong")
        if server.accepted == 1:
            await asyncio.wait_for(was_read.wait(), LIMIT_S)
        await peer.until_closed()

    was_read = asyncio.Event()
    async with serving(refuse) as server, client_of() as client:
        response = await sent(client, server.url, HUGE)
        assert response.status == 413
        assert await response.read(max_bytes=10) == b"long"
        was_read.set()
        await server.until(lambda: server.ended == 1)
        assert (await sent(client, server.url, b"{}")).status == 413
        assert server.accepted == 2


async def test_an_answer_does_not_stop_what_is_being_sent_while_it_is_read() -> None:
    """A server may stream its answer as it reads."""
    received = bytearray()

    async def echo(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n>\r\n")
        received.extend(await peer.reader.readexactly(len(HUGE)))
        await peer.send(b"1\r\n<\r\n0\r\n\r\n")
        await peer.until_closed()

    async with serving(echo) as server, client_of() as client:
        assert await ask(client, server.url, HUGE) == b"><"
        assert received == HUGE


async def test_a_server_that_takes_nothing_is_left_in_time() -> None:
    async def stall(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined] # the transport of a socket
        await asyncio.wait_for(gave_up.wait(), LIMIT_S)
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined] # the same
        await peer.until_closed()

    gave_up = asyncio.Event()
    async with serving(stall) as server, client_of(write_timeout_s=0.05) as client:
        with pytest.raises(SendTimedOut):
            await ask(client, server.url, HUGE)
        gave_up.set()
        await server.until(lambda: server.ended == 1)


async def test_a_server_that_goes_away_while_it_is_sent_to_is_a_failure() -> None:
    async def leave(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.writer.transport.abort()

    async with serving(leave) as server, client_of() as client:
        with pytest.raises(ConnectionBroken):
            await ask(client, server.url, HUGE)


async def test_a_server_that_is_silent_is_left_in_time() -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.until_closed()

    async with serving(silent) as server, client_of() as client:
        with pytest.raises(ReadTimedOut):
            await client.send("GET", server.url, [], b"", read_timeout_s=0.01)
        await server.until(lambda: server.ended == 1)


async def test_a_server_that_falls_silent_is_left_in_time() -> None:
    async def pause(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK[:-1])
        await peer.until_closed()

    async with serving(pause) as server, client_of() as client:
        response = await client.send("GET", server.url, [], b"", read_timeout_s=0.5)
        with pytest.raises(ReadTimedOut):
            await response.read(max_bytes=10)
        await server.until(lambda: server.ended == 1)


async def test_without_a_read_timeout_silence_may_last() -> None:
    """Also where other times are short."""
    goes_on = asyncio.Event()

    async def pause(peer: Peer) -> None:
        await peer.request()
        await goes_on.wait()
        await peer.send(OK)

    times = {"write_timeout_s": 0.01, "connect_timeout_s": 5.0, "pool_timeout_s": 0.01, "idle_s": 0.01}
    async with serving(pause) as server, client_of(**times) as client:
        asking = asyncio.create_task(ask(client, server.url))
        await server.until(lambda: server.accepted == 1)
        asyncio.get_running_loop().call_later(0.05, goes_on.set)
        assert await asking == b"hi"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_who_is_refused_is_sent_nothing(scheme: str) -> None:
    """Not even TLS's greeting; and it counts as one connection fewer."""
    received: list[bytes] = []
    judged: list[tuple[str, str]] = []

    async def listen(peer: Peer) -> None:
        received.append(await peer.reader.read())

    def refuse(netloc: str, address: str) -> bool:
        judged.append((netloc, address))
        return True

    async with (
        serving(listen) as server,
        client_of(refuse_peer=refuse, max_connections=1, pool_timeout_s=0.01) as client,
    ):
        for _ in range(2):
            with pytest.raises(PeerRefused):
                await ask(client, f"{scheme}://localhost:{server.port}/")
        await server.until(lambda: server.ended == 2)
        assert received == [b"", b""]
        assert {netloc for netloc, _ in judged} == {f"localhost:{server.port}"}
        assert {address for _, address in judged} <= {"127.0.0.1", "::1"}


async def test_who_is_not_refused_is_looked_at_once_a_connection() -> None:
    judged: list[str] = []

    def allow(netloc: str, address: str) -> bool:
        judged.append(address)
        return False

    async with serving(scripted(OK, stays=True)) as server, client_of(refuse_peer=allow) as client:
        for _ in range(3):
            assert await ask(client, server.url) == b"hi"
    assert judged == ["127.0.0.1"]


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with client_of() as client:
        with pytest.raises(ConnectFailed):
            await ask(client, f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", ".example", "-", "[fe80::1%25nowhere]"])
async def test_what_can_be_no_name_is_not_reached(host: str) -> None:
    async with client_of() as client:
        for scheme in ("http", "https"):
            with pytest.raises(HttpError) as caught:
                await ask(client, f"{scheme}://{host}:9/")
            assert isinstance(caught.value, ConnectFailed)


async def test_an_answer_to_nothing_is_no_answer_to_a_request() -> None:
    """A server that speaks first does not speak HTTP, or wants its answer taken for another's."""
    spoke = asyncio.Event()

    async def speak_first(peer: Peer) -> None:
        await peer.send(OK)
        spoke.set()
        await peer.until_closed()

    async with serving(speak_first) as server, client_of() as client:
        await client.connect(server.url)
        await asyncio.wait_for(spoke.wait(), LIMIT_S)
        await server.until(lambda: server.ended == 1)
        assert server.requests == []


async def test_a_connection_opened_ahead_is_the_first_requests() -> None:
    async with serving(scripted(OK, stays=True)) as server, client_of() as client:
        await client.connect(server.url)
        assert await ask(client, server.url) == b"hi"
        assert server.accepted == 1


async def test_a_client_is_one_pool() -> None:
    """Two clients share nothing."""
    async with (
        serving(scripted(OK, stays=True)) as server,
        client_of() as one,
        client_of() as other,
    ):
        assert [await ask(client, server.url) for client in (one, other)] == [b"hi", b"hi"]
        assert server.accepted == 2


async def test_a_closed_client_sends_nothing() -> None:
    async with serving(scripted(OK, stays=True)) as server:
        client = HttpClient()
        assert await ask(client, server.url) == b"hi"
        await client.aclose()
        await client.aclose()
        with pytest.raises(HttpError, match="closed"):
            await ask(client, server.url)
        with pytest.raises(HttpError, match="closed"):
            await client.connect(server.url)
        await server.until(lambda: server.ended == 1)
        await turns()
        assert len(server.requests) == 1
