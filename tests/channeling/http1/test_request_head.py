"""A request's head holds what it was given and nothing more: no name or value can add a line to it."""

import pytest

from channeling.http1.errors import RequestForbidden
from channeling.http1.request_head import request_head

TAIL = b"user-agent: channeling\r\ncontent-length: 2\r\n\r\n"
GIVEN = [("accept", "a/b"), ("Accept-Encoding", "identity")]


def head(*headers: tuple[str, str]) -> bytes:
    return request_head("POST", "/v1", "server:8000", [*GIVEN, *headers], 2)


def test_a_head_in_full() -> None:
    start = b"POST /v1 HTTP/1.1\r\nhost: server:8000\r\naccept: a/b\r\nAccept-Encoding: identity\r\n"
    assert head() == start + TAIL
    assert head(("x-Y!~1", "\tcaf\xe9: 1")) == start + b"x-Y!~1: \tcaf\xe9: 1\r\n" + TAIL
    own_host = start.replace(b"server:8000", b"other")
    assert head(("Host", "other"), ("Content-Length", "2")) == own_host + TAIL
    plain = b"accept: */*\r\naccept-encoding: identity\r\nuser-agent: channeling\r\n"
    assert request_head("GET", "/", "h", [], 0) == b"GET / HTTP/1.1\r\nhost: h\r\n" + plain + b"\r\n"


@pytest.mark.parametrize("character", ["\r", "\n", "\r\n", "\0", "\r\nx: y", "\u20ac"])
def test_no_value_holds_a_line_end(character: str) -> None:
    for value in (character, f"a{character}", f"a{character}b"):
        for name in ("x-a", "host"):
            with pytest.raises(RequestForbidden):
                head((name, value))


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a:", "a: b", "a\r", "a\n", "a\nb", "\n", "a\0", "caf\xe9", "\u212a", "a\r\nb"]
)
def test_every_name_is_a_token(name: str) -> None:
    for headers in ([(name, "1")], [(name, "1"), ("b", "2")], [("b", "2"), (name, "1")]):
        with pytest.raises(RequestForbidden):
            head(*headers)


@pytest.mark.parametrize(
    ("name", "value"),
    [("content-length", "3"), ("Transfer-Encoding", "chunked"), ("CONNECTION", "close"), ("te", "trailers")],
)
def test_the_framing_is_not_the_callers(name: str, value: str) -> None:
    with pytest.raises(RequestForbidden):
        head((name, value))
