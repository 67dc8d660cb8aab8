"""The operations of DynamoDB that the product's stores call, each applied whole in one step of the event loop.

Parameters and values that are not known here are refused by name, so that no answer is wrong in silence.
Source: Amazon DynamoDB API Reference, by the operations' names.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from bench.dynamodb.attributes import Attribute, Item
from bench.dynamodb.expressions import parse_condition, parse_key_condition, parse_update
from bench.dynamodb.rejection import Rejected, invalid
from bench.dynamodb.table import KeyNames, Table

Asked = Mapping[str, Any]
Answered = dict[str, Any]
_PAGE_BYTES = 1_000_000
_NONE: Mapping[str, Any] = {}
_ITEM = frozenset({"TableName", "Key", "Item", "ConsistentRead", "ReturnValues"})
_CONDITION = frozenset(
    {
        "ConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ReturnValuesOnConditionCheckFailure",
    }
)
_PAGES = frozenset({"TableName", "Limit", "ExclusiveStartKey", "ConsistentRead"})
_KNOWN: Mapping[str, frozenset[str]] = {
    "GetItem": frozenset({"TableName", "Key", "ConsistentRead"}),
    "PutItem": _ITEM - {"Key", "ConsistentRead"} | _CONDITION,
    "UpdateItem": _ITEM - {"Item", "ConsistentRead"} | _CONDITION | {"UpdateExpression"},
    "DeleteItem": _ITEM - {"Item", "ConsistentRead"} | _CONDITION,
    "Query": _PAGES
    | {
        "IndexName",
        "KeyConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ScanIndexForward",
    },
    "Scan": _PAGES,
    "TransactWriteItems": frozenset({"TransactItems", "ClientRequestToken"}),
}
_KNOWN_WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}


class Store:
    """Tables in memory, and the operations on them by their names on the wire."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self._operations: Mapping[str, Callable[[Asked], Answered]] = {
            "GetItem": self._get_item,
            "PutItem": self._put_item,
            "UpdateItem": self._update_item,
            "DeleteItem": self._delete_item,
            "Query": self._query,
            "Scan": self._scan,
            "TransactWriteItems": self._transact_write_items,
            "CreateTable": self._create_table,
            "DescribeTable": self._describe_table,
        }

    def answer(self, operation: str, asked: Asked) -> Answered:
        """Carry out one operation; raise Rejected."""
        carry_out = self._operations.get(operation)
        if carry_out is None:
            raise Rejected("UnknownOperationException", f"this stand-in has no operation {operation!r}")
        known = _KNOWN.get(operation)
        if known is not None and not known.issuperset(asked):
            raise invalid(f"this stand-in knows no {', '.join(sorted(asked.keys() - known))} of {operation}")
        return carry_out(asked)

    def clone(self, table_name: str, key: tuple[str, str], count: int) -> None:
        """Write an item again under `count` partitions, "<its own>-0" and on: many users, in no time."""
        table = self.tables[table_name]
        item = table.get(key)
        if item is None:
            raise invalid("there is no such item")
        mark = "\x00"
        template = orjson.dumps(item | {table.keys.partition: {"S": mark}})
        before, after = template.split(orjson.dumps(mark)[1:-1])
        for number in range(count):
            partition = f"{key[0]}-{number}"
            table.put((partition, key[1]), before + partition.encode() + after)

    def _get_item(self, asked: Asked) -> Answered:
        table = self._table(asked)
        item = table.get(table.key_of(asked["Key"]))
        return {} if item is None else {"Item": item}

    def _put_item(self, asked: Asked) -> Answered:
        table = self._table(asked)
        key, standing, _ = self._checked(asked, table, asked["Item"], frozenset())
        table.put(key, orjson.dumps(asked["Item"]))
        return _old(asked, standing)

    def _update_item(self, asked: Asked) -> Answered:
        table = self._table(asked)
        key, standing, after = self._updated(asked, table)
        table.put(key, after)
        return {"Attributes": after} if asked.get("ReturnValues") == "ALL_NEW" else _old(asked, standing)

    def _delete_item(self, asked: Asked) -> Answered:
        table = self._table(asked)
        key, standing, _ = self._checked(asked, table, asked["Key"], frozenset())
        table.pop(key)
        return _old(asked, standing)

    def _updated(self, asked: Asked, table: Table) -> tuple[tuple[str, str], Item | None, Item]:
        """Return a key, what stands under it and what an update makes of it; raise Rejected."""
        actions = parse_update(asked["UpdateExpression"])
        key, standing, before = self._checked(asked, table, asked["Key"], actions.placeholders)
        names = asked.get("ExpressionAttributeNames", _NONE)
        values = asked.get("ExpressionAttributeValues", _NONE)
        return key, standing, actions.apply(before, names, values, table.key_names)

    def _checked(
        self, asked: Asked, table: Table, keyed: Mapping[str, Any], used: frozenset[str]
    ) -> tuple[tuple[str, str], Item | None, Item]:
        """Hold a write against its condition; return its key, what stands there, and that or its bare key."""
        key = table.key_of(keyed)
        standing = table.get(key)
        names: Mapping[str, str] = asked.get("ExpressionAttributeNames", _NONE)
        values: Mapping[str, Attribute] = asked.get("ExpressionAttributeValues", _NONE)
        text = asked.get("ConditionExpression")
        condition = None if text is None else parse_condition(text)
        if condition is not None:
            used = used | condition.placeholders
        _check_placeholders(used, names, values)
        if condition is not None and not condition.test(standing or {}, names, values):
            wants_old = asked.get("ReturnValuesOnConditionCheckFailure", "NONE")
            if wants_old not in ("NONE", "ALL_OLD"):
                raise invalid(f"ReturnValuesOnConditionCheckFailure is no {wants_old!r}")
            fields = {"Item": standing} if wants_old == "ALL_OLD" and standing is not None else {}
            raise Rejected("ConditionalCheckFailedException", "The conditional request failed", fields)
        bare = {name: keyed[name] for name in table.key_names}
        return key, standing, bare if standing is None else standing

    def _query(self, asked: Asked) -> Answered:
        table = self._table(asked)
        index = asked.get("IndexName")
        if index is not None and index not in table.indexes:
            raise invalid(f"The table does not have the specified index: {index}")
        keys = table.keys if index is None else table.indexes[index]
        names = asked.get("ExpressionAttributeNames", _NONE)
        values = asked.get("ExpressionAttributeValues", _NONE)
        condition = parse_key_condition(asked["KeyConditionExpression"])
        _check_placeholders(condition.placeholders, names, values)
        if names.get(condition.partition_name, condition.partition_name) != keys.partition:
            raise invalid("Query condition missed key schema element")
        value = values[condition.partition_value].get("S")
        if value is None:
            raise invalid("Condition parameter type does not match schema type")
        listed = table.of_partition(value) if index is None else table.of_index(keys, value)
        if not asked.get("ScanIndexForward", True):
            listed.reverse()
        start = asked.get("ExclusiveStartKey")
        if start is not None:
            places = [key for key, _ in listed]
            try:
                listed = listed[places.index(table.key_of(start)) + 1 :]
            except ValueError:
                raise invalid("The provided starting key is invalid") from None
        if condition.rest is not None:
            test = condition.rest.test
            # Only the sort key may be named in it: what looks at anything else finds nothing there.
            listed = [entry for entry in listed if test({keys.sort: entry[1][keys.sort]}, names, values)]
        last_names = dict.fromkeys((*table.key_names, keys.partition, keys.sort))
        return _page(listed, asked.get("Limit"), tuple(last_names))

    def _scan(self, asked: Asked) -> Answered:
        table = self._table(asked)
        start = asked.get("ExclusiveStartKey")
        return _page(
            table.after(None if start is None else table.key_of(start)), asked.get("Limit"), table.key_names
        )

    def _transact_write_items(self, asked: Asked) -> Answered:
        codes: list[str] = []
        writes: list[tuple[Table, tuple[str, str], Item | None]] = []
        for write in asked["TransactItems"]:
            ((verb, arguments),) = write.items()
            if verb not in _KNOWN_WRITES or not _KNOWN[_KNOWN_WRITES[verb]].issuperset(arguments):
                raise invalid(f"this stand-in knows no {verb} like that in a transaction")
            table = self._table(arguments)
            try:
                if verb == "Update":
                    key, _, after = self._updated(arguments, table)
                    writes.append((table, key, after))
                else:
                    keyed = arguments["Item" if verb == "Put" else "Key"]
                    key, _, _ = self._checked(arguments, table, keyed, frozenset())
                    writes.append((table, key, keyed if verb == "Put" else None))
                codes.append("None")
            except Rejected as rejected:
                if rejected.kind != "ConditionalCheckFailedException":
                    raise
                codes.append("ConditionalCheckFailed")
        if len({(table.name, key) for table, key, _ in writes}) < len(writes):
            raise invalid("Transaction request cannot include multiple operations on one item")
        if any(code != "None" for code in codes):
            message = (
                "Transaction cancelled, please refer cancellation reasons for specific reasons"
                f" [{', '.join(codes)}]"
            )
            raise Rejected(
                "TransactionCanceledException",
                message,
                {"CancellationReasons": [{"Code": code} for code in codes]},
            )
        for table, key, written in writes:
            if written is None:
                table.pop(key)
            else:
                table.put(key, written)
        return {}

    def _create_table(self, asked: Asked) -> Answered:
        name = asked["TableName"]
        if name in self.tables:
            raise Rejected("ResourceInUseException", f"Table already exists: {name}")
        indexes = {
            index["IndexName"]: _key_names(index["KeySchema"])
            for index in asked.get("GlobalSecondaryIndexes", ())
        }
        self.tables[name] = Table(name, _key_names(asked["KeySchema"]), indexes)
        return {"TableDescription": {"TableName": name, "TableStatus": "ACTIVE"}}

    def _describe_table(self, asked: Asked) -> Answered:
        return {"Table": {"TableName": self._table(asked).name, "TableStatus": "ACTIVE"}}

    def _table(self, asked: Asked) -> Table:
        table = self.tables.get(asked.get("TableName", ""))
        if table is None:
            raise Rejected("ResourceNotFoundException", "Requested resource not found")
        return table


def _key_names(schema: Iterable[Mapping[str, str]]) -> KeyNames:
    by_type = {part["KeyType"]: part["AttributeName"] for part in schema}
    if by_type.keys() != {"HASH", "RANGE"}:
        raise invalid("this stand-in has tables with a partition key and a sort key")
    return KeyNames(by_type["HASH"], by_type["RANGE"])


def _check_placeholders(
    used: frozenset[str], names: Mapping[str, str], values: Mapping[str, Attribute]
) -> None:
    given = names.keys() | values.keys()
    if used != given:
        raise invalid(f"placeholders used are {sorted(used)}, given are {sorted(given)}")


def _old(asked: Asked, standing: Item | None) -> Answered:
    wanted = asked.get("ReturnValues", "NONE")
    if wanted not in ("NONE", "ALL_OLD"):
        raise invalid(f"this stand-in has no ReturnValues {wanted!r} here")
    return {"Attributes": standing} if wanted == "ALL_OLD" and standing is not None else {}


def _page(
    listed: Iterable[tuple[tuple[str, str], Item]], limit: int | None, key_names: tuple[str, ...]
) -> Answered:
    """Return items up to a limit and up to a megabyte, and where to go on if there may be more."""
    items: list[Item] = []
    length = 0
    for _, item in listed:
        items.append(item)
        length += len(orjson.dumps(item))
        if len(items) == limit or length > _PAGE_BYTES:
            last = {name: item[name] for name in key_names}
            return {"Items": items, "Count": len(items), "ScannedCount": len(items), "LastEvaluatedKey": last}
    return {"Items": items, "Count": len(items), "ScannedCount": len(items)}
