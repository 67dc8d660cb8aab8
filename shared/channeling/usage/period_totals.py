"""The use of a whole hour, or of a whole day, of a project in a few items: what an overview of a month reads.

pk "<project>#totals#hour" | "<project>#totals#day"     sk "<hour or day since 1970, 8 digits>#<part, 4 digits>"

Made from rollups that are final, once these are, and again where a late record has changed them. `rows` is
compressed JSON, [[user, provider, model, [numbers]], …]; a period of many users and models has several parts. A
period without use has no item: how far they are made is kept apart (`rollup_progress`, partition "totals").
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import Literal, cast

import orjson
from msgspec import Struct

from channeling.dynamodb import ConditionFailed, DynamoDB, Item, Update
from channeling.usage.record import RETENTION_S
from channeling.usage.totals import Numbers, Rows, UseOf

Level = Literal["hour", "day"]

HOURS_OF: dict[Level, int] = {"hour": 1, "day": 24}
PROGRESS_PARTITION = "totals"
# Rows are cut where their JSON is this long: compressed it is shorter, and an item has 400 KB.
_PART_BYTES = 300_000


class PeriodTotals(Struct, frozen=True):
    """The rows of the hour, or day, of this number since the epoch; `records` is how many records they are of."""

    period: int
    rows: Rows
    records: int


class PeriodTotalsStore:
    """The totals in the usage table. Raises StoreUnavailable."""

    def __init__(self, dynamodb: DynamoDB, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    async def read(
        self, project_id: str, level: Level, first: int, end: int, *, consistent: bool = False
    ) -> dict[int, list[PeriodTotals]]:
        """Return the totals of the periods from `first` to before `end`, part by part, by period.

        What was made long ago needs no consistent read, which costs twice as much.
        """
        if first >= end:
            return {}
        items = await self._dynamodb.query(
            self._table,
            ("pk", _pk(project_id, level)),
            sort_between=("sk", f"{first:08d}#", f"{end - 1:08d}#~"),
            consistent=consistent,
        )
        found: dict[int, list[PeriodTotals]] = {}
        for item in items:
            part = _totals(item)
            found.setdefault(part.period, []).append(part)
        return found

    async def write(self, project_id: str, level: Level, totals: PeriodTotals) -> None:
        """Write the totals of a period, but over those of more records: these are a later state."""
        for number, rows in enumerate(packed(totals.rows)):
            attributes: Item = {
                "rows": rows,
                "records": totals.records,
                "expires_at": (totals.period + 1) * HOURS_OF[level] * 3_600 + RETENTION_S,
            }
            update = Update(
                self._table,
                {"pk": _pk(project_id, level), "sk": f"{totals.period:08d}#{number:04d}"},
                "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
                "attribute_not_exists(#records) OR #records <= :records",
                {f"#{name}": name for name in attributes},
                {f":{name}": value for name, value in attributes.items()},
            )
            try:
                await self._dynamodb.update(update)
            except ConditionFailed:
                return


def _pk(project_id: str, level: Level) -> str:
    return f"{project_id}#totals#{level}"


def packed(rows: Rows) -> Iterator[bytes]:
    """Yield rows as compressed JSON, in as many parts as fit items."""
    part: list[bytes] = []
    length = 0
    for key, numbers in rows.items():
        row = orjson.dumps([key.user_id, key.provider, key.model, list(numbers)])
        if part and length + len(row) > _PART_BYTES:
            yield zlib.compress(b"[" + b",".join(part) + b"]")
            part, length = [], 0
        part.append(row)
        length += len(row) + 1
    if part:
        yield zlib.compress(b"[" + b",".join(part) + b"]")


def unpacked(part: bytes) -> Rows:
    """Return the rows of a part."""
    rows: list[tuple[str, str, str, Numbers]] = orjson.loads(zlib.decompress(part))
    return {UseOf._make(row[:3]): row[3] for row in rows}


def _totals(item: Item) -> PeriodTotals:
    period = int(str(item["sk"]).partition("#")[0])
    return PeriodTotals(period, unpacked(cast(bytes, item["rows"])), cast(int, item["records"]))


def joined(parts: Iterable[PeriodTotals]) -> tuple[Rows, int]:
    """Return the rows of the parts of one period, and how many records they are of."""
    rows: Rows = {}
    records = 0
    for part in parts:
        rows |= part.rows
        records = part.records
    return rows, records
