"""Hours that were written into after their rollups may have been made for the last time: these are made again.

pk "dirty#<shard>"  sk project  "<hour>": how often it was marked      one attribute an hour; removed when done

A record is put first and its hour marked after. Whoever makes the rollups reads the mark, then the records, and
takes away the mark that it has read: a record that came in between has marked again, so that its mark stays.
"""

import logging

from channeling.dynamodb import ConditionFailed, DynamoDB, Item, Update
from channeling.usage.record import SHARDS, RecordPartition

# A hold ends under an hour after its start (`settings.MAX_REQUEST_S_LIMIT`), so that what a request writes by
# itself is never late, and costs nothing more.
LATE_AFTER_S = 3_600

# Hours whose rollups were made anew after a late record, and whose totals (`period_totals`) were not yet.
REMADE = "remade"

_log = logging.getLogger(__name__)


def late_from_s(hour: int) -> int:
    """Return the second (since the epoch) from which a write into an hour is late."""
    return (hour + 1) * 3_600 + LATE_AFTER_S


class LateHours:
    """The marks, in the usage table, each with the number of times that it was set."""

    def __init__(self, dynamodb: DynamoDB, table: str, *, kind: str = "dirty") -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._kind = kind

    async def mark(self, partition: RecordPartition) -> None:
        """Say that a record of this partition may be missing in its rollups."""
        await self._dynamodb.update(
            Update(
                self._table,
                self._key(partition.project_id, partition.shard),
                "ADD #hour :one",
                names={"#hour": str(partition.hour)},
                values={":one": 1},
            )
        )

    async def clear(self, partition: RecordPartition, seen: int) -> bool:
        """Take away a mark that was read as `seen`; return False, and leave it, where it was set again since."""
        try:
            await self._dynamodb.update(
                Update(
                    self._table,
                    self._key(partition.project_id, partition.shard),
                    "REMOVE #hour",
                    "#hour = :seen",
                    {"#hour": str(partition.hour)},
                    {":seen": seen},
                )
            )
        except ConditionFailed:
            return False
        return True

    async def of_project(self, project_id: str, shard: int) -> dict[RecordPartition, int]:
        """Return the marks of a project's shard."""
        item = await self._dynamodb.get(self._table, self._key(project_id, shard))
        return {} if item is None else _marks(item, shard)

    async def of_all_projects(self) -> dict[RecordPartition, int]:
        """Return every mark that there is."""
        marks: dict[RecordPartition, int] = {}
        for shard in range(SHARDS):
            for item in await self._dynamodb.query(self._table, ("pk", self._pk(shard))):
                marks |= _marks(item, shard)
        return marks

    def _pk(self, shard: int) -> str:
        # No record's: those have two "#".
        return f"{self._kind}#{shard}"

    def _key(self, project_id: str, shard: int) -> Item:
        return {"pk": self._pk(shard), "sk": project_id}


def _marks(item: Item, shard: int) -> dict[RecordPartition, int]:
    marks: dict[RecordPartition, int] = {}
    for name, count in item.items():
        if name in ("pk", "sk"):
            continue
        if name.isascii() and name.isdigit() and isinstance(count, int):
            marks[RecordPartition(str(item["sk"]), int(name), shard)] = count
        else:
            _log.error("a mark of a late hour is none", extra={"fields": {"pk": item["pk"], "mark": name}})
    return marks
