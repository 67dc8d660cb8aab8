"""Whatever a server sends, however it is cut: a response that httpx reads alike, or a failure with a name."""

import asyncio
import gzip
import socket
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import httpcore
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeling.http1.errors import HttpError
from tests.channeling.http1.fed_response import fed

TOKEN = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_!#$%&'*+.^`|~", min_size=1, max_size=12
)
VALUE = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E),
    max_size=20,  # beyond, httpx guesses an encoding
).map(str.strip)
FRAMING_NAMES = {
    "connection",
    "content-encoding",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
}
HEADERS = st.lists(st.tuples(TOKEN.filter(lambda name: name.lower() not in FRAMING_NAMES), VALUE), max_size=6)
# No tab: llhttp takes "chunked\t" for a coding that is none, and the response is refused.
SPACE = st.sampled_from(["", " ", "  "])


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as started:
        yield started


@pytest.fixture(scope="module")
def connected() -> Iterator[socket.socket]:
    with socket.socket() as unconnected:
        yield unconnected


# Not deflate without its wrapping: httpx 0.28 fails on it where the first bytes come alone.
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """A well-formed response."""
    status = draw(st.sampled_from([200, 201, 206, 302, 400, 404, 429, 500, 529, 204, 304]))
    lines = [
        f"HTTP/1.{draw(st.sampled_from('11110'))} {status} {draw(st.sampled_from(['OK', '', 'Not Found', 'é']))}"
    ]
    headers = draw(HEADERS)
    body = b"" if status in (204, 304) else draw(st.binary(max_size=300))
    encoding = draw(st.sampled_from(sorted(ENCODINGS))) if body else ""
    if encoding:
        headers.append(("Content-Encoding", encoding))
        body = ENCODINGS[encoding](body)
    framing = draw(st.sampled_from(["length", "end"] if lines[0][7] == "0" else ["length", "chunks", "end"]))
    if status in (204, 304):
        framing = "none"
    elif framing == "length":
        headers.append(("Content-Length", str(len(body))))
    elif framing == "chunks":
        headers.append((draw(st.sampled_from(["Transfer-Encoding", "transfer-encoding"])), "chunked"))
    if draw(st.booleans()):
        headers.append(("Connection", draw(st.sampled_from(["close", "keep-alive", "Keep-Alive, x"]))))
    for name, value in draw(st.permutations(headers)):
        lines.append(f"{name}:{draw(SPACE)}{value}{draw(SPACE)}")
    early = b"".join(
        f"HTTP/1.1 {status} Early\r\nlink: x\r\n\r\n".encode()
        for status in draw(st.lists(st.sampled_from([100, 102, 103]), max_size=2))
    )
    head = "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"
    return early + head + (_chunked(draw, body) if framing == "chunks" else body)


def _chunked(draw: st.DrawFn, body: bytes) -> bytes:
    out, start = bytearray(), 0
    while start < len(body):
        size = draw(st.integers(1, len(body) - start))
        extension = draw(st.sampled_from(["", "", ";x", ';x="y z"']))
        out += f"{size:{draw(st.sampled_from(['x', 'X', '03x']))}}{extension}\r\n".encode()
        out += body[start : start + size] + b"\r\n"
        start += size
    trailer = "".join(
        f"{name}: {value}\r\n"
        for name, value in draw(st.lists(st.tuples(TOKEN.map(lambda n: f"x-{n}"), VALUE), max_size=2))
    )
    return bytes(out) + b"0\r\n" + trailer.encode("latin-1") + b"\r\n"


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A response with a few bytes changed, dropped, put in or doubled, and an end anywhere."""
    data = bytearray(draw(responses()))
    hostile = st.sampled_from(
        [
            b"\r\n",
            b"\n",
            b"\r",
            b"\0",
            b" ",
            b":",
            b"0",
            b"f",
            b"\xff",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"content-length: 3\r\n",
            b"transfer-encoding: chunked\r\n",
            b"99999999999999999999",
            b"connection: upgrade\r\nupgrade: h2c\r\n",
            b"101",
            b"HTTP/2.0 ",
        ]
    )
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["drop", "put", "change", "double", "end"])):
            case "drop":
                del data[at : at + draw(st.integers(1, 5))]
            case "put":
                data[at:at] = draw(hostile | st.binary(min_size=1, max_size=4))
            case "change":
                data[at : at + 1] = draw(hostile | st.binary(min_size=1, max_size=1))
            case "double":
                data[at:at] = data[at : at + draw(st.integers(1, 40))]
            case _:
                del data[at:]
    return bytes(data)


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    """The pieces between these places."""
    places = [0, *sorted({place for place in at if 0 < place < len(data)}), len(data)]
    return [data[start:end] for start, end in pairwise(places) if start < end]


CUTS = st.lists(st.integers(1, 700), max_size=12)


def by_httpx(pieces: list[bytes]) -> tuple[int, dict[str, str], bytes]:
    transport = httpx.HTTPTransport()
    transport._pool = httpcore.ConnectionPool(network_backend=httpcore.MockBackend(pieces))
    with httpx.Client(transport=transport) as client:
        answer = client.get("http://127.0.0.1/")
        return answer.status_code, dict(answer.headers), answer.content


@settings(max_examples=150, deadline=None)
@given(response=responses(), cuts=CUTS)
def test_what_is_well_formed_is_read_as_httpx_reads_it(
    runner: asyncio.Runner, connected: socket.socket, response: bytes, cuts: list[int]
) -> None:
    pieces = cut(response, cuts)
    ours: Any = runner.run(fed(pieces, connected))
    assert not isinstance(ours, BaseException), (ours, response)
    assert ours == by_httpx(pieces)


@settings(max_examples=400, deadline=None)
@given(data=spoilt(), cuts=CUTS)
def test_what_is_not_is_a_failure_with_a_name_and_never_a_wait(
    runner: asyncio.Runner, connected: socket.socket, data: bytes, cuts: list[int]
) -> None:
    """And however it is cut, it is the same failure, or the same response."""
    outcomes: list[Any] = [
        runner.run(fed(pieces, connected))
        for pieces in (cut(data, cuts), [data], cut(data, range(len(data))))
    ]
    for outcome in outcomes:
        assert outcome is not None, "the client waits for what will never come"
        assert isinstance(outcome, tuple | HttpError), repr(outcome)
    kinds = [type(outcome) if isinstance(outcome, HttpError) else outcome for outcome in outcomes]
    assert kinds[0] == kinds[1] == kinds[2]


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200), cuts=CUTS)
def test_noise_is_no_response(
    runner: asyncio.Runner, connected: socket.socket, data: bytes, cuts: list[int]
) -> None:
    assert isinstance(runner.run(fed(cut(data, cuts), connected)), HttpError)
