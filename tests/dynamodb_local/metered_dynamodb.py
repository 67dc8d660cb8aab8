"""A DynamoDB whose clients ask, with every call, what the call consumed, and note it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from channeling.aws.json_client import JsonClient
from channeling.dynamodb import ConditionFailed, to_attributes
from channeling.lean_dynamodb import LeanDynamoDB
from channeling_cli.lean_store import LeanStore, open_lean_store
from tests.dynamodb_local.dynamodb_local import DynamoDBLocal

_REFUSED = "ConditionalCheckFailedException"


@dataclass(frozen=True)
class Consumption:
    """One call: its table without the prefix, its partition keys, and the request units of table and index.

    `refused` says that a condition did not hold; `index_partition` is where a put lands in the index by user.
    """

    operation: str
    table: str
    partition: str
    read_units: float = 0
    write_units: float = 0
    index_write_units: float = 0
    index_partition: str | None = None
    refused: bool = False


@dataclass
class MeteredDynamoDB:
    """DynamoDB Local as the gateway's store; `calls` is what the clients that it handed out consumed."""

    store: DynamoDBLocal
    calls: list[Consumption] = field(default_factory=list)

    @property
    def endpoint_url(self) -> str:
        """The address of the store."""
        return self.store.endpoint_url

    def client(self) -> Any:
        """Return a botocore client whose calls are noted."""
        client = self.store.client()
        client.meta.events.register("provide-client-params.dynamodb", _ask_for_units)
        client.meta.events.register("after-call.dynamodb", self._note)
        return client

    def taken(self) -> list[Consumption]:
        """Return the calls since the last time this was asked."""
        taken, self.calls = self.calls, []
        return taken

    def open_lean_store(self, endpoint_url: str) -> LeanStore:
        """Return the door that the gateway has, its calls noted."""
        opened = open_lean_store(endpoint_url)
        return replace(opened, dynamodb=_MeteredDoor(opened.dynamodb._client, self.note))

    def _note(self, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        if "metered" in context:  # else no part of a request: tables and projects are made this way
            refused = parsed.get("Error", {}).get("Code") == _REFUSED
            self.note(model.name, context["metered"], parsed, refused=refused)

    def note(self, operation: str, params: dict[str, Any], parsed: dict[str, Any], *, refused: bool) -> None:
        """Note a call by what was asked and answered; a refusal's answer holds the item that stands there."""
        item = params.get("Item", {})
        units = parsed.get("ConsumedCapacity", {})
        table = units.get("Table", {}).get("CapacityUnits", 0)
        index = sum(index["CapacityUnits"] for index in units.get("GlobalSecondaryIndexes", {}).values())
        if refused:
            table = units_to_write(parsed.get("Item", {}))
        is_read = operation in ("GetItem", "Query")
        self.calls.append(
            Consumption(
                operation=operation,
                table=params["TableName"].rsplit("-", 1)[-1],
                partition=_partition(params),
                read_units=table if is_read else 0,
                write_units=0 if is_read else table,
                index_write_units=0 if is_read else index,
                index_partition=item["user_key"]["S"] if "user_key" in item else None,
                refused=refused,
            )
        )


class _MeteredDoor(LeanDynamoDB):
    """The gateway's own door, which asks with every call what it consumed."""

    def __init__(self, client: JsonClient, note: Callable[..., None]) -> None:
        super().__init__(client)
        self._note = note

    async def _answer(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            return await super()._answer(operation, arguments)
        try:
            answer = await super()._answer(operation, {**arguments, "ReturnConsumedCapacity": "INDEXES"})
        except ConditionFailed as refusal:
            item = {} if refusal.item is None else to_attributes(refusal.item)
            self._note(operation, arguments, {"Item": item}, refused=True)
            raise
        self._note(operation, arguments, answer, refused=False)
        return answer


def units_to_write(attributes: dict[str, Any]) -> int:
    """Return the write request units of an item in DynamoDB's typed form: one for each KB that it begins.

    A write whose condition does not hold answers with no figure. It costs what the item that stands there is
    worth, and at least one unit. Source: Amazon DynamoDB Developer Guide, "DynamoDB read and write operations".
    """
    return max(1, -(-item_bytes(attributes) // 1024))


def item_bytes(attributes: dict[str, Any]) -> int:
    """Return an item's size, in bytes.

    Source: Amazon DynamoDB Developer Guide, "DynamoDB item sizes and formats"; a test compares it with what
    DynamoDB Local bills.
    """
    return sum(len(name.encode()) + _value_bytes(value) for name, value in attributes.items())


def _value_bytes(attribute: dict[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            # Two digits a byte without zeros at either end, and one more byte.
            return (len(value.strip("-").strip("0")) + 1) // 2 + 1
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_bytes(inner) for name, inner in value.items())
        case "NULL" | "BOOL":
            return 1
    raise TypeError(f"budget items hold no {kind}")


def _ask_for_units(params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> dict[str, Any]:
    if model.name == "TransactWriteItems" or "ReturnConsumedCapacity" not in model.input_shape.members:
        return params
    context["metered"] = params
    return {**params, "ReturnConsumedCapacity": "INDEXES"}


def _partition(params: dict[str, Any]) -> str:
    if "KeyConditionExpression" in params:
        key: str = params["ExpressionAttributeValues"][":partition"]["S"]
    else:
        key = params["Key" if "Key" in params else "Item"]["pk"]["S"]
    return key
