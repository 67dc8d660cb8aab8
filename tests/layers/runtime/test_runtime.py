"""The runtime serves invocations as documented: chunks leave when they are produced, every ending is told."""

import asyncio
import base64
import json
from typing import Any

import pytest

from lambda_asgi.asgi import Receive, Scope, Send
from tests.layers.runtime.conftest import StartRuntime, SteppedClock
from tests.layers.runtime.runtime_api_stand_in import FAR_MS, RuntimeApiStandIn, event

pytestmark = pytest.mark.timeout(20)


def _http(app: Any) -> Any:
    """Wrap an app so that it has a lifespan, which the cases here are not about."""

    async def whole(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await app(scope, receive, send)

    return whole


async def _start(send: Send, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers or []})


async def _body(send: Send, body: bytes, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


@_http
async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the request's body."""
    request = await receive()
    await _start(send, headers=[(b"content-type", b"application/octet-stream")])
    await _body(send, request["body"], more=False)


async def test_each_chunk_leaves_when_it_is_produced(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    produce: asyncio.Queue[bytes] = asyncio.Queue()

    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await _start(send, 200, [(b"Content-Type", b"text/event-stream")])
        while piece := await produce.get():
            await _body(send, piece)
        await _body(send, b"", more=False)

    start_runtime(app)
    invocation = runtime_api.invoke(event())
    for piece in (b"a", b"b" * 70_000, b"\0" * 7, b"event: x\n\n"):
        produce.put_nowait(piece)
        if invocation.chunks.empty() and invocation.body_bytes == 0:
            assert (await invocation.prelude())["headers"] == {"content-type": "text/event-stream"}
        # The app waits for its next piece only after this one arrived here.
        assert await invocation.chunks.get() == piece
    assert not invocation.over.is_set()
    produce.put_nowait(b"")
    await invocation.over.wait()
    assert invocation.trailers == {}
    assert invocation.response_headers["lambda-runtime-function-response-mode"] == "streaming"
    assert (
        invocation.response_headers["content-type"] == "application/vnd.awslambda.http-integration-response"
    )


async def test_a_slow_reader_holds_the_app(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    piece, total_bytes = bytes(65_536), 64 * 2**20
    lead_bytes: list[int] = []
    sent_bytes = 0

    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent_bytes
        await _start(send)
        while sent_bytes < total_bytes:
            await _body(send, piece)
            sent_bytes += len(piece)
            lead_bytes.append(sent_bytes - invocation.body_bytes)
        await _body(send, b"", more=False)

    invocation = runtime_api.invoke(event(), paused=True)
    start_runtime(app)
    await invocation.prelude()
    invocation.reading.set()
    await invocation.over.wait()
    assert invocation.body_bytes == total_bytes
    # What the socket buffers of both ends take, and no more: without back-pressure it would be all 64 MiB.
    assert max(lead_bytes) < 24 * 2**20


@pytest.mark.parametrize(
    ("body", "is_base64", "expected"),
    [
        ("héllo 漢", False, "héllo 漢".encode()),
        (base64.b64encode(bytes(range(256))).decode(), True, bytes(range(256))),
        ("x" * (6 * 2**20), False, b"x" * (6 * 2**20)),
        (None, False, b""),
    ],
    ids=["text", "base64", "6 MiB", "none"],
)
async def test_request_bodies_arrive_whole(
    start_runtime: StartRuntime,
    runtime_api: RuntimeApiStandIn,
    body: str | None,
    is_base64: bool,
    expected: bytes,
) -> None:
    start_runtime(echo)
    invocation = runtime_api.invoke(event(method="POST", body=body, isBase64Encoded=is_base64))
    await invocation.prelude()
    assert await invocation.body() == expected


async def test_two_invocations_in_a_row_use_one_connection_and_one_lifespan(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    startups = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal startups
        if scope["type"] == "lifespan":
            await receive()
            startups += 1
            scope["state"]["shared"] = []
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        assert "own" not in scope["state"]
        scope["state"]["own"] = "not seen by the next request"
        scope["state"]["shared"].append(scope["path"])
        await _start(send)
        await _body(send, json.dumps({"state": scope["state"]}).encode(), more=False)

    start_runtime(app)
    first, second = runtime_api.invoke(event("/one")), runtime_api.invoke(event("/two"))
    await first.prelude()
    await second.prelude()
    await first.body()
    assert json.loads(await second.body())["state"]["shared"] == ["/one", "/two"]
    assert startups == 1
    assert runtime_api.connections == 1


async def test_a_closed_connection_is_opened_again(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    runtime_api.close_after_next = True
    start_runtime(echo)
    for text in ("one", "two", "three"):
        invocation = runtime_api.invoke(event(method="POST", body=text))
        await invocation.prelude()
        assert await invocation.body() == text.encode()
    assert runtime_api.connections >= 3


async def test_cookies_and_repeated_headers_go_both_ways(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    seen: list[tuple[bytes, bytes]] = []

    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(scope["headers"])
        await _start(
            send,
            201,
            [
                (b"Set-Cookie", b"a=1; Path=/"),
                (b"set-cookie", b"b=2"),
                (b"vary", b"origin"),
                (b"Vary", b"accept"),
                (b"x-latin", "é".encode("latin-1")),
                (b"connection", b"keep-alive"),
                (b"transfer-encoding", b"chunked"),
            ],
        )
        await _body(send, b"", more=False)

    start_runtime(app)
    invocation = runtime_api.invoke(event(headers={"accept": "a,b"}, cookies=["c=3", "d=4"]))
    assert await invocation.prelude() == {
        "statusCode": 201,
        "headers": {"vary": "origin, accept", "x-latin": "é"},
        "cookies": ["a=1; Path=/", "b=2"],
    }
    assert (b"cookie", b"c=3; d=4") in seen
    assert (b"accept", b"a,b") in seen


async def test_a_head_request_has_no_body(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await _start(send, headers=[(b"content-length", b"5")])
        await _body(send, b"hello", more=False)

    start_runtime(app)
    invocation = runtime_api.invoke(event(method="HEAD"))
    assert (await invocation.prelude())["headers"] == {"content-length": "5"}
    assert await invocation.body() == b""


async def test_the_app_is_told_what_lambda_says_of_the_invocation(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    seen: dict[str, Any] = {}

    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.update(scope["extensions"]["lambda.context"])
        await _start(send)
        await _body(send, b"", more=False)

    start_runtime(app)
    invocation = runtime_api.invoke(event(), headers={"Lambda-Runtime-Invocation-Id": "tag-1"})
    await invocation.over.wait()
    assert not seen.pop("ending").is_set()
    assert seen == {
        "cancel_ms": FAR_MS - 2_000,
        "request_id": "request-0",
        "deadline_ms": FAR_MS,
        "invoked_function_arn": "arn:aws:lambda:eu-west-1:111122223333:function:messages",
        "trace_id": "Root=1-5759e988-bd862e3fe1be46a994272793",
    }
    assert invocation.response_headers["lambda-runtime-invocation-id"] == "tag-1"


async def test_receive_waits_for_the_end_of_the_response(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    order: list[str] = []

    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def listen() -> None:
            order.append((await receive())["type"])

        order.append((await receive())["type"])
        listening = asyncio.create_task(listen())
        await _start(send)
        await _body(send, b"x")
        await asyncio.sleep(0)
        order.append("sent")
        await _body(send, b"", more=False)
        await listening

    start_runtime(app)
    await runtime_api.invoke(event("/one")).over.wait()
    # The first app has returned when the second request is answered.
    await runtime_api.invoke(event("/two")).over.wait()
    assert order[:3] == ["http.request", "sent", "http.disconnect"]


async def test_the_invocation_lasts_until_the_app_returns(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    may_return = asyncio.Event()

    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await _start(send)
        await _body(send, b"all of it", more=False)
        if scope["path"] == "/first":
            await may_return.wait()

    start_runtime(app)
    first, second = runtime_api.invoke(event("/first")), runtime_api.invoke(event("/second"))
    await first.over.wait()
    assert runtime_api.calls.count("GET /2018-06-01/runtime/invocation/next") == 1
    may_return.set()
    await second.over.wait()
    assert runtime_api.calls.count("GET /2018-06-01/runtime/invocation/next") >= 2


async def _raise_before_start(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("no answer from me")


async def _raise_after_start(scope: Scope, receive: Receive, send: Send) -> None:
    await _start(send)
    raise ValueError("status given, nothing sent")


async def _return_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    pass


async def _body_first(scope: Scope, receive: Receive, send: Send) -> None:
    await _body(send, b"x")


async def _informational_status(scope: Scope, receive: Receive, send: Send) -> None:
    await _start(send, 103)


@pytest.mark.parametrize(
    ("app", "error_type", "message"),
    [
        (_raise_before_start, "ValueError", "no answer from me"),
        (_raise_after_start, "ValueError", "status given, nothing sent"),
        (_return_at_once, "Runtime.NoResponse", "without sending a response"),
        (_body_first, "RuntimeError", "'http.response.body' while its response was starting"),
        (_informational_status, "ValueError", "103 is not the status of a final HTTP response"),
    ],
)
async def test_a_failure_before_the_first_byte_is_an_invocation_error(
    start_runtime: StartRuntime,
    runtime_api: RuntimeApiStandIn,
    capsys: pytest.CaptureFixture[str],
    app: Any,
    error_type: str,
    message: str,
) -> None:
    @_http
    async def failing_once(scope: Scope, receive: Receive, send: Send) -> None:
        await (app if scope["path"] == "/fail" else echo)(scope, receive, send)

    start_runtime(failing_once)
    invocation = runtime_api.invoke(event("/fail"))
    await invocation.over.wait()
    assert invocation.error is not None
    assert invocation.error["errorType"] == error_type
    assert message in invocation.error["errorMessage"]
    assert invocation.response_headers["lambda-runtime-function-error-type"] == error_type
    after = runtime_api.invoke(event(method="POST", body="still here"))
    await after.prelude()
    assert await after.body() == b"still here"
    logged = json.loads(capsys.readouterr().err.splitlines()[0])
    assert logged["requestId"] == "request-0"
    assert logged["errorType"] == error_type


async def _raise_mid_way(send: Send) -> None:
    raise ValueError("x" * 5_000)


async def _return_mid_way(send: Send) -> None:
    pass


async def _start_again(send: Send) -> None:
    await _start(send)


@pytest.mark.parametrize(
    ("then", "error_type"),
    [
        (_raise_mid_way, "ValueError"),
        (_return_mid_way, "Runtime.IncompleteResponse"),
        (_start_again, "RuntimeError"),
    ],
)
async def test_a_failure_mid_way_ends_the_stream_with_trailers(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, then: Any, error_type: str
) -> None:
    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await _start(send)
        await _body(send, b"first")
        await then(send)

    start_runtime(app)
    for _ in range(2):
        invocation = runtime_api.invoke(event())
        await invocation.prelude()
        assert await invocation.body() == b"first"
        assert invocation.trailers["lambda-runtime-function-error-type"] == error_type
        assert invocation.trailer_error()["errorType"] == error_type
        assert len(invocation.trailer_error()["errorMessage"]) <= 1_000
        assert set(map(str.strip, invocation.response_headers["trailer"].lower().split(","))) == set(
            invocation.trailers
        )


async def test_a_message_after_the_last_is_refused_and_logged(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await _start(send)
        await _body(send, b"whole", more=False)
        await _body(send, b"late", more=False)

    start_runtime(app)
    for _ in range(2):
        invocation = runtime_api.invoke(event())
        await invocation.prelude()
        assert await invocation.body() == b"whole"
        assert invocation.trailers == {}
    assert "while its response was complete" in capsys.readouterr().err


@pytest.mark.parametrize(
    "refusal",
    [b"", b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nbig!", b"gibberish\r\n\r\n"],
    ids=["closed", "413", "gibberish"],
)
async def test_an_answer_that_lambda_breaks_off_is_told_to_the_app(
    start_runtime: StartRuntime,
    runtime_api: RuntimeApiStandIn,
    capsys: pytest.CaptureFixture[str],
    refusal: bytes,
) -> None:
    told: list[str] = []

    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await _start(send)
        await _body(send, b"first", more=scope["path"] == "/broken")
        if scope["path"] != "/broken":
            return
        told.append((await receive())["type"])
        try:
            await _body(send, b"second")
        except OSError:
            told.append("OSError")
            raise

    start_runtime(app)
    runtime_api.invoke(event("/broken"), refuse_with=refusal)
    after = runtime_api.invoke(event())
    await after.prelude()
    assert await after.body() == b"first"
    assert told == ["http.disconnect", "OSError"]
    logged = capsys.readouterr().err
    assert "did not take the whole answer" in logged
    assert ("413" in logged) == (b"413" in refusal)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"not json",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'"\xff"',
        json.dumps({"Records": []}).encode(),
        json.dumps(event() | {"rawPath": 7}).encode(),
        json.dumps(event(method="GE T")).encode(),
        json.dumps(event(method="POST", body="###", isBase64Encoded=True)).encode(),
        json.dumps(event(method="POST", body="\ud800")).encode(),
        json.dumps(event(headers={"x": "a\r\nset-cookie: b"})).encode(),
    ],
    ids=range(12),
)
async def test_a_hostile_event_is_refused_and_the_next_is_served(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, bad: bytes
) -> None:
    start_runtime(echo)
    refused = runtime_api.invoke(bad)
    await refused.over.wait()
    assert refused.error is not None
    assert refused.error["errorType"] == "Runtime.MalformedEvent"
    served = runtime_api.invoke(event(method="POST", body="ok"))
    await served.prelude()
    assert await served.body() == b"ok"


async def test_concurrent_invocations_run_on_one_loop(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    meeting = asyncio.Barrier(8)

    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await meeting.wait()  # Passes only if all eight run at once.
        await echo(scope, receive, send)

    start_runtime(app, AWS_LAMBDA_MAX_CONCURRENCY="8")
    invocations = [runtime_api.invoke(event(method="POST", body=str(number))) for number in range(8)]
    for number, invocation in enumerate(invocations):
        await invocation.prelude()
        assert await invocation.body() == str(number).encode()


async def test_the_guard_cancels_the_app_and_its_last_words_still_leave(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, clock: SteppedClock
) -> None:
    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await _start(send)
        await _body(send, b"first")
        try:
            await asyncio.Event().wait()
        finally:
            await _body(send, b"last words", more=scope["path"] == "/cut")

    start_runtime(app, LAMBDA_ASGI_DEADLINE_MARGIN_MS="2000")
    for path, trailers in (("/cut", True), ("/ended", False)):
        deadline_ms = clock.now_ms() + 900_000
        invocation = runtime_api.invoke(event(path), deadline_ms=deadline_ms)
        await invocation.prelude()
        assert await invocation.chunks.get() == b"first"
        await clock.set_ms(deadline_ms - 2_001)
        assert not invocation.over.is_set()
        await clock.set_ms(deadline_ms - 2_000)
        assert await invocation.body() == b"last words"
        assert bool(invocation.trailers) == trailers
    assert runtime_api.connections >= 1


async def test_the_guard_does_not_wait_for_an_app_that_does_not_heed_it(
    start_runtime: StartRuntime,
    runtime_api: RuntimeApiStandIn,
    clock: SteppedClock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cancelled, sent_late = asyncio.Event(), asyncio.Event()

    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/stubborn":
            await echo(scope, receive, send)
            return
        await receive()
        await _start(send)
        await _body(send, b"first")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            assert (await receive())["type"] == "http.disconnect"
            try:
                await _body(send, b"too late")
            except OSError:
                sent_late.set()

    start_runtime(app)
    deadline_ms = clock.now_ms() + 900_000
    stubborn = runtime_api.invoke(event("/stubborn"), deadline_ms=deadline_ms, paused=True)
    await stubborn.prelude()
    await clock.set_ms(deadline_ms - 2_000)
    await cancelled.wait()
    await clock.set_ms(deadline_ms - 1_000)
    await sent_late.wait()
    # Only now does Lambda read the end of the answer: nothing may stand behind it.
    stubborn.reading.set()
    assert await stubborn.body() == b"first"
    assert stubborn.trailers["lambda-runtime-function-error-type"] == "Runtime.DeadlineGuard"
    after = runtime_api.invoke(event(method="POST", body="next"))
    await after.prelude()
    assert await after.body() == b"next"
    assert "does not heed its cancellation" in capsys.readouterr().err


async def test_the_guard_before_the_first_byte_is_an_invocation_error(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, clock: SteppedClock
) -> None:
    running = asyncio.Event()

    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        running.set()
        await asyncio.Event().wait()

    start_runtime(app)
    # A short timeout: the app has three quarters of it.
    invocation = runtime_api.invoke(event(), deadline_ms=clock.now_ms() + 1_000)
    await running.wait()
    await clock.set_ms(clock.now_ms() + 749)
    assert invocation.error is None
    await clock.set_ms(clock.now_ms() + 1)
    await invocation.over.wait()
    assert invocation.error is not None
    assert invocation.error["errorType"] == "Runtime.DeadlineGuard"


async def test_a_reader_that_takes_nothing_is_given_up_at_the_deadline(
    start_runtime: StartRuntime,
    runtime_api: RuntimeApiStandIn,
    clock: SteppedClock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cancelled = asyncio.Event()

    @_http
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/flood":
            await echo(scope, receive, send)
            return
        await _start(send)
        try:
            while True:
                await _body(send, bytes(65_536))
        except asyncio.CancelledError:
            cancelled.set()
            raise

    start_runtime(app)
    deadline_ms = clock.now_ms() + 900_000
    flooded = runtime_api.invoke(event("/flood"), deadline_ms=deadline_ms, paused=True)
    await flooded.prelude()
    await clock.set_ms(deadline_ms - 2_000)
    await cancelled.wait()
    await clock.set_ms(deadline_ms)
    after = runtime_api.invoke(event(method="POST", body="next"))
    await after.prelude()
    assert await after.body() == b"next"
    assert "took no end of the answer before the deadline" in capsys.readouterr().err
