"""SnapStart: hooks run on both sides of the snapshot, each in its order; a failure ends as with AWS's client."""

import sys
import types
from collections.abc import Iterator

import pytest

import lambda_asgi
from lambda_asgi.snapshot import registered_hooks
from tests.layers.runtime.conftest import StartRuntime
from tests.layers.runtime.runtime_api_stand_in import RuntimeApiStandIn, event
from tests.layers.runtime.tiny_apps import echo

pytestmark = pytest.mark.timeout(60)

SNAP_START = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}


@pytest.fixture(autouse=True)
def _no_hooks_left() -> Iterator[None]:
    yield
    registered_hooks().before_snapshot.clear()
    registered_hooks().after_restore.clear()


async def test_all_hooks_run_once_in_order(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    aws = types.ModuleType("snapshot_restore_py")
    aws.get_before_snapshot = lambda: [(order.append, ("aws before",), {})]  # type: ignore[attr-defined] # made here
    aws.get_after_restore = lambda: [(order.append, ("aws after",), {})]  # type: ignore[attr-defined] # the same
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", aws)
    lambda_asgi.on_snapshot(lambda: order.append("first before"))

    @lambda_asgi.on_snapshot
    async def second_before() -> None:
        order.append(f"second before, {len(runtime_api.calls)} calls yet")

    @lambda_asgi.on_restore
    async def after() -> None:
        order.append(f"after {runtime_api.calls[-1].rpartition('/runtime/')[2]}")

    start_runtime(echo, **SNAP_START, after_restore=lambda: order.append("the module's"))
    runtime_api.restore.set()
    for _ in range(2):
        await runtime_api.invoke(event()).over.wait()
    assert order == [
        "second before, 0 calls yet",
        "first before",
        "aws before",
        "aws after",
        "after restore/next",
        "the module's",
    ]


async def test_a_hook_before_the_snapshot_that_fails_is_an_init_error(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    def fail() -> None:
        raise OSError("not ready")

    lambda_asgi.on_snapshot(fail)
    assert await start_runtime(echo, **SNAP_START) == 64
    assert runtime_api.init_error is not None
    assert runtime_api.init_error["errorMessage"] == "not ready"
    assert runtime_api.calls == ["POST /2018-06-01/runtime/init/error"]


async def test_without_snapstart_no_hook_runs(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn
) -> None:
    ran: list[str] = []
    lambda_asgi.on_snapshot(lambda: ran.append("before"))
    lambda_asgi.on_restore(lambda: ran.append("after"))
    start_runtime(echo)
    await runtime_api.invoke(event()).over.wait()
    assert ran == []
    assert not any("restore" in call for call in runtime_api.calls)
