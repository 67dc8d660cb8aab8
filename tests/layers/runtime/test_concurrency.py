"""Two hundred streams in one process on one event loop: none waits for another, and each costs little memory."""

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from lambda_asgi.asgi import Receive, Scope, Send
from tests.layers.runtime.conftest import StartRuntime
from tests.layers.runtime.runtime_api_stand_in import RuntimeApiStandIn, event
from tests.layers.runtime.tiny_apps import body, echo, start, with_lifespan

pytestmark = pytest.mark.timeout(120)

STREAMS = 200
BYTES_A_STREAM_MAX = 500_000
BOOTSTRAP = Path(__file__).parents[3] / "layers/runtime/bootstrap"
APP = '''
import asyncio
all_open = None
count = 0

async def app(scope, receive, send):
    """Send until as many streams are open as the path says; those that came before wait in mid-stream."""
    global count, all_open
    assert scope["type"] == "http"
    if all_open is None:
        all_open = asyncio.Event()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for number in range(20):
        await send({"type": "http.response.body", "body": b"event: number\\n\\n" * 100, "more_body": True})
    count += 1
    if count == int(scope["path"][1:]):
        all_open.set()
    await all_open.wait()
    await send({"type": "http.response.body", "body": open("/proc/self/statm").read().encode(), "more_body": False})
'''


async def test_no_stream_starves_another_that_never_waits(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    sent = Counter({f"/{number}": 0 for number in range(STREAMS)})
    spread: list[int] = []
    meeting = asyncio.Barrier(STREAMS)

    @with_lifespan
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await meeting.wait()
        for _ in range(50):
            # Small pieces, for which no buffer is ever full: nothing here waits by itself.
            await body(send, b"x")
            sent[scope["path"]] += 1
        spread.append(min(sent.values()))
        await body(send, b"", more=False)

    start_runtime(app, AWS_LAMBDA_MAX_CONCURRENCY=str(STREAMS))
    invocations = [runtime_api.invoke(event(f"/{number}")) for number in range(STREAMS)]
    for invocation in invocations:
        await invocation.prelude()
        assert await invocation.body() == b"x" * 50
    # When the first stream is through, the slowest is not far behind.
    assert spread[0] >= 40


async def test_one_loop_answers_while_another_streams_without_end(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    answered = asyncio.Event()

    @with_lifespan
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/short":
            await echo(scope, receive, send)
            return
        await start(send)
        while not answered.is_set():
            await body(send, b"x")
        await body(send, b"", more=False)

    start_runtime(app, AWS_LAMBDA_MAX_CONCURRENCY="2")
    endless = runtime_api.invoke(event("/endless"))
    await endless.prelude()
    short = runtime_api.invoke(event("/short", method="POST", body="here"))
    await short.prelude()
    assert await short.body() == b"here"
    answered.set()
    await endless.over.wait()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
async def test_each_stream_costs_little_memory(runtime_api: RuntimeApiStandIn, tmp_path: Path) -> None:
    (tmp_path / "many.py").write_text(APP)
    process = await asyncio.create_subprocess_exec(
        str(BOOTSTRAP),
        sys.executable,
        env={
            "PATH": os.environ["PATH"],
            "LAMBDA_TASK_ROOT": str(tmp_path),
            "_HANDLER": "many.app",
            "AWS_LAMBDA_RUNTIME_API": await runtime_api.start(),
            "AWS_LAMBDA_MAX_CONCURRENCY": str(STREAMS),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stderr=asyncio.subprocess.PIPE,
    )

    async def resident_bytes(streams: int, already: int) -> int:
        invocations = [runtime_api.invoke(event(f"/{streams + already}")) for _ in range(streams)]
        bodies = [await invocation.body() for invocation in invocations]
        assert all(len(data) > 20 * 1_500 for data in bodies)
        last = max(bodies, key=lambda data: int(data.rpartition(b"\n\n")[2].split()[1]))
        return int(last.rpartition(b"\n\n")[2].split()[1]) * os.sysconf("SC_PAGE_SIZE")

    one = await resident_bytes(1, already=0)
    many = await resident_bytes(STREAMS, already=1)
    assert (many - one) / STREAMS <= BYTES_A_STREAM_MAX
    process.terminate()
    await process.communicate()
    assert process.returncode == 0
