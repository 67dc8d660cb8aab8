"""Usage records one by one: the newest first, page by page, or all of a time in a stream."""

import asyncio
import base64
import binascii
import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec import Struct

from channeling.operations.projects import read_project
from channeling.operations.stores import Stores
from channeling.operations.usage import hours_between
from channeling.projects.errors import ProjectInvalid
from channeling.usage.record import SHARDS, RecordPartition, UsageRecord, shard_of

MAX_PAGE = 500
# What one page looks at, at most, where little of it is meant or there: the cursor goes on from there.
MAX_RECORDS_LOOKED_AT = 5_000
MAX_HOURS_LOOKED_AT = 72
_HOUR_S = 3_600
_SORT_KEY = re.compile(r"[0-9a-z]{14}#[0-9a-z#]{1,60}", re.ASCII)


class RecordSelection(Struct, frozen=True):
    """Which records are meant; None: any."""

    user_id: str | None = None
    model: str | None = None
    provider: str | None = None
    status: str | None = None
    kind: str | None = None

    def has(self, record: UsageRecord) -> bool:
        """Tell whether a record is meant; a model is meant by the name asked for and by the one used."""
        return (
            self.user_id in (None, record.user_id)
            and self.model in (None, record.model_used, record.model_asked)
            and self.provider in (None, record.provider)
            and self.status in (None, record.status)
            and self.kind in (None, record.kind)
        )


class RecordPage(Struct, frozen=True):
    """Some records, the newest first. `next_cursor` goes on after them, and may stand where none were found yet;
    None: there are no more."""

    records: tuple[UsageRecord, ...]
    next_cursor: str | None


class _Place(Struct, frozen=True):
    """Where a page stopped: in an hour, after a sort key (None: at its end)."""

    hour: int
    before: str | None = None


async def list_records(
    stores: Stores,
    project_id: str,
    from_s: int,
    until_s: int,
    *,
    selection: RecordSelection = RecordSelection(),
    cursor: str | None = None,
    limit: int = 50,
) -> RecordPage:
    """Return a page of the records of requests that began from `from_s` to before `until_s`.

    Raises ProjectMissing, ProjectInvalid (range, limit, a cursor that is none) and StoreUnavailable.
    """
    first_hour, end_hour = hours_between(from_s, until_s)
    if not 1 <= limit <= MAX_PAGE:
        raise ProjectInvalid(f"a page has 1 to {MAX_PAGE} records")
    place = _Place(end_hour - 1) if cursor is None else _place(cursor, first_hour, end_hour)
    stored = await read_project(stores, project_id)
    born_hour = None if stored.created_at_ms is None else stored.created_at_ms // 3_600_000
    found: list[UsageRecord] = []
    looked_at = hours = 0
    days: set[int] | None = None
    while place.hour >= first_hour and hours < MAX_HOURS_LOOKED_AT:
        if days is not None and place.hour // 24 not in days:
            place = _Place(place.hour // 24 * 24 - 1)
            continue
        hours += 1
        records = await _newest(stores, project_id, place, selection.user_id, limit)
        for record in records:
            place = _Place(place.hour, record.key.sk)
            looked_at += 1
            if from_s <= record.started_ms // 1_000 < until_s and selection.has(record):
                found.append(record)
                if len(found) == limit:
                    return RecordPage(tuple(found), _cursor(place))
        if len(records) < limit:
            if not records and days is None:
                days = await _days_in_use(stores, project_id, first_hour, place.hour + 1, born_hour)
            place = _Place(place.hour - 1)
        elif looked_at >= MAX_RECORDS_LOOKED_AT:
            return RecordPage(tuple(found), _cursor(place))
    return RecordPage(tuple(found), None if place.hour < first_hour else _cursor(place))


async def all_records(
    stores: Stores,
    project_id: str,
    from_s: int,
    until_s: int,
    *,
    selection: RecordSelection = RecordSelection(),
) -> AsyncGenerator[UsageRecord, None]:
    """Yield the records of requests that began in a time, hour by hour, in constant memory.

    Raises ProjectMissing, ProjectInvalid and StoreUnavailable; what cannot be read as a record raises TypeError.
    """
    first_hour, end_hour = hours_between(from_s, until_s)
    await read_project(stores, project_id)
    for hour in range(first_hour, end_hour):
        for shard in _shards(project_id, selection.user_id):
            async with aclosing(stores.usage.pages(RecordPartition(project_id, hour, shard))) as pages:
                async for items in pages:
                    for record in stores.usage.readable(items):
                        if from_s <= record.started_ms // 1_000 < until_s and selection.has(record):
                            yield record


async def _days_in_use(
    stores: Stores, project_id: str, first_hour: int, end_hour: int, born_hour: int | None
) -> set[int]:
    """Return the days, since the epoch, that have records: what lies between is not looked at hour by hour."""
    reading = stores.totals.read(project_id, first_hour, end_hour, by="day", born_hour=born_hour)
    async with aclosing(reading) as found:
        return {hour // 24 async for hour, rows in found if rows}


async def _newest(
    stores: Stores, project_id: str, place: _Place, user_id: str | None, limit: int
) -> list[UsageRecord]:
    """Return up to `limit` records of an hour before a place, newest first: sort keys begin with the second."""
    found = await asyncio.gather(
        *(
            stores.usage.newest(
                RecordPartition(project_id, place.hour, shard), before=place.before, limit=limit
            )
            for shard in _shards(project_id, user_id)
        )
    )
    merged = [record for records in found for record in records]
    merged.sort(key=lambda record: record.key.sk, reverse=True)
    return merged[:limit]


def _shards(project_id: str, user_id: str | None) -> list[int]:
    return list(range(SHARDS)) if user_id is None else [shard_of(project_id, user_id)]


def _cursor(place: _Place) -> str:
    return base64.urlsafe_b64encode(json.dumps([place.hour, place.before]).encode()).decode().rstrip("=")


def _place(cursor: str, first_hour: int, end_hour: int) -> _Place:
    invalid = ProjectInvalid("this cursor is none that was given out; begin without one")
    try:
        hour, before = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, TypeError, RecursionError):
        raise invalid from None
    if isinstance(hour, bool) or not isinstance(hour, int) or not first_hour <= hour < end_hour:
        raise invalid
    if before is not None and not (isinstance(before, str) and _SORT_KEY.fullmatch(before)):
        raise invalid
    return _Place(hour, before)
