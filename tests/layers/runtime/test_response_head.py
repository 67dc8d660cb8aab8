"""Status, headers and length of an answer are checked before any of it leaves."""

import json
from typing import Any

import pytest

from lambda_asgi.asgi import Receive, Scope, Send
from lambda_asgi.payload import Front
from lambda_asgi.response_head import PRELUDE_BYTES_MAX, prelude_of, response_head
from tests.layers.runtime.conftest import StartRuntime
from tests.layers.runtime.runtime_api_stand_in import RuntimeApiStandIn, event
from tests.layers.runtime.tiny_apps import body, start, with_lifespan

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(
    ("status", "headers", "message"),
    [
        (101, [], "101 is not the status"),
        (700, [], "700 is not the status"),
        ("200", [], "'200' is not the status"),
        (200, [(b"a b", b"")], "not the name of a header"),
        (200, [(b"", b"")], "not the name of a header"),
        (200, [(b"x\r\ny", b"")], "not the name of a header"),
        (200, [(b"x", b"a\r\nset-cookie: b=1")], "header x holds a line break"),
        (200, [(b"x", b"a\0")], "header x holds a line break or NUL"),
        (200, [(b"content-length", b"-1")], "not a number of bytes"),
        (200, [(b"content-length", b"1" * 40)], "not a number of bytes"),
    ],
)
def test_a_head_that_no_answer_can_have_is_refused(status: Any, headers: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        response_head(status, headers, method="GET")


def test_a_prelude_is_bounded_to_where_api_gateway_looks_for_its_end() -> None:
    def prelude(value_bytes: int) -> bytes:
        head = response_head(200, [(b"x", b"v" * value_bytes)], method="GET")
        return prelude_of(head, Front.FUNCTION_URL)

    room = PRELUDE_BYTES_MAX - len(prelude(0))
    assert len(prelude(room)) == PRELUDE_BYTES_MAX
    with pytest.raises(ValueError, match=f"of {PRELUDE_BYTES_MAX} at most"):
        prelude(room + 1)


def test_any_byte_that_a_value_may_hold_comes_out_as_it_was() -> None:
    value = bytes(byte for byte in range(1, 256) if byte not in (10, 13))
    prelude = json.loads(
        prelude_of(response_head(200, [(b"x", value)], method="GET"), Front.FUNCTION_URL)[:-8]
    )
    assert prelude["headers"]["x"].encode("latin-1") == value


@pytest.mark.parametrize(
    ("method", "status", "promised", "pieces", "sent", "is_right"),
    [
        ("GET", 200, b"4", [b"ab", b"cd"], b"abcd", True),
        ("GET", 200, b"3", [b"ab", b"cd"], b"ab", False),
        ("GET", 200, b"5", [b"ab", b"cd"], b"ab", False),
        ("GET", 200, b"0", [b"ab"], None, False),
        ("HEAD", 200, b"5", [b""], b"", True),
        ("GET", 204, None, [b"x"], None, False),
        ("GET", 304, b"100", [b""], b"", True),
    ],
)
async def test_a_body_is_as_long_as_its_head_says(
    start_runtime: StartRuntime,
    runtime_api: RuntimeApiStandIn,
    method: str,
    status: int,
    promised: bytes | None,
    pieces: list[bytes],
    sent: bytes | None,
    is_right: bool,
) -> None:
    @with_lifespan
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, status, [(b"content-length", promised)] if promised is not None else [])
        for number, piece in enumerate(pieces, 1):
            await body(send, piece, more=number < len(pieces))

    start_runtime(app)
    invocation = runtime_api.invoke(event(method=method))
    await invocation.over.wait()
    if sent is None:
        assert invocation.error is not None
        assert "bytes of a body that has 0" in invocation.error["errorMessage"]
        return
    await invocation.prelude()
    assert await invocation.body() == sent
    assert (invocation.trailers == {}) is is_right
