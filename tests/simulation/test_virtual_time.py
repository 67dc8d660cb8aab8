"""Virtual time passes at once and in order, a deadlock is told, and a clock shows it with its own error."""

import asyncio
import time

import pytest

from simulation.virtual_time import Deadlock, VirtualClock, VirtualTimeLoop, run_in_virtual_time


def test_a_year_of_sleep_takes_no_time_and_timers_fire_in_order() -> None:
    """Sleeps of any length end in the order of their ends."""
    ended: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        ended.append((name, round(asyncio.get_running_loop().time(), 3)))

    async def main(_: VirtualTimeLoop) -> None:
        await asyncio.gather(sleeper("year", 31_536_000.25), sleeper("short", 0.001), sleeper("day", 86_400))

    began_s = time.monotonic()
    run_in_virtual_time(main)
    assert ended == [("short", 0.001), ("day", 86_400), ("year", 31_536_000.25)]
    assert time.monotonic() - began_s < 5


def test_a_timeout_fires() -> None:
    """`asyncio.timeout` works on the virtual time."""

    async def main(loop: VirtualTimeLoop) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(900):
                await loop.create_future()
        return loop.time()

    assert run_in_virtual_time(main) == pytest.approx(900)


def test_a_deadlock_says_who_waits_where() -> None:
    """Nothing ready and no timer: the error names the waiting code."""

    async def waits_for_ever(loop: VirtualTimeLoop) -> None:
        await loop.create_future()

    with pytest.raises(Deadlock, match="waits_for_ever"):
        run_in_virtual_time(waits_for_ever)


def test_threads_are_refused() -> None:
    """A thread would make a run depend on the machine."""

    async def main(_: VirtualTimeLoop) -> None:
        await asyncio.to_thread(time.monotonic)

    with pytest.raises(RuntimeError, match="threads"):
        run_in_virtual_time(main)


def test_a_clock_shows_the_epoch_and_its_skew() -> None:
    """Milliseconds since 1970, as wrong as this clock is."""

    async def main(loop: VirtualTimeLoop) -> tuple[int, int]:
        right, wrong = VirtualClock(loop, 1_000_000), VirtualClock(loop, 1_000_000, skew_ms=-1_500)
        await asyncio.sleep(2.5)
        return right.now_ms(), wrong.now_ms()

    assert run_in_virtual_time(main) == (1_002_500, 1_001_000)


def test_tasks_that_are_left_are_cancelled() -> None:
    """Nothing of a run outlives it."""
    ends: list[str] = []

    async def left_over(loop: VirtualTimeLoop) -> None:
        try:
            await loop.create_future()
        finally:
            ends.append("cancelled")

    async def main(loop: VirtualTimeLoop) -> None:
        loop.create_task(left_over(loop))  # left over is the point
        await asyncio.sleep(0)

    run_in_virtual_time(main)
    assert ends == ["cancelled"]
