"""The door to DynamoDB: seven operations on items of plain Python values.

`DynamoDB` is the protocol that stores are written against; `BotocoreDynamoDB` speaks to AWS (or anything that
answers like it) with botocore's low-level client in threads, `boto3` not needed. Conditional refusals are
`ConditionFailed`, with the item as it stood; anything else that goes wrong is `StoreUnavailable`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from channeling.errors import StoreUnavailable

# A write that meets a transaction on its item is refused and has not been applied (Amazon DynamoDB API Reference,
# UpdateItem: TransactionConflictException, ReplicatedWriteConflictException); botocore's standard mode does not try
# again. A transaction takes tens of milliseconds, so that a few waits outlive it.
_CONFLICTS = {"TransactionConflictException", "ReplicatedWriteConflictException"}
_CONFLICT_PAUSES_S = (0.02, 0.05, 0.1, 0.2, 0.4)


@dataclass(frozen=True, slots=True)
class ForeignValue:
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


@dataclass(frozen=True, slots=True)
class Update:
    """One UpdateItem: an expression, its condition, and the names and values they use."""

    table: str
    key: Item
    expression: str
    condition: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
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
    ) -> list[Item]:
        """Return the items of a partition (attribute name, value), in sort-key order, all pages; with
        `sort_between` (attribute name, low, high) those whose sort key lies in that closed range."""

    async def delete(self, table: str, key: Item) -> Item | None:
        """Remove an item; return it as it stood, or None where there was none."""

    async def transact(self, updates: Sequence[Update]) -> None:
        """Apply all updates or none; raise TransactionRefused."""

    async def scan_page(self, table: str, *, after: Item | None, limit: int) -> Page:
        """Return up to `limit` items of a table, a moment behind, in the table's own order after a key.

        Never for a request: what it costs grows with the table.
        """


def to_attribute(value: Value) -> dict[str, Any]:
    """Return a value in DynamoDB's typed form (`{"N": "1"}`).

    Source: Amazon DynamoDB API Reference, AttributeValue.
    """
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case bytes():
            return {"B": value}
        case list():
            return {"L": [to_attribute(element) for element in value]}
        case dict():
            return {"M": {name: to_attribute(element) for name, element in value.items()}}
    raise TypeError(f"DynamoDB items here hold no {type(value).__name__}")


def from_attribute(attribute: Mapping[str, Any]) -> Value:
    """Return the plain value of DynamoDB's typed form, or a ForeignValue."""
    ((kind, value),) = attribute.items()
    match kind:
        case "NULL":
            return None
        case "BOOL":
            return bool(value)
        case "N" if _is_whole(value):
            return int(value)
        case "S":
            return str(value)
        case "B":
            return bytes(value)
        case "L":
            return [from_attribute(element) for element in value]
        case "M":
            return {name: from_attribute(element) for name, element in value.items()}
    return ForeignValue(kind, str(value))


def _is_whole(number: str) -> bool:
    return number.removeprefix("-").isdecimal()


def to_item(attributes: Mapping[str, Any]) -> Item:
    """Return an item of DynamoDB's typed attributes as plain values."""
    return {name: from_attribute(attribute) for name, attribute in attributes.items()}


def to_attributes(item: Mapping[str, Value]) -> dict[str, Any]:
    """Return an item of plain values in DynamoDB's typed form."""
    return {name: to_attribute(value) for name, value in item.items()}


class BotocoreDynamoDB:
    """`DynamoDB` over botocore's low-level client (thread-safe), each call on a worker thread."""

    def __init__(
        self,
        client: Any,
        *,
        threads: int = 64,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._pause = pause
        self._executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="dynamodb")

    def close(self) -> None:
        """Stop the worker threads; calls under way finish."""
        self._executor.shutdown(wait=False)
        self._client.close()

    async def get(self, table: str, key: Item) -> Item | None:
        answer = await self._call(
            self._client.get_item, TableName=table, Key=to_attributes(key), ConsistentRead=True
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
        await self._call(self._client.put_item, **arguments)

    async def update(self, update: Update) -> Item:
        arguments = _update_arguments(update)
        arguments |= {"ReturnValues": "ALL_NEW"}
        if update.condition is not None:
            arguments |= {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        answer = await self._call(self._client.update_item, **arguments)
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
        items: list[Item] = []
        while True:
            if limit is not None:
                arguments["Limit"] = limit - len(items)
            answer = await self._call(self._client.query, **arguments)
            items += [to_item(attributes) for attributes in answer["Items"]]
            if "LastEvaluatedKey" not in answer or (limit is not None and len(items) >= limit):
                return items
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def delete(self, table: str, key: Item) -> Item | None:
        answer = await self._call(
            self._client.delete_item, TableName=table, Key=to_attributes(key), ReturnValues="ALL_OLD"
        )
        return to_item(answer["Attributes"]) if answer.get("Attributes") else None

    async def transact(self, updates: Sequence[Update]) -> None:
        writes = [{"Update": _update_arguments(update)} for update in updates]
        await self._call(self._client.transact_write_items, TransactItems=writes)

    async def scan_page(self, table: str, *, after: Item | None, limit: int) -> Page:
        arguments: dict[str, Any] = {"TableName": table, "Limit": limit}
        if after is not None:
            arguments["ExclusiveStartKey"] = to_attributes(after)
        answer = await self._call(self._client.scan, **arguments)
        last_key = answer.get("LastEvaluatedKey")
        items = tuple(to_item(attributes) for attributes in answer["Items"])
        return Page(items, to_item(last_key) if last_key else None)

    async def _call(self, operation: Callable[..., dict[str, Any]], **arguments: Any) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        for pause_s in _CONFLICT_PAUSES_S:
            try:
                return await loop.run_in_executor(self._executor, _answer_of, operation, arguments)
            except WriteConflict:
                await self._pause(pause_s)
        return await loop.run_in_executor(self._executor, _answer_of, operation, arguments)


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


def _answer_of(operation: Callable[..., dict[str, Any]], arguments: dict[str, Any]) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return operation(**arguments)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "ConditionalCheckFailedException":
            item = error.response.get("Item")
            raise ConditionFailed(to_item(item) if item else None) from error
        if code == "TransactionCanceledException":
            reasons = [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])]
            raise TransactionRefused(reasons) from error
        kind = WriteConflict if code in _CONFLICTS else StoreUnavailable
        raise kind(f"the budget store refused a call ({code})") from error
    except BotoCoreError as error:
        raise StoreUnavailable("the budget store did not answer") from error
