"""The door to DynamoDB: seven operations on items of plain Python values.

`DynamoDB` is the protocol that stores are written against. `DynamoDBOperations` makes it out of calls of AWS's API,
which `LeanDynamoDB` sends by itself and `BotocoreDynamoDB` through botocore. Conditional refusals are
`ConditionFailed`, with the item as it stood; anything else that goes wrong is `StoreUnavailable`.
"""

from abc import ABC, abstractmethod
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct, field

from channeling.errors import StoreUnavailable

# A write that meets a transaction on its item is refused and has not been applied (Amazon DynamoDB API Reference,
# UpdateItem: TransactionConflictException, ReplicatedWriteConflictException); botocore's standard mode does not try
# again. A transaction takes tens of milliseconds, so that a few waits outlive it.
_CONFLICTS = {"TransactionConflictException", "ReplicatedWriteConflictException"}
_CONFLICT_PAUSES_S = (0.02, 0.05, 0.1, 0.2, 0.4)


class ForeignValue(Struct, frozen=True):
    """An attribute of a form that this product never writes: a set, or a number that is not whole.

    Somebody else wrote it. It is no error to meet it in an item; whoever needs the attribute refuses its type.
    """

    kind: str
    text: str


Value = None | bool | int | str | bytes | list["Value"] | dict[str, "Value"] | ForeignValue
Item = dict[str, Value]


class ConditionFailed(Exception):
    """A conditional write was refused; `item` is what stood there (None: nothing did)."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition of a write did not hold")
        self.item = item


class WriteConflict(StoreUnavailable):
    """A write met a transaction on its item and was not applied; the door itself tries again before it says so."""


class TransactionRefused(Exception):
    """A transaction was cancelled; `reasons` has one DynamoDB reason code per write ('None' where it was fine)."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(f"a transaction was refused: {', '.join(reasons)}")
        self.reasons = tuple(reasons)


class Update(Struct, frozen=True):
    """One UpdateItem: an expression, its condition, and the names and values they use."""

    table: str
    key: Item
    expression: str
    condition: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)


class Page(Struct, frozen=True):
    """Some items of a table, and the key to go on after (None: that was the table's end)."""

    items: tuple[Item, ...]
    last_key: Item | None


class DynamoDB(Protocol):
    """The operations that stores need. All raise StoreUnavailable when DynamoDB does not answer."""

    async def get(self, table: str, key: Item) -> Item | None:
        """Return the item, read consistently, or None."""

    async def put(self, table: str, item: Item, *, unless_exists: str | None = None) -> None:
        """Write an item. With `unless_exists` (the name of the key attribute) raise ConditionFailed,
        holding the item that stands there, when there is one."""

    async def update(self, update: Update) -> Item:
        """Apply one UpdateItem and return the whole item after it (ALL_NEW); raise ConditionFailed with the
        item before it (ALL_OLD) when its condition does not hold."""

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
        """Return the items of a partition (attribute name, value), in sort-key order, all pages; with
        `sort_between` (attribute name, low, high) those whose sort key lies in that closed range; with
        `attributes` only these of each item, as far as it has them."""

    async def delete(self, table: str, key: Item) -> Item | None:
        """Remove an item; return it as it stood, or None where there was none."""

    async def transact(self, updates: Sequence[Update]) -> None:
        """Apply all updates or none; raise TransactionRefused."""

    async def scan_page(self, table: str, *, after: Item | None, limit: int) -> Page:
        """Return up to `limit` items of a table, a moment behind, in the table's own order after a key.

        Never for a request: what it costs grows with the table.
        """


def to_attribute(value: Value) -> dict[str, Any]:
    """Return a value in DynamoDB's typed form (`{"N": "1"}`), bytes as they are.

    Source: Amazon DynamoDB API Reference, AttributeValue.
    """
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, dict):
        return {"M": to_attributes(value)}
    if value is None:
        return {"NULL": True}
    if isinstance(value, list):
        return {"L": [to_attribute(element) for element in value]}
    if isinstance(value, bytes):
        return {"B": value}
    raise TypeError(f"DynamoDB items here hold no {type(value).__name__}")


def from_attribute(attribute: Mapping[str, Any]) -> Value:
    """Return the plain value of DynamoDB's typed form, or a ForeignValue; bytes may be base64 text, as in JSON."""
    ((kind, value),) = attribute.items()
    if kind == "N":
        try:
            return int(value)
        except ValueError:
            return ForeignValue(kind, value)
    if kind == "S":
        return str(value)
    if kind == "M":
        return to_item(value)
    if kind == "BOOL":
        return bool(value)
    if kind == "NULL":
        return None
    if kind == "L":
        return [from_attribute(element) for element in value]
    if kind == "B":
        return b64decode(value) if isinstance(value, str) else bytes(value)
    return ForeignValue(kind, str(value))


# The two that follow are part of every request, over some hundred attributes. They do what is most of these
# themselves, the commonest kind first: a call for each takes twice as long.


def to_item(attributes: Mapping[str, Any]) -> Item:
    """Return an item of DynamoDB's typed attributes as plain values."""
    item: Item = {}
    for name, attribute in attributes.items():
        if "N" in attribute:
            try:
                item[name] = int(attribute["N"])
            except ValueError:
                item[name] = ForeignValue("N", attribute["N"])
        elif "S" in attribute:
            item[name] = attribute["S"]
        elif "M" in attribute:
            item[name] = to_item(attribute["M"])
        else:
            item[name] = from_attribute(attribute)
    return item


def to_attributes(item: Mapping[str, Value]) -> dict[str, Any]:
    """Return an item of plain values in DynamoDB's typed form."""
    attributes: dict[str, Any] = {}
    for name, value in item.items():
        kind = type(value)
        if kind is int:
            attributes[name] = {"N": str(value)}
        elif kind is str:
            attributes[name] = {"S": value}
        elif kind is bool:
            attributes[name] = {"BOOL": value}
        else:
            attributes[name] = to_attribute(value)
    return attributes


class DynamoDBOperations(ABC):
    """`DynamoDB` out of calls of AWS's API, however they are made.

    A write that meets a transaction is made again after a pause, a bounded number of times.
    Source of operations and members: Amazon DynamoDB API Reference.
    """

    def __init__(self, pause: Callable[[float], Awaitable[None]]) -> None:
        self._pause = pause

    @abstractmethod
    async def _answer(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Make one call and return its answer; raise what `refusal_of` returns, or StoreUnavailable."""

    async def get(self, table: str, key: Item) -> Item | None:
        answer = await self._call(
            "GetItem", {"TableName": table, "Key": to_attributes(key), "ConsistentRead": True}
        )
        return to_item(answer["Item"]) if "Item" in answer else None

    async def put(self, table: str, item: Item, *, unless_exists: str | None = None) -> None:
        arguments: dict[str, Any] = {"TableName": table, "Item": to_attributes(item)}
        if unless_exists is not None:
            arguments |= {
                "ConditionExpression": "attribute_not_exists(#key)",
                "ExpressionAttributeNames": {"#key": unless_exists},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        await self._call("PutItem", arguments)

    async def update(self, update: Update) -> Item:
        arguments = _update_arguments(update)
        arguments["ReturnValues"] = "ALL_NEW"
        if update.condition is not None:
            arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        answer = await self._call("UpdateItem", arguments)
        return to_item(answer["Attributes"])

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
        condition, names = "#partition = :partition", {"#partition": partition[0]}
        values: dict[str, Value] = {":partition": partition[1]}
        if sort_between is not None:
            condition += " AND #sort BETWEEN :low AND :high"
            names["#sort"], values[":low"], values[":high"] = sort_between
        arguments: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": to_attributes(values),
            "ConsistentRead": consistent and index is None,
        }
        if index is not None:
            arguments["IndexName"] = index
        if descending:
            arguments["ScanIndexForward"] = False
        if attributes is not None:
            placeholders = {f"#a{place}": name for place, name in enumerate(attributes)}
            arguments["ProjectionExpression"] = ", ".join(placeholders)
            names |= placeholders
        items: list[Item] = []
        while True:
            if limit is not None:
                arguments["Limit"] = limit - len(items)
            answer = await self._call("Query", arguments)
            items += [to_item(attributes) for attributes in answer.get("Items", ())]
            if "LastEvaluatedKey" not in answer or (limit is not None and len(items) >= limit):
                return items
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def delete(self, table: str, key: Item) -> Item | None:
        answer = await self._call(
            "DeleteItem", {"TableName": table, "Key": to_attributes(key), "ReturnValues": "ALL_OLD"}
        )
        return to_item(answer["Attributes"]) if answer.get("Attributes") else None

    async def transact(self, updates: Sequence[Update]) -> None:
        writes = [{"Update": _update_arguments(update)} for update in updates]
        await self._call("TransactWriteItems", {"TransactItems": writes})

    async def scan_page(self, table: str, *, after: Item | None, limit: int) -> Page:
        arguments: dict[str, Any] = {"TableName": table, "Limit": limit}
        if after is not None:
            arguments["ExclusiveStartKey"] = to_attributes(after)
        answer = await self._call("Scan", arguments)
        last_key = answer.get("LastEvaluatedKey")
        items = tuple(to_item(attributes) for attributes in answer.get("Items", ()))
        return Page(items, to_item(last_key) if last_key else None)

    async def _call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        for pause_s in _CONFLICT_PAUSES_S:
            try:
                return await self._answer(operation, arguments)
            except WriteConflict:
                await self._pause(pause_s)
        return await self._answer(operation, arguments)


def refusal_of(code: str, members: Mapping[str, Any]) -> Exception:
    """Return what an error of DynamoDB means: its code, and the members of its answer."""
    if code == "ConditionalCheckFailedException":
        item = members.get("Item")
        return ConditionFailed(to_item(item) if item else None)
    if code == "TransactionCanceledException":
        return TransactionRefused(
            [reason.get("Code", "None") for reason in members.get("CancellationReasons") or []]
        )
    kind = WriteConflict if code in _CONFLICTS else StoreUnavailable
    return kind(f"the budget store refused a call ({code})")


def _update_arguments(update: Update) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "TableName": update.table,
        "Key": to_attributes(update.key),
        "UpdateExpression": update.expression,
    }
    if update.condition is not None:
        arguments["ConditionExpression"] = update.condition
    if update.names:
        arguments["ExpressionAttributeNames"] = dict(update.names)
    if update.values:
        arguments["ExpressionAttributeValues"] = to_attributes(update.values)
    return arguments
