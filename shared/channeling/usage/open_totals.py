"""The use of an hour that is still open, shard by shard, as it stood when the reconciler last looked.

pk "<project>#totals#open"   sk "<hour since 1970, 8 digits>#<shard>"   before, records, rows (`period_totals`)

`rows` are of the `records` items whose sort keys come before `before`, which is a while before the reconciler
looked: few requests last longer. Records are only ever added, so where as many stand there now, the rows are of
them. Whoever reads them counts: that makes them exact, whichever of two runs wrote last.
"""

from collections.abc import Mapping
from typing import cast

from msgspec import Struct

from channeling.dynamodb import DynamoDB, Item, Update
from channeling.usage.period_totals import packed, unpacked
from channeling.usage.record import RecordPartition
from channeling.usage.totals import Rows

# The hours that this is done for: the one that runs, and those before it that are not final (`hourly_rollups`).
OPEN_HOURS = 3
AFTER_EVERY_KEY = "~"
_BEFORE_EVERY_KEY = "0"
_KEPT_S = 2 * 86_400


class OpenTotals(Struct, frozen=True):
    """The use of a partition's records before a sort key, and how many items these are."""

    partition: RecordPartition
    before: str
    records: int
    rows: Rows

    @property
    def is_of_all(self) -> bool:
        """Return whether no record of the partition can come after them."""
        return self.before == AFTER_EVERY_KEY


class OpenTotalsStore:
    """The totals in the usage table. Raises StoreUnavailable."""

    def __init__(self, dynamodb: DynamoDB, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    async def read(
        self, project_id: str, first_hour: int, end_hour: int
    ) -> Mapping[RecordPartition, OpenTotals]:
        """Return what was last written of the hours from the first to before the end."""
        items = await self._dynamodb.query(
            self._table,
            ("pk", _pk(project_id)),
            sort_between=("sk", f"{first_hour:08d}#", f"{end_hour - 1:08d}#~"),
        )
        found = (_totals(project_id, item) for item in items)
        return {totals.partition: totals for totals in found}

    async def write(self, totals: OpenTotals) -> None:
        """Write the totals of a partition; more rows than one item holds are left to be read from the records."""
        parts = list(packed(totals.rows))
        if len(parts) != 1:
            return
        attributes: Item = {
            "before": totals.before,
            "records": totals.records,
            "rows": parts[0],
            "expires_at": totals.partition.hour * 3_600 + _KEPT_S,
        }
        await self._dynamodb.update(
            Update(
                self._table,
                {
                    "pk": _pk(totals.partition.project_id),
                    "sk": f"{totals.partition.hour:08d}#{totals.partition.shard}",
                },
                "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
                names={f"#{name}": name for name in attributes},
                values={f":{name}": value for name, value in attributes.items()},
            )
        )

    async def are_complete(self, totals: OpenTotals) -> bool:
        """Return whether no record has come since that belongs to them."""
        keys = await self._dynamodb.query(
            self._table,
            ("pk", totals.partition.pk),
            sort_between=("sk", _BEFORE_EVERY_KEY, totals.before),
            attributes=("sk",),
        )
        return len(keys) == totals.records


def _pk(project_id: str) -> str:
    return f"{project_id}#totals#open"


def _totals(project_id: str, item: Item) -> OpenTotals:
    hour, _, shard = str(item["sk"]).partition("#")
    return OpenTotals(
        RecordPartition(project_id, int(hour), int(shard)),
        str(item["before"]),
        cast(int, item["records"]),
        unpacked(cast(bytes, item["rows"])),
    )
