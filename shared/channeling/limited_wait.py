"""Waiting for a provider no longer than a request may: till the client leaves, this server stops, time is up."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from channeling.answer import ClientGone
from channeling.call import Limits, Stop
from channeling.errors import Overloaded, UpstreamFailed

T = TypeVar("T")


class Silence(Exception):
    """Nothing came from the provider for `ping_after_s`."""


async def wait_for(work: Coroutine[Any, Any, T], limits: Limits) -> T:
    """Return the result; raise UpstreamFailed at the deadline, Overloaded or ClientGone when stopped.

    What the work was waiting for is cancelled then. It runs in the task of whoever asks, which nobody else cancels.
    """
    refuse_stopped(limits)
    until = asyncio.timeout_at(limits.deadline_s)

    def stop(_: object) -> None:
        until.reschedule(float("-inf"))

    try:
        async with until:
            limits.stop.add_done_callback(stop)
            try:
                result = await work
            finally:
                limits.stop.remove_done_callback(stop)
    except TimeoutError:
        if not until.expired():
            raise
        refuse_stopped(limits)
        raise late(limits) from None
    refuse_stopped(limits)
    return result


async def wait_for_task(task: asyncio.Future[T], limits: Limits, *, pinging: bool) -> T:
    """Return a task's result, which may still be awaited where this raises: as `wait_for`, and Silence where
    `pinging` and a ping is due."""
    now_s = asyncio.get_running_loop().time()
    timeout_s = max(0.0, limits.deadline_s - now_s)
    if pinging:
        timeout_s = min(timeout_s, limits.ping_after_s)
    await _either(task, limits.stop, timeout_s)
    # Before a result: a client that has left must stop a provider that writes faster than we read.
    refuse_stopped(limits)
    if task.done():
        return task.result()
    if pinging and timeout_s == limits.ping_after_s:
        raise Silence
    raise late(limits)


def late(limits: Limits) -> UpstreamFailed:
    """Return the failure of a provider that is not done at the deadline."""
    return UpstreamFailed(f"the upstream provider did not finish within {limits.max_request_s} seconds")


def refuse_stopped(limits: Limits) -> None:
    """Raise ClientGone or Overloaded where nobody waits any longer."""
    if not limits.stop.done():
        return
    if limits.stop.result() is Stop.CLIENT_LEFT:
        raise ClientGone
    raise Overloaded("the gateway is being stopped; the request can be tried again")


async def _either(one: asyncio.Future[Any], other: asyncio.Future[Any], timeout_s: float) -> None:
    """Wait until one of two is done or the time is up; half of what `asyncio.wait` costs."""
    if one.done() or other.done():
        return
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake(_: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    one.add_done_callback(wake)
    other.add_done_callback(wake)
    timer = loop.call_later(timeout_s, wake)
    try:
        await waiter
    finally:
        timer.cancel()
        one.remove_done_callback(wake)
        other.remove_done_callback(wake)


async def cancel(task: asyncio.Future[T]) -> None:
    """End a task and wait until it has let go of its connection; its outcome stays in it."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio does not report it
