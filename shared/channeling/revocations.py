"""Revocations, for endpoints that hold nothing: read from the budget item, remembered ten seconds.

A request for a message needs none of this: its hold is conditioned on the revocation itself.
"""

from collections import OrderedDict

from channeling.budgets.item import BudgetKey
from channeling.budgets.store import BudgetStore
from channeling.clock import Clock

_FRESH_MS = 10_000
_MAX_USERS = 10_000


class Revocations:
    """The last revocation of users seen lately, bounded in number."""

    def __init__(self, budgets: BudgetStore, clock: Clock) -> None:
        self._budgets = budgets
        self._clock = clock
        self._seen: OrderedDict[str, tuple[int, int | None]] = OrderedDict()

    async def is_revoked(self, key: BudgetKey, issued_at_ms: int) -> bool:
        """Tell whether tokens of this user issued then are revoked; raise StoreUnavailable."""
        now_ms = self._clock.now_ms()
        until_ms, revoked_before_ms = self._seen.get(key.partition, (0, None))
        if now_ms >= until_ms:
            # A revocation is written to all four kinds of a user's budget, so that any one tells.
            revoked_before_ms = (await self._budgets.read(key)).revoked_before_ms
            self._seen[key.partition] = (now_ms + _FRESH_MS, revoked_before_ms)
            self._seen.move_to_end(key.partition)
            if len(self._seen) > _MAX_USERS:
                self._seen.popitem(last=False)
        return revoked_before_ms is not None and issued_at_ms <= revoked_before_ms
