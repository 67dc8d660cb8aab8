"""What a project has spent in a calendar month, as the reconciler last added it up; read with the project."""

from typing import cast

from msgspec import Struct

from channeling.dynamodb import Item

SPEND_SORT_KEY = "spend"


class MonthSpend(Struct, frozen=True):
    """A calendar month in UTC, from `start_s` to before `end_s`, and the nanodollars spent in it by `as_of_ms`.

    `counted_nanousd` is the part of the hours before `counted_until_hour` (since the epoch), which are final.
    """

    start_s: int
    end_s: int
    total_nanousd: int
    as_of_ms: int
    counted_until_hour: int
    counted_nanousd: int

    def reaches(self, cap_microusd: int | None, now_s: float) -> bool:
        """Tell whether a cap on this month is reached; what was spent in a month before counts for nothing."""
        if cap_microusd is None or not self.start_s <= now_s < self.end_s:
            return False
        return self.total_nanousd >= cap_microusd * 1_000


def month_spend_attributes(spend: MonthSpend) -> Item:
    """Return the attributes that DynamoDB keeps."""
    return {
        "month_start": spend.start_s,
        "month_end": spend.end_s,
        "total": spend.total_nanousd,
        "as_of_ms": spend.as_of_ms,
        "counted_until_hour": spend.counted_until_hour,
        "counted": spend.counted_nanousd,
    }


def month_spend_from_item(item: Item | None) -> MonthSpend | None:
    """Return the value of a stored item, or None."""
    if item is None:
        return None
    return MonthSpend(
        start_s=cast(int, item["month_start"]),
        end_s=cast(int, item["month_end"]),
        total_nanousd=cast(int, item["total"]),
        as_of_ms=cast(int, item["as_of_ms"]),
        counted_until_hour=cast(int, item["counted_until_hour"]),
        counted_nanousd=cast(int, item["counted"]),
    )
