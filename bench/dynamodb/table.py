"""A table of items under a partition key and a sort key, with what indexes it was made with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from bench.dynamodb.attributes import Item
from bench.dynamodb.rejection import invalid

# What was put and not yet read stays as it came: a million items then cost half a gigabyte, and no time.
Stored = bytes | Item


@dataclass(slots=True)
class Partition:
    """The items of one partition key. `number` is its place in the order of a scan."""

    number: int
    items: dict[str, Stored]


@dataclass(frozen=True, slots=True)
class KeyNames:
    """The attributes that are the key of a table or of an index; both are text."""

    partition: str
    sort: str


class Table:
    """One table. Items that are given out are not to be changed."""

    def __init__(self, name: str, keys: KeyNames, indexes: Mapping[str, KeyNames]) -> None:
        self.name = name
        self.keys = keys
        self.key_names = (keys.partition, keys.sort)
        self.indexes = dict(indexes)
        self._partitions: dict[str, Partition] = {}
        self._order: list[str] = []

    def key_of(self, item: Mapping[str, Any]) -> tuple[str, str]:
        """Return the key in an item, or of one; raise Rejected where it is none."""
        try:
            partition, sort = item[self.keys.partition]["S"], item[self.keys.sort]["S"]
        except (KeyError, TypeError):
            raise invalid("One of the required keys was not given a value, or is no text") from None
        if not partition or not sort:
            raise invalid("The AttributeValue for a key attribute cannot contain an empty string value")
        return partition, sort

    def get(self, key: tuple[str, str]) -> Item | None:
        """Return an item, or None."""
        partition = self._partitions.get(key[0])
        if partition is None:
            return None
        stored = partition.items.get(key[1])
        if type(stored) is bytes:
            item: Item = orjson.loads(stored)
            partition.items[key[1]] = item
            return item
        return stored  # type: ignore[return-value]  # bytes were dealt with

    def put(self, key: tuple[str, str], stored: Stored) -> None:
        """Write an item in the place of what stands there."""
        partition = self._partitions.get(key[0])
        if partition is None:
            partition = self._partitions[key[0]] = Partition(len(self._order), {})
            self._order.append(key[0])
        partition.items[key[1]] = stored

    def pop(self, key: tuple[str, str]) -> Item | None:
        """Remove an item and return it, or None."""
        item = self.get(key)
        if item is not None:
            del self._partitions[key[0]].items[key[1]]
        return item

    def of_partition(self, partition_key: str) -> list[tuple[tuple[str, str], Item]]:
        """Return a partition's items by sort key."""
        partition = self._partitions.get(partition_key)
        if partition is None:
            return []
        return [((partition_key, sort), _read(partition.items[sort])) for sort in sorted(partition.items)]

    def of_index(self, keys: KeyNames, partition_key: str) -> list[tuple[tuple[str, str], Item]]:
        """Return an index partition's items by its sort key: by looking at them all, since no request does this."""
        wanted = {"S": partition_key}
        listed = [
            (key, item)
            for key, item in self.after(None)
            if item.get(keys.partition) == wanted and "S" in item.get(keys.sort, {})
        ]
        return sorted(listed, key=lambda entry: (entry[1][keys.sort]["S"], entry[0]))

    def after(self, key: tuple[str, str] | None) -> Iterator[tuple[tuple[str, str], Item]]:
        """Yield the items that a scan comes to after a key, in its order: that of the partitions' first writing."""
        begin = 0
        if key is not None:
            partition = self._partitions.get(key[0])
            if partition is None:
                raise invalid("The provided starting key is invalid")
            begin = partition.number
        for partition_key in self._order[begin:]:
            items = self._partitions[partition_key].items
            for sort in sorted(items):
                if key is None or partition_key != key[0] or sort > key[1]:
                    yield (partition_key, sort), _read(items[sort])

    def __len__(self) -> int:
        return sum(len(partition.items) for partition in self._partitions.values())


def _read(stored: Stored) -> Item:
    if isinstance(stored, bytes):
        item: Item = orjson.loads(stored)
        return item
    return stored
