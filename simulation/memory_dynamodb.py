"""`channeling.dynamodb.DynamoDB` in memory, with its semantics; each operation is one step of the event loop."""

from collections.abc import Sequence

from channeling.dynamodb import ConditionFailed, Item, Page, TransactionRefused, Update
from channeling.errors import StoreUnavailable
from channeling.tables import USAGE_BY_USER
from simulation.expressions import ExpressionInvalid, copied, parse_condition, parse_update

_Table = dict[str, dict[str, Item]]  # partition key, sort key


class MemoryDynamoDB:
    """Tables of items under `pk` and `sk`, with the usage table's index by user; a table is there once used."""

    def __init__(self) -> None:
        self._tables: dict[str, _Table] = {}

    async def get(self, table: str, key: Item) -> Item | None:
        """Return a copy of an item, or None."""
        item = self._standing(table, key)
        return None if item is None else copied(item)

    async def put(self, table: str, item: Item, *, unless_exists: str | None = None) -> None:
        """Write an item whole; with `unless_exists` raise ConditionFailed where one stands that has it."""
        standing = self._standing(table, item)
        if unless_exists is not None and standing is not None and unless_exists in standing:
            raise ConditionFailed(copied(standing))
        self._store(table, copied(item))

    async def update(self, update: Update) -> Item:
        """Apply an update and return the item after it; raise ConditionFailed with the item before it.

        What DynamoDB would call invalid is StoreUnavailable, as it is over botocore.
        """
        standing = self._standing(update.table, update.key)
        if not self._holds(update, standing):
            raise ConditionFailed(None if standing is None else copied(standing))
        after = self._applied(update, standing)
        self._store(update.table, after)
        return copied(after)

    async def query(
        self,
        table: str,
        partition: tuple[str, str],
        *,
        index: str | None = None,
        sort_between: tuple[str, str, str] | None = None,
        limit: int | None = None,
        consistent: bool = True,
        descending: bool = False,
        attributes: Sequence[str] | None = None,
    ) -> list[Item]:
        """Return copies of a partition's items, by sort key. The index is never behind here."""
        name, value = partition
        if index not in (None, USAGE_BY_USER) or name != ("pk" if index is None else "user_key"):
            raise StoreUnavailable(f"no index {index!r} by {name!r}")
        if index is None:
            found = list(self._tables.get(table, {}).get(value, {}).values())
        else:
            found = [item for item in self.items(table) if item.get(name) == value]
        if sort_between is not None:
            sort_name, low, high = sort_between
            found = [item for item in found if low <= str(item[sort_name]) <= high]
        found.sort(key=lambda item: (str(item["sk"]).encode(), str(item["pk"])), reverse=descending)
        chosen = found[:limit]
        if attributes is not None:
            chosen = [{name: item[name] for name in attributes if name in item} for item in chosen]
        return [copied(item) for item in chosen]

    async def delete(self, table: str, key: Item) -> Item | None:
        """Remove an item and return it, or None."""
        return self._tables.get(table, {}).get(str(key["pk"]), {}).pop(str(key["sk"]), None)

    async def transact(self, updates: Sequence[Update]) -> None:
        """Apply all updates or none; raise TransactionRefused with a reason for each."""
        standing = [self._standing(update.table, update.key) for update in updates]
        holds = [self._holds(update, item) for update, item in zip(updates, standing, strict=True)]
        if not all(holds):
            raise TransactionRefused(["None" if held else "ConditionalCheckFailed" for held in holds])
        after = [self._applied(update, item) for update, item in zip(updates, standing, strict=True)]
        for update, item in zip(updates, after, strict=True):
            self._store(update.table, item)

    async def scan_page(self, table: str, *, after: Item | None, limit: int) -> Page:
        """Return up to `limit` items in the order of their keys, after a key."""
        keyed = sorted(((str(item["pk"]), str(item["sk"])), item) for item in self.items(table))
        if after is not None:
            keyed = [entry for entry in keyed if entry[0] > (str(after["pk"]), str(after["sk"]))]
        page = keyed[:limit]
        last_key: Item | None = {"pk": page[-1][0][0], "sk": page[-1][0][1]} if len(keyed) > limit else None
        return Page(tuple(copied(item) for _, item in page), last_key)

    def items(self, table: str) -> list[Item]:
        """Return all items of a table as they stand, not copied: for looking at, in the order of their writing."""
        return [item for partition in self._tables.get(table, {}).values() for item in partition.values()]

    def _standing(self, table: str, key: Item) -> Item | None:
        return self._tables.get(table, {}).get(str(key["pk"]), {}).get(str(key["sk"]))

    def _store(self, table: str, item: Item) -> None:
        self._tables.setdefault(table, {}).setdefault(str(item["pk"]), {})[str(item["sk"])] = item

    def _holds(self, update: Update, standing: Item | None) -> bool:
        try:
            used = parse_update(update.expression).placeholders
            condition = None if update.condition is None else parse_condition(update.condition)
            if condition is not None:
                used |= condition.placeholders
            if used != update.names.keys() | update.values.keys():
                given = sorted(update.names.keys() | update.values.keys())
                raise ExpressionInvalid(f"placeholders used are {sorted(used)}, given are {given}")
            return condition is None or condition.test(standing or {}, update.names, update.values)
        except ExpressionInvalid as error:
            raise StoreUnavailable(f"ValidationException: {error}") from error

    def _applied(self, update: Update, standing: Item | None) -> Item:
        before = standing if standing is not None else update.key
        try:
            return parse_update(update.expression).apply(before, update.names, update.values)
        except ExpressionInvalid as error:
            raise StoreUnavailable(f"ValidationException: {error}") from error
