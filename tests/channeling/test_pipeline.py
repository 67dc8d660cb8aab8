"""Work that holds money runs to its end, whoever cancels it."""

import asyncio

import pytest

from channeling.call import Stop
from channeling.pipeline import run_to_its_end


async def test_a_cancelled_request_is_told_and_waited_for() -> None:
    """The work learns that the server stops, and finishes before the cancellation goes on."""
    stop: asyncio.Future[Stop] = asyncio.get_running_loop().create_future()
    settled = asyncio.Event()
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        assert await stop is Stop.SERVER_STOPS
        await asyncio.sleep(0)  # settling takes turns of the loop
        settled.set()

    running = asyncio.ensure_future(run_to_its_end(work(), stop))
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert settled.is_set()


async def test_what_the_work_raises_comes_through() -> None:
    """A defect is not swallowed."""
    stop: asyncio.Future[Stop] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await run_to_its_end(work(), stop)
    assert not stop.done()
