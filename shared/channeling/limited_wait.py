"""Waiting for a provider no longer than a request may: till the client leaves, this server stops, time is up."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from channeling.answer import ClientGone
from channeling.call import Limits, Stop
from channeling.errors import Overloaded, UpstreamFailed

T = TypeVar("T")


class Silence(Exception):
    """Nothing came from the provider for `ping_after_s`."""


async def wait_for(awaitable: Awaitable[T], limits: Limits) -> T:
    """Return the result; raise UpstreamFailed at the deadline, Overloaded or ClientGone when stopped."""
    task = asyncio.ensure_future(awaitable)
    try:
        return await wait_for_task(task, limits, pinging=False)
    finally:
        await cancel(task)


async def wait_for_task(
    task: asyncio.Future[T], limits: Limits, *, pinging: bool, cut: asyncio.Future[None] | None = None
) -> T:
    """Return a task's result, which may still be awaited where this raises: as `wait_for`, and Silence where
    `pinging` and a ping is due, or once `cut` is done."""
    now_s = asyncio.get_running_loop().time()
    timeout_s = max(0.0, limits.deadline_s - now_s)
    if pinging:
        timeout_s = min(timeout_s, limits.ping_after_s)
    waiting: set[asyncio.Future[Any]] = {task, limits.stop}
    if cut is not None:
        waiting.add(cut)
    await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    # Before a result: a client that has left must stop a provider that writes faster than we read.
    refuse_stopped(limits)
    if cut is not None and cut.done():
        raise Silence  # before a result, too: leaving the provider makes an error of what is being read
    if task.done():
        return task.result()
    if pinging and timeout_s == limits.ping_after_s:
        raise Silence
    raise UpstreamFailed(f"the upstream provider did not finish within {limits.max_request_s} seconds")


def refuse_stopped(limits: Limits) -> None:
    """Raise ClientGone or Overloaded where nobody waits any longer."""
    if not limits.stop.done():
        return
    if limits.stop.result() is Stop.CLIENT_LEFT:
        raise ClientGone
    raise Overloaded("the gateway is being stopped; the request can be tried again")


async def cancel(task: asyncio.Future[T]) -> None:
    """End a task and wait until it has let go of its connection; its outcome stays in it."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio does not report it
