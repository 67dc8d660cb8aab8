"""How far a walk over a table has come, kept in the usage table, so that the next run goes on from there.

pk "reconcile"  sk the walk's name  last_key {pk, sk}?      no usage record's: those have a "#" in their pk
"""

from channeling.dynamodb import DynamoDB, Item

PARTITION = "reconcile"


class Checkpoint:
    """One walk's place."""

    def __init__(self, dynamodb: DynamoDB, table: str, walk: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._key: Item = {"pk": PARTITION, "sk": walk}
        self._last_key: Item | None = None

    async def read(self) -> Item | None:
        """Return the key to go on after; None is the table's beginning."""
        item = await self._dynamodb.get(self._table, self._key)
        last_key = item.get("last_key") if item is not None else None
        self._last_key = last_key if isinstance(last_key, dict) else None
        return self._last_key

    async def write(self, last_key: Item | None) -> None:
        """Keep the key to go on after; None begins anew. A walk that fits one run writes nothing."""
        if last_key == self._last_key:
            return
        await self._dynamodb.put(self._table, self._key | {"last_key": last_key})
        self._last_key = last_key
