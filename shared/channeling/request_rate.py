"""A bound on how often each user may ask for what costs nothing, in this process."""

from collections import OrderedDict

from channeling.clock import Clock
from channeling.token_bucket import TokenBucket

_MAX_KEYS = 10_000


class RequestRate:
    """One token bucket per key, the least recently used forgotten above 10,000."""

    def __init__(self, clock: Clock, *, burst: int, per_second: int) -> None:
        self._clock = clock
        self._burst = burst
        self._per_second = per_second
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, key: str, count: int = 1) -> bool:
        """Take so many of this key's; False, with none taken, when it has fewer left."""
        bucket = self._buckets.pop(key, None)
        if bucket is None:
            bucket = TokenBucket(self._clock, burst=self._burst, per_second=self._per_second)
        self._buckets[key] = bucket
        if len(self._buckets) > _MAX_KEYS:
            self._buckets.popitem(last=False)
        return bucket.take(count)
