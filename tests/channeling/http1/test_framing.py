"""Where a response begins and ends: each framing of HTTP/1.1 is read whole, each that it forbids is refused."""

import asyncio

import pytest

from channeling.http1.errors import ConnectionBroken, HttpError, ResponseMalformed
from tests.channeling.http1.raw_server import LIMIT_S, OK, Peer, ask, client_of, scripted, sent, serving

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"

# The response, its body, and whether the connection is good for another request.
WELL_FORMED = {
    "a length": (HEAD + b"content-length: 5\r\n\r\nhello", b"hello", True),
    "no body": (HEAD + b"content-length: 0\r\n\r\n", b"", True),
    "chunks": (CHUNKED + b"5\r\nhello\r\n00006\r\n world\r\n0\r\n\r\n", b"hello world", True),
    "chunks in capitals": (
        HEAD + b"Transfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
        b"0123456789" * 2,
        True,
    ),
    "extensions": (CHUNKED + b'5;name="a;b";x\r\nhello\r\n0;last\r\n\r\n', b"hello", True),
    "trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nx-sum: 1\r\nstatus: 500\r\n\r\n", b"hello", True),
    "until the end": (HEAD + b"\r\nhello", b"hello", False),
    "until the end, and empty": (HEAD + b"\r\n", b"", False),
    "identity until the end": (HEAD + b"transfer-encoding: identity\r\n\r\nhello", b"hello", False),
    "no reason": (b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nhi", b"hi", True),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", b"hi", False),
    "HTTP/1.0 kept alive": (
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\ncontent-length: 2\r\n\r\nhi",
        b"hi",
        True,
    ),
    "HTTP/1.0 until the end": (b"HTTP/1.0 200 OK\r\n\r\nhi", b"hi", False),
    "to be closed": (HEAD + b"connection: x, Close\r\ncontent-length: 2\r\n\r\nhi", b"hi", False),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "204 with a length": (b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", b"", False),
    "304": (b"HTTP/1.1 304 Not Modified\r\n\r\n", b"", True),
    "304 with the length of what it would be": (
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
        b"",
        False,
    ),
    "304 said to be chunked": (
        b"HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n",
        b"",
        False,
    ),
    "100 before": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"hi", True),
    "103 and 102 before": (
        b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + OK,
        b"hi",
        True,
    ),
    "bytes beyond latin-1's letters": (
        HEAD + b"x-name: \xff\xc3\xa9\r\ncontent-length: 2\r\n\r\nhi",
        b"hi",
        True,
    ),
    "more than was asked for": (OK + OK, b"hi", False),
    "more than the length": (OK + b"more", b"hi", False),
    "more than the chunks": (CHUNKED + b"2\r\nhi\r\n0\r\n\r\nmore", b"hi", False),
}


def bytewise(response: bytes) -> list[bytes]:
    return [response[at : at + 1] for at in range(len(response))]


@pytest.mark.parametrize("splits", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize("name", WELL_FORMED)
async def test_a_response_is_read_to_its_end_and_no_further(name: str, splits: bool) -> None:
    response, body, can_be_reused = WELL_FORMED[name]
    ends_with_connection = "until the end" in name
    pieces = bytewise(response) if splits else [response]
    async with serving(scripted(*pieces, stays=not ends_with_connection)) as server, client_of() as client:
        assert await ask(client, server.url) == body
        if not can_be_reused:
            await server.until(lambda: server.ended == 1)
        assert await ask(client, server.url) == body
        assert server.accepted == (1 if can_be_reused else 2)
        assert len(server.requests) == 2


MALFORMED = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a page alone": b"<html></html>",
    "HTTP/2": b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    "no status": b"HTTP/1.1 \r\n\r\n",
    "a status of letters": b"HTTP/1.1 abc OK\r\ncontent-length: 2\r\n\r\nhi",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\nhi",
    "a request": b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    "a length and chunks": HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": HEAD + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\nhi!",
    "the length twice": HEAD + b"content-length: 2\r\ncontent-length: 2\r\n\r\nhi",
    "lengths in a list": HEAD + b"content-length: 2, 2\r\n\r\nhi",
    "a length below nothing": HEAD + b"content-length: -1\r\n\r\nhi",
    "a signed length": HEAD + b"content-length: +2\r\n\r\nhi",
    "a hexadecimal length": HEAD + b"content-length: 0x2\r\n\r\nhi",
    "a length with a line in it": HEAD + b"content-length: 2_0\r\n\r\nhi",
    "an endless length": HEAD + b"content-length: " + b"9" * 40 + b"\r\n\r\nhi",
    "no chunk's size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "a chunk's size of letters": CHUNKED + b"xyz\r\nhello\r\n0\r\n\r\n",
    "a chunk's size below nothing": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "a chunk's size with 0x": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "an endless chunk's size": CHUNKED + b"F" * 17 + b"\r\nhello\r\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"3\r\nhello\r\n0\r\n\r\n",
    "gzip as transfer-encoding": HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": HEAD + b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked in two headers": HEAD + b"transfer-encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "chunked before another": HEAD + b"transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a folded header": HEAD + b"x-a: b\r\n c\r\ncontent-length: 2\r\n\r\nhi",
    "a space before the colon": HEAD + b"content-length : 2\r\n\r\nhi",
    "a header without a colon": HEAD + b"content-length\r\n\r\n",
    "a header without a name": HEAD + b": 2\r\n\r\n",
    "NUL in a header": HEAD + b"x-a: b\x00c\r\ncontent-length: 2\r\n\r\nhi",
    "a lone carriage return": HEAD + b"x-a: b\rcontent-length: 2\r\n\r\nhi",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n" + OK,
}


@pytest.mark.parametrize("splits", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize("name", MALFORMED)
async def test_what_http_forbids_is_refused_and_the_connection_closed(name: str, splits: bool) -> None:
    async def answer(peer: Peer) -> None:
        await peer.request()
        await peer.send(*(bytewise(MALFORMED[name]) if splits else [MALFORMED[name]]))
        await peer.until_closed()

    async with serving(answer) as server, client_of() as client:
        with pytest.raises(ResponseMalformed):
            await ask(client, server.url)
        await server.until(lambda: server.ended == 1)


CUT_OFF = {
    "nothing": b"",
    "in the status": b"HTTP/1.1 2",
    "in the head": HEAD + b"content-le",
    "after a 100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "in a body with a length": HEAD + b"content-length: 5\r\n\r\nhell",
    "before a body with a length": HEAD + b"content-length: 5\r\n\r\n",
    "in a chunk": CHUNKED + b"5\r\nhel",
    "between chunks": CHUNKED + b"5\r\nhello\r\n",
    "in the last chunk": CHUNKED + b"5\r\nhello\r\n0\r\n",
    "in a trailer": CHUNKED + b"5\r\nhello\r\n0\r\nx-a: ",
    "a length below the server's idea": OK[:-1],
}


@pytest.mark.parametrize("name", CUT_OFF)
async def test_what_is_cut_off_is_no_response(name: str) -> None:
    async with serving(scripted(CUT_OFF[name])) as server, client_of() as client:
        with pytest.raises(ConnectionBroken):
            await ask(client, server.url)
        assert len(server.requests) == 1


async def test_what_came_before_it_was_cut_off_is_read() -> None:
    async with serving(scripted(CHUNKED + b"5\r\nhello\r\n")) as server, client_of() as client:
        response = await sent(client, server.url)
        chunks = response.chunks()
        assert await anext(chunks) == b"hello"
        with pytest.raises(ConnectionBroken):
            await anext(chunks)
        await response.aclose()


async def test_what_came_before_it_went_wrong_is_read() -> None:
    async with serving(scripted(CHUNKED + b"5\r\nhello\r\nxyz\r\n")) as server, client_of() as client:
        response = await sent(client, server.url)
        chunks = response.chunks()
        assert await anext(chunks) == b"hello"
        with pytest.raises(ResponseMalformed):
            await anext(chunks)
        await response.aclose()


async def test_headers_are_lower_case_and_repeated_ones_joined() -> None:
    head = (
        HEAD
        + b"X-A: 1\r\nx-a:2\r\nX-Empty:\r\nx-wide: \t caf\xe9 \t\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"
    )
    async with (
        serving(scripted(head + b"content-length: 0\r\n\r\n")) as server,
        client_of() as client,
    ):
        response = await sent(client, server.url)
        assert response.status == 200
        assert dict(response.headers) == {
            "x-a": "1, 2",
            "x-empty": "",
            "x-wide": "caf\u00e9",
            "set-cookie": "a=b, c=d",
            "content-length": "0",
        }
        await response.aclose()


async def test_headers_of_what_came_before_and_after_are_not_the_responses() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nx-early: 1\r\n\r\n"
    body = CHUNKED + b"2\r\nhi\r\n0\r\nx-late: 1\r\n\r\n"
    async with serving(scripted(early + body)) as server, client_of() as client:
        response = await sent(client, server.url)
        assert await response.read(max_bytes=10) == b"hi"
        assert set(response.headers) == {"transfer-encoding"}


TOO_LONG = {
    "one long header": HEAD + b"x-a: " + b"a" * 70_000 + b"\r\ncontent-length: 2\r\n\r\nhi",
    "many headers of some length": HEAD
    + b"".join(b"x-%d: %s\r\n" % (number, b"a" * 1000) for number in range(70))
    + b"content-length: 2\r\n\r\nhi",
    "257 headers": HEAD
    + b"".join(b"x-%d: 1\r\n" % number for number in range(256))
    + b"content-length: 2\r\n\r\nhi",
    "an endless reason": b"HTTP/1.1 200 " + b"O" * 600_000,
    "an endless name": HEAD + b"x" * 600_000,
    "endless trailers": CHUNKED + b"2\r\nhi\r\n0\r\n" + b"x-a: 1\r\n" * 300,
    "a long trailer": CHUNKED + b"2\r\nhi\r\n0\r\nx-a: " + b"a" * 600_000,
    "an endless extension": CHUNKED + b"2;" + b"a" * 600_000,
    "endless leading zeros": CHUNKED + b"0" * 600_000,
}


@pytest.mark.parametrize("splits", [False, True], ids=["whole", "in pieces"])
@pytest.mark.parametrize("name", TOO_LONG)
async def test_what_brings_a_response_no_further_has_a_limit(name: str, splits: bool) -> None:
    response = TOO_LONG[name]
    size = 10_000 if splits else len(response)

    async def answer(peer: Peer) -> None:
        await peer.request()
        await peer.send(*(response[at : at + size] for at in range(0, len(response), size)))
        await peer.until_closed()

    async with serving(answer) as server, client_of() as client:
        with pytest.raises(ResponseMalformed, match="too"):
            await ask(client, server.url)
        await server.until(lambda: server.ended == 1)


async def test_what_is_within_the_limits_is_read() -> None:
    headers = b"".join(b"x-%d: %s\r\n" % (number, b"a" * 200) for number in range(255))
    answer = HEAD + headers + b"content-length: 2\r\n\r\nhi"
    async with serving(scripted(answer, stays=True)) as server, client_of() as client:
        for _ in range(2):
            response = await sent(client, server.url)
            assert len(response.headers) == 256
            assert await response.read(max_bytes=2) == b"hi"
        assert server.accepted == 1


async def test_a_response_in_one_write_is_one_chunk() -> None:
    """A body in a hundred small chunks costs its reader one step, where all of them have come."""
    small = b"".join(b"2\r\nhi\r\n" for _ in range(100))
    async with serving(scripted(CHUNKED + small + b"0\r\n\r\n")) as server, client_of() as client:
        response = await sent(client, server.url)
        assert [chunk async for chunk in response.chunks()] == [b"hi" * 100]
        await response.aclose()


async def test_a_body_longer_than_its_reader_wants_is_left() -> None:
    async with serving(scripted(OK)) as server, client_of() as client:
        response = await sent(client, server.url)
        with pytest.raises(HttpError, match="longer than 1 bytes"):
            await response.read(max_bytes=1)
        await server.until(lambda: server.ended == 1)


async def test_a_slow_reader_holds_the_server_up() -> None:
    """50 MB are on their way; what nobody has read stays with the server."""
    size, chunk = 50_000_000, b"x" * 100_000
    handed_over = 0
    stopped = asyncio.Event()

    async def answer(peer: Peer) -> None:
        nonlocal handed_over
        await peer.request()
        peer.writer.write(HEAD + b"content-length: %d\r\n\r\n" % size)
        for _ in range(size // len(chunk)):
            peer.writer.write(chunk)
            handed_over += len(chunk)
            if peer.writer.transport.get_write_buffer_size() > 0:
                stopped.set()
            await peer.writer.drain()
        await peer.until_closed()

    async with serving(answer) as server, client_of() as client:
        response = await sent(client, server.url)
        connection = response._connection
        async with asyncio.timeout(LIMIT_S):
            while not connection._reads_paused:  # noqa: ASYNC110 # of which nobody is told
                await asyncio.sleep(0)
            await stopped.wait()
        assert connection._unread_bytes < 1_000_000
        assert handed_over < size
        total = largest = 0
        async for piece in response.chunks():
            total += len(piece)
            largest = max(largest, len(piece))
        assert total == size
        assert largest < 1_000_000
        await response.aclose()
