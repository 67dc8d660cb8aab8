"""The door to time: wall-clock milliseconds, as an argument so that tests and simulations set it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where the pipeline and the stores read the time."""

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch."""


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000
