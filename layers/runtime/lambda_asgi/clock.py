"""Wall-clock time in milliseconds since 1970, as Lambda's deadlines are."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time and waits for one."""

    def now_ms(self) -> int: ...

    async def wait_until_ms(self, time_ms: int) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def wait_until_ms(self, time_ms: int) -> None:
        # Asked again after each wait: the timer runs on the monotonic clock, the deadline on the wall clock.
        while (left_ms := time_ms - self.now_ms()) > 0:  # noqa: ASYNC110 - no event says that time has passed
            await asyncio.sleep(left_ms / 1_000)
