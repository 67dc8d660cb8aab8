"""A clock that stands still until a test moves it."""


class SetClock:
    """`Clock` whose time is set, in seconds since the epoch."""

    def __init__(self, now_s: float = 1_800_000_000) -> None:
        self.now_s = now_s

    def now_ms(self) -> int:
        return int(self.now_s * 1000)
