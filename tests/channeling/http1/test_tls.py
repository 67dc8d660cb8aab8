"""Over TLS, only a server that proves its name is sent anything; and what holds of connections holds there too."""

import asyncio
import ssl
from pathlib import Path

import pytest

from channeling.http1.client import HttpClient
from channeling.http1.errors import ConnectFailed, ConnectionBroken, ConnectTimedOut, SendTimedOut
from tests.channeling.http1.certificates import Authority, authority, self_signed
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

HUGE = b"x" * 12_000_000


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def tls(issuer: Authority) -> ssl.SSLContext:
    return issuer.server("localhost", "127.0.0.1", "::1")


@pytest.mark.parametrize(
    ("host", "name"), [("127.0.0.1", "localhost"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")]
)
async def test_a_server_that_a_trusted_authority_vouches_for(
    issuer: Authority, tls: ssl.SSLContext, host: str, name: str
) -> None:
    """By name, or by address."""
    async with (
        serving(scripted(OK, stays=True), host=host, name=name, tls=tls) as server,
        client_of(ssl_context=issuer.trusted()) as client,
    ):
        for _ in range(3):
            assert await ask(client, server.url, b"{}") == b"hi"
        assert (server.accepted, len(server.requests)) == (1, 3)


async def test_a_server_is_told_the_name_that_it_is_called_by(issuer: Authority) -> None:
    """One address serves many names (SNI), and each has its certificate."""
    asked_for: list[str | None] = []
    tls = issuer.server("localhost")
    tls.sni_callback = lambda _connection, name, _context: asked_for.append(name)
    async with (
        serving(scripted(OK), name="localhost", tls=tls) as server,
        client_of(ssl_context=issuer.trusted()) as client,
    ):
        assert await ask(client, server.url) == b"hi"
    assert asked_for == ["localhost"]


@pytest.mark.parametrize(
    "fault", ["self-signed", "unknown authority", "other name", "other address", "expired", "no TLS"]
)
async def test_a_server_that_does_not_prove_its_name_gets_nothing(
    issuer: Authority, tmp_path: Path, fault: str
) -> None:
    context: ssl.SSLContext | None
    match fault:
        case "self-signed":
            context = self_signed(tmp_path, "localhost")
        case "unknown authority":
            context = authority(tmp_path).server("localhost")
        case "other name":
            context = issuer.server("localhost.example")
        case "other address":
            context = issuer.server("127.0.0.2")
        case "expired":
            context = issuer.server("localhost", expired=True)
        case _:
            context = None
    received: list[bytes] = []

    async def listen(peer: Peer) -> None:
        if fault == "no TLS":
            await peer.send(OK)
        received.append(await peer.reader.read())

    name = "127.0.0.1" if fault == "other address" else "localhost"
    async with (
        serving(listen, name=name, tls=context) as server,
        client_of(ssl_context=issuer.trusted(), max_connections=1, pool_timeout_s=0.01) as client,
    ):
        for _ in range(2):
            with pytest.raises(ConnectFailed) as caught:
                await ask(client, f"https://{name}:{server.port}/", b"secret")
            assert not isinstance(caught.value, ConnectTimedOut)
            assert isinstance(caught.value.__cause__, ssl.SSLError)
    assert not any(b"secret" in data for data in received)


async def test_by_default_the_tests_own_authority_is_not_trusted(tls: ssl.SSLContext) -> None:
    async with serving(scripted(OK), name="localhost", tls=tls) as server, client_of() as client:
        with pytest.raises(ConnectFailed) as caught:
            await ask(client, server.url)
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


def test_by_default_names_and_certificates_are_checked() -> None:
    context = HttpClient.__new__(HttpClient)
    context._ssl_context = None
    chosen = context._context()
    assert (chosen.verify_mode, chosen.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert chosen.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context._context() is chosen  # it is made once
    assert len(chosen.get_ca_certs()) > 50  # those of certifi, whatever the system has


def test_the_roots_are_certifis_own_file() -> None:
    """Its place is found without asking `certifi.where`, which takes a tenth of a cold start."""
    import certifi

    from channeling.http1.client import _roots_file

    assert _roots_file() == certifi.where()


def test_without_certifi_the_systems_authorities_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from channeling.http1.client import _verifying_context

    monkeypatch.setitem(sys.modules, "certifi", None)
    context = _verifying_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


async def test_a_handshake_that_does_not_come_to_its_end_is_left_in_time(issuer: Authority) -> None:
    async def silent(peer: Peer) -> None:
        await peer.until_closed()

    async with (
        serving(silent) as server,
        client_of(
            ssl_context=issuer.trusted(), connect_timeout_s=0.05, max_connections=1, pool_timeout_s=0.01
        ) as client,
    ):
        for number in (1, 2):
            with pytest.raises(ConnectTimedOut):
                await ask(client, f"https://127.0.0.1:{server.port}/")
            await server.until(lambda number=number: server.ended == number)  # type: ignore[misc] # bound now


async def test_a_handshake_that_is_given_up_leaves_no_connection(issuer: Authority) -> None:
    greeted = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.reader.read(1)
        greeted.set()
        await peer.until_closed()

    async with (
        serving(silent) as server,
        client_of(ssl_context=issuer.trusted(), max_connections=1, pool_timeout_s=0.01) as client,
    ):
        asking = asyncio.create_task(ask(client, f"https://127.0.0.1:{server.port}/"))
        await asyncio.wait_for(greeted.wait(), LIMIT_S)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.until(lambda: server.ended == 1)
        with pytest.raises(ConnectFailed):
            await ask(client, "http://127.0.0.1:1/")  # its place is free


async def test_a_large_body_goes_out_and_comes_back_whole(issuer: Authority, tls: ssl.SSLContext) -> None:
    """And is held up by a slow reader, as without TLS."""

    async def echo(peer: Peer) -> None:
        while True:
            body = (await peer.request()).split(b"\r\n\r\n", 1)[1]
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body), body)

    async with (
        serving(echo, name="localhost", tls=tls) as server,
        client_of(ssl_context=issuer.trusted()) as client,
    ):
        body = bytes(range(256)) * 40_000
        for _ in range(2):
            response = await sent(client, server.url, body)
            connection = response._connection
            async with asyncio.timeout(LIMIT_S):
                while not connection._reads_paused:  # noqa: ASYNC110 # nobody is told of it
                    await asyncio.sleep(0)
            await turns(100)
            assert connection._unread_bytes < 1_000_000
            assert await response.read(max_bytes=len(body)) == body
        assert server.accepted == 1


async def test_a_body_until_the_end_of_the_connection(issuer: Authority, tls: ssl.SSLContext) -> None:
    body = bytes(range(256)) * 10_000
    async with (
        serving(scripted(b"HTTP/1.1 200 OK\r\n\r\n", body), name="localhost", tls=tls) as server,
        client_of(ssl_context=issuer.trusted()) as client,
    ):
        response = await sent(client, server.url)
        await server.until(lambda: server.accepted == 1)
        assert await response.read(max_bytes=len(body)) == body


async def test_what_is_cut_off_is_no_response(issuer: Authority, tls: ssl.SSLContext) -> None:
    async with (
        serving(scripted(OK[:-1]), name="localhost", tls=tls) as server,
        client_of(ssl_context=issuer.trusted()) as client,
    ):
        with pytest.raises(ConnectionBroken):
            await ask(client, server.url)


async def test_a_connection_that_its_server_closed_at_rest_is_not_used(
    issuer: Authority, tls: ssl.SSLContext
) -> None:
    async with (
        serving(scripted(OK, stays=True), name="localhost", tls=tls) as server,
        client_of(ssl_context=issuer.trusted()) as client,
    ):
        assert await ask(client, server.url) == b"hi"
        server.peers[0].writer.close()
        async with asyncio.timeout(LIMIT_S):
            while client._pool._idle_count:  # noqa: ASYNC110 # nobody is told of it
                await asyncio.sleep(0)
        assert await ask(client, server.url) == b"hi"
        assert server.accepted == 2


async def test_a_server_that_takes_nothing_is_left_in_time(issuer: Authority, tls: ssl.SSLContext) -> None:
    gave_up = asyncio.Event()

    async def stall(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await asyncio.wait_for(gave_up.wait(), LIMIT_S)
        await peer.until_closed()

    async with (
        serving(stall, name="localhost", tls=tls) as server,
        client_of(ssl_context=issuer.trusted(), write_timeout_s=0.1) as client,
    ):
        with pytest.raises(SendTimedOut):
            await ask(client, server.url, HUGE)
        gave_up.set()
        await server.until(lambda: server.ended == 1)


@pytest.mark.parametrize("size", [200_000, len(HUGE)])
async def test_what_is_still_being_sent_at_an_early_answer_holds_nobody_up(
    issuer: Authority, tls: ssl.SSLContext, size: int
) -> None:
    """The connection is not used again: the next request would wait behind a body that its server does not read."""
    gave_up = asyncio.Event()

    async def refuse(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\n\r\nlong")
        await asyncio.wait_for(gave_up.wait(), LIMIT_S)
        await peer.until_closed()

    async with (
        serving(refuse, name="localhost", tls=tls) as server,
        client_of(ssl_context=issuer.trusted()) as client,
    ):
        for number in (1, 2):
            response = await sent(client, server.url, HUGE[:size])
            assert await response.read(max_bytes=10) == b"long"
            assert server.accepted == number
        gave_up.set()
        await server.until(lambda: server.ended == 2)
