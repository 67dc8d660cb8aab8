"""Usage records as they come: a request's record is put when it ends, under the second at which it began.

So what comes in now may have begun any time within the longest request. Most began a moment ago: those are looked
for at every turn, and all the others now and then.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from msgspec import Struct, field

from channeling.budgets.hold_id import new_hold_id
from channeling.operations.projects import read_project
from channeling.operations.stores import Stores
from channeling.usage.record import SHARDS, RecordKey, RecordPartition, UsageRecord, shard_of

# How far back a turn looks, and how often it looks back as far as a request can last (`MAX_REQUEST_S_LIMIT`).
RECENT_S = 60
LONGEST_S = 3_600
LONG_LOOK_EVERY_TURNS = 20
_AFTER_EVERY_KEY = "~"


class _Seen(Struct):
    """The keys of records that were shown, by the second they began; those that cannot come again are let go."""

    keys: dict[RecordKey, int] = field(default_factory=dict)

    def is_new(self, record: UsageRecord) -> bool:
        if record.key in self.keys:
            return False
        self.keys[record.key] = record.started_ms // 1_000
        return True

    def forget_before(self, second: int) -> None:
        self.keys = {key: started_s for key, started_s in self.keys.items() if started_s >= second}


async def follow_records(
    stores: Stores,
    project_id: str,
    *,
    user_id: str | None = None,
    since_s: int,
    wait: Callable[[], Awaitable[None]],
) -> AsyncGenerator[UsageRecord, None]:
    """Yield the records of requests that began from `since_s` on (at most an hour ago), and then each as it comes.

    `wait` is awaited between two looks; what it raises ends the following. Those that come in one look are in the
    order in which they began. Raises ProjectMissing and StoreUnavailable.
    """
    await read_project(stores, project_id)
    since_s = max(since_s, stores.now_s - LONGEST_S)
    seen = _Seen()
    turn = 0
    while True:
        now_s = stores.now_s
        looks_far = turn % LONG_LOOK_EVERY_TURNS == 0
        from_s = max(since_s, now_s - (LONGEST_S if looks_far else RECENT_S))
        for record in await _began_from(stores, project_id, user_id, from_s, now_s):
            if seen.is_new(record):
                yield record
        seen.forget_before(now_s - LONGEST_S - RECENT_S)
        turn += 1
        await wait()


async def _began_from(
    stores: Stores, project_id: str, user_id: str | None, from_s: int, now_s: int
) -> list[UsageRecord]:
    shards = range(SHARDS) if user_id is None else [shard_of(project_id, user_id)]
    # Clocks of other machines may be a little ahead, over the end of this hour.
    hours = range(from_s // 3_600, (now_s + RECENT_S) // 3_600 + 1)
    first_key = new_hold_id(from_s, bytes)
    found = await asyncio.gather(
        *(
            stores.dynamodb.query(
                stores.tables.usage,
                ("pk", RecordPartition(project_id, hour, shard).pk),
                sort_between=("sk", first_key, _AFTER_EVERY_KEY),
            )
            for hour in hours
            for shard in shards
        )
    )
    records = [record for items in found for record in stores.usage.readable(items)]
    chosen = (record for record in records if user_id in (None, record.user_id))
    return sorted(chosen, key=lambda record: (record.started_ms, record.key.sk))
