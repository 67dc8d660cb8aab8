"""The HTTP client reads each form of response that a Go server sends, and refuses what is none."""

import asyncio

import pytest

from lambda_asgi.http1 import ProtocolError, Response, read_response


async def _read(data: bytes, *, feed_bytes: int | None = None) -> Response:
    reader = asyncio.StreamReader()
    size = feed_bytes or max(1, len(data))
    for start in range(0, len(data), size):
        reader.feed_data(data[start : start + size])
    reader.feed_eof()
    return await read_response(reader)


@pytest.mark.parametrize("feed_bytes", [None, 1])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A:  b \r\n\r\nhi",
            Response(200, {"content-length": "2", "x-a": "b"}, b"hi", True),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;ext=1\r\n!!!\r\n0\r\nT: x\r\n\r\n",
            Response(200, {"transfer-encoding": "chunked"}, b"hi!!!", True),
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Response(204, {}, b"", True)),
        (b"HTTP/1.1 200\r\n\r\nto the end", Response(200, {}, b"to the end", False)),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
            Response(202, {"content-length": "0"}, b"", True),
        ),
        (
            b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n",
            Response(200, {"connection": "Close", "content-length": "0"}, b"", False),
        ),
        (
            b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            Response(200, {"content-length": "0"}, b"", False),
        ),
    ],
)
async def test_responses(data: bytes, expected: Response, feed_bytes: int | None) -> None:
    assert await _read(data, feed_bytes=feed_bytes) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi!\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\na: " + b"b" * 100_000,
    ],
    ids=range(15),
)
async def test_what_is_no_response_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        await _read(data)
