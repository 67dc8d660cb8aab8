"""A token bucket: so many at once, and so many more each second."""

from channeling.clock import Clock


class TokenBucket:
    """Allows `burst` takes at once and `per_second` more each second."""

    def __init__(self, clock: Clock, *, burst: int, per_second: int) -> None:
        self._clock = clock
        self._burst_thousandths = burst * 1_000
        self._per_second = per_second
        self._left_thousandths = self._burst_thousandths
        self._filled_ms = clock.now_ms()

    def take(self, count: int = 1) -> bool:
        """Take so many; False, with none taken, when fewer are left."""
        now_ms = self._clock.now_ms()
        # A clock set back adds nothing.
        gained = max(0, now_ms - self._filled_ms) * self._per_second
        self._left_thousandths = min(self._burst_thousandths, self._left_thousandths + gained)
        self._filled_ms = now_ms
        if self._left_thousandths < count * 1_000:
            return False
        self._left_thousandths -= count * 1_000
        return True

    def give_back(self) -> None:
        """Undo one `take`: it turned out not to count."""
        self._left_thousandths = min(self._burst_thousandths, self._left_thousandths + 1_000)
