"""An execution environment starts, restores and ends as Lambda asks, and says why when it cannot."""

import asyncio
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from lambda_asgi.asgi import Receive, Scope, Send
from lambda_asgi.settings import BadConfiguration, load_handler
from tests.layers.runtime.conftest import StartRuntime, SteppedClock
from tests.layers.runtime.runtime_api_stand_in import RuntimeApiStandIn, event

pytestmark = pytest.mark.timeout(20)

RUNTIME_LAYER = Path(__file__).parents[3] / "layers/runtime"


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 200, without a lifespan."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok", "more_body": False})


def _startup(answer: dict[str, Any], *, raises: bool = False) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(answer)
        if raises:
            raise RuntimeError("after saying so")

    return app


@pytest.mark.parametrize(
    ("app", "environ", "error_type", "message"),
    [
        (ok, {"_HANDLER": "no_such_module.app"}, "ModuleNotFoundError", "no_such_module"),
        (ok, {"_HANDLER": "tiny.missing"}, "BadConfiguration", "names no ASGI app"),
        (ok, {"_HANDLER": "tiny"}, "BadConfiguration", "module.attribute"),
        (ok, {"AWS_LAMBDA_MAX_CONCURRENCY": "0"}, "BadConfiguration", "AWS_LAMBDA_MAX_CONCURRENCY"),
        (ok, {"LAMBDA_ASGI_DEADLINE_MARGIN_MS": "-5"}, "BadConfiguration", "LAMBDA_ASGI_DEADLINE_MARGIN_MS"),
        (
            _startup({"type": "lifespan.startup.failed", "message": "no table"}),
            {},
            "StartupFailed",
            "no table",
        ),
        (
            _startup({"type": "lifespan.startup.failed", "message": "no key"}, raises=True),
            {},
            "StartupFailed",
            "no key",
        ),
    ],
)
async def test_an_environment_that_cannot_start_says_why_and_ends(
    start_runtime: StartRuntime,
    runtime_api: RuntimeApiStandIn,
    app: Any,
    environ: dict[str, str],
    error_type: str,
    message: str,
) -> None:
    assert await start_runtime(app, **environ) == 1
    assert runtime_api.init_error is not None
    assert runtime_api.init_error["errorType"] == error_type
    assert message in runtime_api.init_error["errorMessage"]
    assert runtime_api.calls == ["POST /2018-06-01/runtime/init/error"]


async def test_an_app_without_a_lifespan_is_served_and_its_error_is_logged(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    start_runtime(ok)
    invocation = runtime_api.invoke(event())
    await invocation.prelude()
    assert await invocation.body() == b"ok"
    assert "the app has no lifespan: AssertionError" in capsys.readouterr().err


async def test_the_app_is_shut_down_when_the_environment_ends(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, clock: SteppedClock
) -> None:
    clock.jumps = True
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for answer in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            heard.append((await receive())["type"])
            await send({"type": answer})

    runtime_api.next_statuses = [500] * 5
    assert await start_runtime(app) == 1
    assert heard == ["lifespan.startup", "lifespan.shutdown"]


async def test_a_runtime_api_that_is_not_there_ends_the_environment(
    start_runtime: StartRuntime, clock: SteppedClock, capsys: pytest.CaptureFixture[str]
) -> None:
    clock.jumps = True
    assert await start_runtime(ok, AWS_LAMBDA_RUNTIME_API="127.0.0.1:1") == 1
    assert "invocation/next did not answer" in capsys.readouterr().err


async def test_snapstart_waits_for_the_restore_and_runs_the_hook_before_serving(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    order: list[str] = []
    numbers: list[float] = []

    async def after_restore() -> None:
        order.append("hook")
        numbers.append(random.random())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        order.append("request")
        await ok(scope, receive, send)

    random.seed(7)
    expected_without_reseeding = random.random()
    random.seed(7)
    start_runtime(app, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start", after_restore=after_restore)
    invocation = runtime_api.invoke(event())
    runtime_api.restore.set()
    await invocation.over.wait()
    assert runtime_api.calls[:2] == [
        "GET /2018-06-01/runtime/restore/next",
        "GET /2018-06-01/runtime/invocation/next",
    ]
    assert order[-2:] == ["hook", "request"]
    assert numbers != [expected_without_reseeding]


async def test_a_restore_hook_that_fails_is_reported(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    def after_restore() -> None:
        raise OSError("no network after the restore")

    runtime_api.restore.set()
    status = await start_runtime(ok, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start", after_restore=after_restore)
    assert status == 65
    assert runtime_api.restore_error is not None
    assert runtime_api.restore_error["errorMessage"] == "no network after the restore"


def test_a_handler_may_lie_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in_a_folder").mkdir()
    (tmp_path / "in_a_folder/app.py").write_text("async def app(scope, receive, send): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    app, after_restore = load_handler("in_a_folder/app.app")
    assert callable(app)
    assert after_restore is None
    with pytest.raises(BadConfiguration, match="no such callable"):
        load_handler("in_a_folder/app.__doc__")


async def test_bootstrap_starts_the_runtime_as_the_managed_runtime_would(
    runtime_api: RuntimeApiStandIn, tmp_path: Path
) -> None:
    """The wrapper gets the interpreter and the arguments of AWS's own client; SIGTERM shuts the app down."""
    (tmp_path / "app.py").write_text(
        "async def app(scope, receive, send):\n"
        "    if scope['type'] == 'lifespan':\n"
        "        await receive(); await send({'type': 'lifespan.startup.complete'})\n"
        "        await receive(); print('shut down', flush=True)\n"
        "        await send({'type': 'lifespan.shutdown.complete'})\n"
        "        return\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': __file__.encode()})\n"
    )
    process = await asyncio.create_subprocess_exec(
        str(RUNTIME_LAYER / "bootstrap"),
        sys.executable,
        "/var/runtime/bootstrap.py",
        env={
            "PATH": os.environ["PATH"],
            "LAMBDA_TASK_ROOT": str(tmp_path),
            "_HANDLER": "app.app",
            "AWS_LAMBDA_RUNTIME_API": await runtime_api.start(),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    invocation = runtime_api.invoke(event())
    await invocation.prelude()
    assert (await invocation.body()).decode() == str(tmp_path / "app.py")
    process.send_signal(signal.SIGTERM)
    out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"shut down\n", b"")


async def test_without_a_runtime_api_it_says_who_starts_it(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        str(RUNTIME_LAYER / "bootstrap"),
        sys.executable,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    assert "started by Lambda or by its emulator" in json.loads(err)["message"]
