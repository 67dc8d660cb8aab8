"""An environment that is asked to end, or can get no more invocations, ends what runs in good order first."""

import asyncio
import json
from typing import Any

import pytest

from lambda_asgi.asgi import Receive, Scope, Send
from lambda_asgi.shutdown import LastMoments, Shutdown, after_shutdown, before_deadline
from tests.layers.runtime.conftest import StartRuntime, SteppedClock
from tests.layers.runtime.runtime_api_stand_in import RuntimeApiStandIn, event
from tests.layers.runtime.tiny_apps import body, echo, start, with_lifespan

pytestmark = pytest.mark.timeout(60)

GRACE_MS = 1_500
NEXT = "GET /2018-06-01/runtime/invocation/next"


def test_last_moments() -> None:
    assert before_deadline(900_000, 2_000, 0) == LastMoments(896_000, 898_000, 899_000, 900_000)
    # A short timeout: the app has three quarters of it, and half to itself.
    assert before_deadline(1_000, 2_000, 0) == LastMoments(500, 750, 875, 1_000)
    assert before_deadline(1_000, 2_000, 5_000) == LastMoments(1_000, 1_000, 1_000, 1_000)
    far = before_deadline(900_000, 2_000, 0)
    assert after_shutdown(far, 10_000, GRACE_MS) == LastMoments(10_000, 10_500, 11_000, 11_250)
    assert after_shutdown(far, 899_500, GRACE_MS) == far


class Until:
    """An app that streams until it is told to end, and tells what it heard."""

    def __init__(self, *, heeds: str) -> None:
        self.heeds = heeds
        self.heard: list[str] = []
        self.told, self.cancelled = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self.heard.append("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
            return
        await start(send)
        await body(send, b"first")
        await scope["extensions"]["lambda.context"]["ending"].wait()
        self.told.set()
        self.heard.append("told")
        if self.heeds != "the word":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.heard.append("cancelled")
                self.cancelled.set()
                if self.heeds == "nothing":
                    await asyncio.Event().wait()
        await body(send, b"last", more=False)


@pytest.mark.parametrize(
    ("heeds", "heard", "sent", "error"),
    [
        ("the word", ["told", "shutdown"], b"firstlast", None),
        ("cancellation", ["told", "cancelled", "shutdown"], b"firstlast", None),
        ("nothing", ["told", "cancelled", "shutdown"], b"first", "Runtime.Shutdown"),
    ],
)
async def test_streams_end_within_the_grace_time_and_then_the_app(
    start_runtime: StartRuntime,
    runtime_api: RuntimeApiStandIn,
    clock: SteppedClock,
    heeds: str,
    heard: list[str],
    sent: bytes,
    error: str | None,
) -> None:
    app, shutdown = Until(heeds=heeds), Shutdown()
    # The second loop waits for an invocation all the time.
    running = start_runtime(app, shutdown=shutdown, AWS_LAMBDA_MAX_CONCURRENCY="2")
    invocation = runtime_api.invoke(event())
    await invocation.prelude()
    asked_ms = clock.now_ms()
    shutdown.ask(asked_ms)
    await app.told.wait()
    if heeds != "the word":
        await clock.set_ms(asked_ms + GRACE_MS // 3)
        await app.cancelled.wait()
        if heeds == "nothing":
            await clock.set_ms(asked_ms + GRACE_MS * 2 // 3)
    assert await running == 0
    assert await invocation.body() == sent
    assert app.heard == heard
    assert invocation.trailers.get("lambda-runtime-function-error-type") == error


async def test_a_deadline_is_told_before_the_app_is_cancelled(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, clock: SteppedClock
) -> None:
    app = Until(heeds="the word")
    start_runtime(app, LAMBDA_ASGI_DEADLINE_MARGIN_MS="2000")
    deadline_ms = clock.now_ms() + 900_000
    invocation = runtime_api.invoke(event(), deadline_ms=deadline_ms)
    await invocation.prelude()
    await clock.set_ms(deadline_ms - 4_000)
    assert await invocation.body() == b"firstlast"
    assert invocation.trailers == {}
    assert app.heard == ["told"]


async def test_an_app_that_does_not_shut_down_is_left(
    start_runtime: StartRuntime, clock: SteppedClock, capsys: pytest.CaptureFixture[str]
) -> None:
    shutting_down = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        shutting_down.set()
        await asyncio.Event().wait()

    shutdown = Shutdown()
    shutdown.ask(clock.now_ms())
    running = start_runtime(app, shutdown=shutdown)
    await shutting_down.wait()
    await clock.set_ms(clock.now_ms() + GRACE_MS)
    assert await running == 0
    assert "did not end within the grace time" in capsys.readouterr().err


async def test_next_is_asked_again_when_it_fails(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, clock: SteppedClock
) -> None:
    runtime_api.next_statuses = [500, 503, 500, 500]
    invocation = runtime_api.invoke(event(method="POST", body="at last"))
    start_runtime(echo)
    for delay_ms in (100, 200, 400, 800):
        await clock.waited_for(clock.now_ms() + delay_ms)
        await clock.set_ms(clock.now_ms() + delay_ms)
    await invocation.prelude()
    assert await invocation.body() == b"at last"


@pytest.mark.parametrize(("statuses", "asked"), [([500] * 5, 5), ([403], 1)], ids=["lasting", "final"])
async def test_an_environment_that_gets_no_more_invocations_ends_after_those_it_has(
    start_runtime: StartRuntime,
    runtime_api: RuntimeApiStandIn,
    clock: SteppedClock,
    capsys: pytest.CaptureFixture[str],
    statuses: list[int],
    asked: int,
) -> None:
    go_on = asyncio.Event()

    @with_lifespan
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await body(send, b"first")
        await go_on.wait()
        await body(send, b"last", more=False)

    running = start_runtime(app, AWS_LAMBDA_MAX_CONCURRENCY="2")
    slow = runtime_api.invoke(event())
    await slow.prelude()
    # The other loop's connection breaks while it waits.
    await runtime_api.until(lambda: runtime_api.calls.count(NEXT) == 2)
    runtime_api.next_statuses = list(statuses)
    await runtime_api.drop_waiting()
    for attempt in range(asked - 1):
        delay_ms = 100 * 2**attempt
        await clock.waited_for(clock.now_ms() + delay_ms)
        await clock.set_ms(clock.now_ms() + delay_ms)
    await runtime_api.until(lambda: not runtime_api.next_statuses)
    assert not running.done()
    go_on.set()
    assert await slow.body() == b"firstlast"
    assert await running == 1
    assert runtime_api.calls.count(NEXT) == 2 + asked
    assert "the environment ends: invocation/next answered" in capsys.readouterr().err


@pytest.mark.parametrize("exits", ["sys.exit", "lifespan"])
async def test_an_app_that_exits_ends_nothing_but_its_own_invocation(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, exits: str
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" and exits == "lifespan":
            raise SystemExit(3)
        if scope["type"] == "http" and scope["path"] == "/exit":
            raise SystemExit(3)
        await echo(scope, receive, send)

    start_runtime(app)
    exiting: Any = runtime_api.invoke(event("/exit"))
    await exiting.over.wait()
    assert exiting.error["errorType"] == "AppExited"
    after = runtime_api.invoke(event(method="POST", body="still here"))
    await after.prelude()
    assert await after.body() == b"still here"


async def test_an_error_that_lambda_does_not_want_any_more_ends_nothing(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime_api.error_status = 400
    start_runtime(echo)
    await runtime_api.invoke({}).over.wait()
    after = runtime_api.invoke(event(method="POST", body="still here"))
    await after.prelude()
    assert await after.body() == b"still here"
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert any("error could not be reported" in line["message"] and line["requestId"] for line in lines)
