"""The time that a call asks about, in its query: `from`, `until` and `bucket`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query

from channeling.operations.usage import Bucket
from channeling_admin.access import TheAdmin
from channeling_admin.amounts import seconds_of

_DEFAULT_RANGE_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `from_s` to before `until_s`, seconds since the epoch."""

    from_s: int
    until_s: int
    bucket: Bucket


def time_range(
    admin: TheAdmin,
    start: Annotated[datetime | None, Query(alias="from", description="ISO 8601; 30 days back.")] = None,
    until: Annotated[datetime | None, Query(description="ISO 8601; now.")] = None,
    bucket: Annotated[Bucket, Query(description="What a series goes by, in UTC.")] = "day",
) -> TimeRange:
    """Return the time that is asked about."""
    until_s = admin.stores.now_s + 1 if until is None else seconds_of(until)
    from_s = until_s - _DEFAULT_RANGE_S if start is None else seconds_of(start)
    return TimeRange(from_s, until_s, bucket)


TheRange = Annotated[TimeRange, Depends(time_range)]
