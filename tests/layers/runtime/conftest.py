"""The runtime, started on a tiny app against the Runtime API stand-in."""

import asyncio
import contextlib
import sys
import types
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from lambda_asgi.asgi import ASGIApp
from lambda_asgi.runtime import run
from lambda_asgi.shutdown import Shutdown
from tests.layers.runtime.runtime_api_stand_in import RuntimeApiStandIn


class SteppedClock:
    """A clock that stands still until it is set; one that `jumps` is always where it is waited for."""

    def __init__(self, now_ms: int = 1_000_000) -> None:
        self.jumps = False
        self._now_ms = now_ms
        self._moved = asyncio.Condition()
        self._waited_for: set[int] = set()

    def now_ms(self) -> int:
        return self._now_ms

    async def wait_until_ms(self, time_ms: int) -> None:
        if self.jumps:
            self._now_ms = max(self._now_ms, time_ms)
            return
        async with self._moved:
            self._waited_for.add(time_ms)
            self._moved.notify_all()
            await self._moved.wait_for(lambda: self._now_ms >= time_ms)

    async def waited_for(self, time_ms: int) -> None:
        """Wait until somebody waits for this time."""
        async with self._moved:
            await self._moved.wait_for(lambda: time_ms in self._waited_for)

    async def set_ms(self, now_ms: int) -> None:
        """Move to a time and wake whoever waits for it."""
        async with self._moved:
            self._now_ms = now_ms
            self._moved.notify_all()


StartRuntime = Callable[..., asyncio.Task[int]]


@pytest.fixture
async def runtime_api() -> AsyncIterator[RuntimeApiStandIn]:
    stand_in = RuntimeApiStandIn()
    yield stand_in
    await stand_in.close()


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
async def start_runtime(
    runtime_api: RuntimeApiStandIn, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[StartRuntime]:
    """Start an execution environment: `start_runtime(app, AWS_LAMBDA_…="…")` returns its task."""
    address = await runtime_api.start()
    started: list[asyncio.Task[int]] = []

    def start(app: ASGIApp, **environ: Any) -> asyncio.Task[int]:
        after_restore = environ.pop("after_restore", None)
        shutdown: Shutdown | None = environ.pop("shutdown", None)
        module = types.ModuleType("tiny")
        module.app = app  # type: ignore[attr-defined] # a module made here
        if after_restore is not None:
            module.after_restore = after_restore  # type: ignore[attr-defined] # the same
        monkeypatch.setitem(sys.modules, "tiny", module)
        whole: dict[str, str] = environ.pop("environ", {})
        whole |= {"AWS_LAMBDA_RUNTIME_API": address, "_HANDLER": "tiny.app"} | environ
        started.append(asyncio.create_task(run(whole, clock, shutdown)))
        return started[-1]

    yield start
    for task in started:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
