"""A function as Lambda scales it: one execution environment for each request at a time, kept for the next ones."""

import asyncio
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from emulator.execution_environment import ExecutionEnvironment
from emulator.invocation import Invocation

StartEnvironment = Callable[[], AbstractAsyncContextManager[ExecutionEnvironment]]


class Throttled(Exception):
    """All environments that this function may have are busy."""


class Function:
    """Starts environments as they are needed, up to a limit; `async with` ends them all."""

    def __init__(self, start: StartEnvironment, *, timeout_s: int, max_environments: int) -> None:
        self._start = start
        self._timeout_s = timeout_s
        self._max_environments = max_environments
        self._starting = 0
        self._closing = AsyncExitStack()
        self.environments: list[ExecutionEnvironment] = []

    async def __aenter__(self) -> "Function":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()

    async def invoke(self, event: bytes, trace_id: str) -> Invocation:
        """Start an invocation and return it; raise Throttled, or FunctionFailed when no environment comes up."""
        environment = self._warm()
        if environment is None:
            environment = await self._cold()
        request_id = str(uuid.uuid4())
        deadline_ms = time.time_ns() // 1_000_000 + self._timeout_s * 1_000
        invocation = Invocation(request_id, event, deadline_ms, trace_id)
        environment.invoke(invocation)
        return invocation

    async def start_ahead(self, count: int) -> None:
        """Start environments before they are needed (provisioned concurrency); raise FunctionFailed."""
        await asyncio.gather(*(self._cold() for _ in range(count)))

    def _warm(self) -> ExecutionEnvironment | None:
        self.environments = [each for each in self.environments if each.is_alive]
        return next((each for each in self.environments if each.free), None)

    async def _cold(self) -> ExecutionEnvironment:
        if len(self.environments) + self._starting >= self._max_environments:
            raise Throttled(f"the limit of {self._max_environments} execution environments is reached")
        self._starting += 1
        try:
            environment = await self._closing.enter_async_context(self._start())
            self.environments.append(environment)
        finally:
            self._starting -= 1
        return environment
