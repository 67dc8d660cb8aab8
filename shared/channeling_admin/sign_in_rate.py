"""A bound on wrong admin tokens from one address, in this process."""

from collections import OrderedDict

from channeling.clock import Clock
from channeling.token_bucket import TokenBucket

BURST, PER_SECOND = 20, 1
_MAX_ADDRESSES = 10_000


class SignInRate:
    """One bucket of tries per address, the least recently used forgotten above 10,000; a right token costs none."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, address: str) -> bool:
        """Take one try before a token is looked at; False when there is none left."""
        bucket = self._buckets.pop(address, None)
        if bucket is None:
            bucket = TokenBucket(self._clock, burst=BURST, per_second=PER_SECOND)
        self._buckets[address] = bucket
        if len(self._buckets) > _MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        return bucket.take()

    def give_back(self, address: str) -> None:
        """Undo one try: the token was right."""
        if address in self._buckets:
            self._buckets[address].give_back()
