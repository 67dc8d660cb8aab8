"""One execution environment: a process of the function, frozen while it has nothing to do, ended at a deadline."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import IO

from emulator.answer import FunctionFailed
from emulator.artifact import Artifact
from emulator.invocation import Invocation
from emulator.runtime_api import RuntimeApi
from emulator.sandbox import MEMORY_MEGABYTES, Sandbox, sandbox

INIT_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 10.0


class ExecutionEnvironment:
    """A running process and the Runtime API that it speaks to; `execution_environment` starts one."""

    def __init__(self, place: Sandbox, *, timeout_s: int, max_concurrency: int, freezes: bool) -> None:
        self.place = place
        self.max_concurrency = max_concurrency
        self.timeout_s = timeout_s
        self.api = RuntimeApi(self._changed)
        self.ready_at_ns: int | None = None
        # Set while it waits for as many invocations as it can have.
        self.idle = asyncio.Event()
        self._freezes = freezes
        self._frozen = False
        self._process: asyncio.subprocess.Process | None = None
        self._first_next = asyncio.Event()
        self._exited: asyncio.Task[None] | None = None
        self._timers: set[asyncio.Task[None]] = set()

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The function's process."""
        assert self._process is not None  # noqa: S101 - made before anyone gets this environment
        return self._process

    @property
    def is_alive(self) -> bool:
        """Whether it can still be invoked."""
        return self.process.returncode is None

    @property
    def free(self) -> int:
        """How many more invocations it takes now."""
        return self.max_concurrency - len(self.api.under_way) if self.is_alive else 0

    async def start(self, command: list[str], environ: Mapping[str, str], log: IO[bytes]) -> None:
        """Start the process and wait until it asks for its first invocation; raise FunctionFailed."""
        address = await self.api.start()
        self._process = await asyncio.create_subprocess_exec(
            *self.place.command(*command),
            cwd=self.place.artifact.task,
            env={**environ, "AWS_LAMBDA_RUNTIME_API": address},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        self._exited = asyncio.create_task(self._watch())
        ready = asyncio.create_task(self._first_next.wait())
        try:
            await asyncio.wait(
                {ready, self._exited}, timeout=INIT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ready.cancel()
        if not self._first_next.is_set():
            raise FunctionFailed(self.api.init_error or {"errorType": "Runtime.ExitError"})

    def invoke(self, invocation: Invocation) -> None:
        """Hand an invocation over; at its deadline the process is killed, as Lambda does."""
        self.idle.clear()
        if self._frozen:
            self._signal(signal.SIGCONT)
            self._frozen = False
        self.api.invoke(invocation)
        timer = asyncio.create_task(self._time_out(invocation))
        self._timers.add(timer)
        timer.add_done_callback(self._timers.discard)

    def kill(self) -> None:
        """End the process at once, as the kernel does when memory runs out."""
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Tell the process to end in good order."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)

    async def wait(self) -> int:
        """Wait until the process has ended; return its exit status."""
        if self._exited is not None:
            await self._exited
        return await self.process.wait()

    async def close(self) -> None:
        """End the process, in good order if it does so, and drop its connections."""
        if self._process is not None:
            self.terminate()
            try:
                await asyncio.wait_for(asyncio.shield(self.process.wait()), _END_TIMEOUT_S)
            except TimeoutError:
                self.kill()
            await self.wait()
        for timer in tuple(self._timers):
            timer.cancel()
        await self.api.close()

    def _changed(self) -> None:
        if self.api.waiting and not self._first_next.is_set():
            self.ready_at_ns = time.monotonic_ns()
            self._first_next.set()
        # Lambda freezes a process that has asked for its next invocation as often as it can have one.
        if self.api.waiting < self.max_concurrency or self.api.under_way:
            return
        self.idle.set()
        if self._freezes and not self._frozen and self._process is not None and self.is_alive:
            self._signal(signal.SIGSTOP)
            self._frozen = True

    async def _watch(self) -> None:
        status = await self.process.wait()
        # What Lambda says: "RequestId: … Error: Runtime exited with error: signal: killed", Runtime.ExitError.
        how = f"signal: {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        self.api.end_all(
            FunctionFailed(
                {"errorType": "Runtime.ExitError", "errorMessage": f"Runtime exited with error: {how}"}
            )
        )

    async def _time_out(self, invocation: Invocation) -> None:
        left_s = max(0.0, invocation.deadline_ms / 1_000 - time.time())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(invocation.over.wait(), left_s)
            return
        message = f"{invocation.request_id} Task timed out after {self.timeout_s:.2f} seconds"
        invocation.end(FunctionFailed({"errorType": "Sandbox.Timedout", "errorMessage": message}))
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)


@asynccontextmanager
async def execution_environment(
    artifact: Artifact,
    variables: Mapping[str, str],
    *,
    log: IO[bytes],
    timeout_s: int = 900,
    memory_megabytes: int = MEMORY_MEGABYTES,
    max_concurrency: int = 1,
    freezes: bool = True,
    start_command: list[str] | None = None,
) -> AsyncIterator[ExecutionEnvironment]:
    """Run one environment, ready for its first invocation; `log` gets what the function prints.

    Raises FunctionFailed when it cannot be initialised.
    """
    with sandbox(artifact, memory_megabytes=memory_megabytes) as place:
        environment = ExecutionEnvironment(
            place, timeout_s=timeout_s, max_concurrency=max_concurrency, freezes=freezes
        )
        environ = place.environ(variables, timeout_s=timeout_s, max_concurrency=max_concurrency)
        try:
            await environment.start(start_command or place.start_command(), environ, log)
            yield environment
        finally:
            await environment.close()
