"""Both doors do the same to a store and say the same of it, each over what the other wrote."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.dynamodb import (
    ConditionFailed,
    DynamoDB,
    ForeignValue,
    Item,
    TransactionRefused,
    Update,
)
from channeling.errors import StoreUnavailable
from channeling.tables import USAGE_BY_USER, TableNames
from tests.stand_ins.lean_store import LeanOnItsOwnLoop


@pytest.fixture
def doors(embedded_dynamodb: Any) -> Iterator[dict[str, DynamoDB]]:
    lean = LeanOnItsOwnLoop(embedded_dynamodb.endpoint_url)
    botocore = BotocoreDynamoDB(embedded_dynamodb.client(), threads=16)
    yield {"lean": lean, "botocore": botocore}
    lean.close()
    botocore.close()


@pytest.fixture(params=["lean", "botocore"])
def writer(request: pytest.FixtureRequest, doors: dict[str, DynamoDB]) -> DynamoDB:
    return doors[request.param]


ITEM: Item = {
    "pk": "demo#ana\N{GRINNING FACE}",
    "sk": 'a"\\\x7f\n',
    "number": 9_007_199_254_740_993,
    "huge": 10**30,
    "less": -1,
    "zero": 0,
    "bytes": bytes(range(256)),
    "text": "",
    "yes": True,
    "no": False,
    "nothing": None,
    "list": [1, "1", b"1", [], {}],
    "map": {"id.with.dots": 5, "\N{SNOWMAN}": {"deep": [None]}},
}


async def test_what_one_writes_both_read(
    writer: DynamoDB, doors: dict[str, DynamoDB], tables: TableNames
) -> None:
    await writer.put(tables.budgets, ITEM)
    key: Item = {"pk": ITEM["pk"], "sk": ITEM["sk"]}
    for reader in doors.values():
        assert await reader.get(tables.budgets, key) == ITEM
        assert await reader.query(tables.budgets, ("pk", str(ITEM["pk"]))) == [ITEM]
        page = await reader.scan_page(tables.budgets, after=None, limit=5)
        assert (page.items, page.last_key) == ((ITEM,), None)
        assert await reader.get(tables.budgets, {"pk": "x", "sk": "y"}) is None
    assert await writer.delete(tables.budgets, key) == ITEM
    assert await writer.delete(tables.budgets, key) is None


async def test_an_item_that_is_there_is_not_written_over(writer: DynamoDB, tables: TableNames) -> None:
    await writer.put(tables.usage, ITEM, unless_exists="pk")
    with pytest.raises(ConditionFailed) as refused:
        await writer.put(tables.usage, {**ITEM, "number": 1}, unless_exists="pk")
    assert refused.value.item == ITEM


async def test_a_condition_that_fails_tells_what_stands(writer: DynamoDB, tables: TableNames) -> None:
    key: Item = {"pk": "demo#ana", "sk": "day"}
    add = Update(
        tables.budgets,
        key,
        "SET committed = if_not_exists(committed, :zero) + :amount, holds = if_not_exists(holds, :none)",
        "attribute_not_exists(committed) OR committed <= :room",
        {},
        {":zero": 0, ":amount": 6, ":room": 4, ":none": {}},
    )
    assert await writer.update(add) == {**key, "committed": 6, "holds": {}}
    with pytest.raises(ConditionFailed) as refused:
        await writer.update(add)
    assert refused.value.item == {**key, "committed": 6, "holds": {}}
    on_nothing = Update(
        tables.budgets, {**key, "sk": "hour"}, "SET a = :a", "attribute_exists(pk)", {}, {":a": 1}
    )
    with pytest.raises(ConditionFailed) as refused:
        await writer.update(on_nothing)
    assert refused.value.item is None


async def test_one_limit_holds_against_many_who_write_through_either_door(
    doors: dict[str, DynamoDB], tables: TableNames
) -> None:
    key: Item = {"pk": "demo#ana", "sk": "day"}
    first = next(iter(doors.values()))
    await first.put(tables.budgets, {**key, "committed": 0})
    add = Update(
        tables.budgets,
        key,
        "SET committed = committed + :one",
        "committed < :limit",
        {},
        {":one": 1, ":limit": 25},
    )

    async def ask(door: DynamoDB) -> bool:
        try:
            await door.update(add)
        except ConditionFailed:
            return False
        return True

    admitted = await asyncio.gather(*(ask(door) for door in doors.values() for _ in range(25)))
    assert sum(admitted) == 25
    assert await first.get(tables.budgets, key) == {**key, "committed": 25}


async def test_a_transaction_is_applied_whole_or_not_at_all(writer: DynamoDB, tables: TableNames) -> None:
    keys: list[Item] = [{"pk": "demo#ana", "sk": kind} for kind in ("hour", "day")]
    revoke = [
        Update(
            tables.budgets,
            key,
            "SET revoked_before = :at",
            "attribute_not_exists(revoked_before) OR revoked_before < :at",
            {},
            {":at": 5},
        )
        for key in keys
    ]
    await writer.transact(revoke[1:])
    with pytest.raises(TransactionRefused) as refused:
        await writer.transact(revoke)
    assert refused.value.reasons == ("None", "ConditionalCheckFailed")
    assert await writer.get(tables.budgets, keys[0]) is None


async def test_pages_order_range_and_index(writer: DynamoDB, tables: TableNames) -> None:
    """Three items of 390 KB are two pages of 1 MB; the index by user is read through its own key."""
    items: list[Item] = [
        {"pk": "demo#1", "sk": f"{number}", "user_key": "demo#ana", "text": "x" * 390_000}
        for number in range(3)
    ]
    for item in items:
        await writer.put(tables.usage, item)
    partition = ("pk", "demo#1")
    assert await writer.query(tables.usage, partition) == items
    assert await writer.query(tables.usage, partition, descending=True) == items[::-1]
    assert await writer.query(tables.usage, partition, limit=2) == items[:2]
    assert await writer.query(tables.usage, partition, sort_between=("sk", "1", "2")) == items[1:]
    assert await writer.query(tables.usage, partition, consistent=False) == items
    assert await writer.query(tables.usage, ("pk", "other")) == []
    assert await writer.query(tables.usage, ("user_key", "demo#ana"), index=USAGE_BY_USER) == items
    walked: list[Item] = []
    after = None
    while True:
        page = await writer.scan_page(tables.usage, after=after, limit=1)
        walked += page.items
        after = page.last_key
        if after is None:
            break
    assert walked == items


async def test_what_others_wrote_is_met_as_what_it_is(
    dynamodb_client: Any, doors: dict[str, DynamoDB], tables: TableNames
) -> None:
    wire = {"pk": {"S": "a"}, "sk": {"S": "b"}, "set": {"SS": ["x"]}, "half": {"N": "0.5"}}
    dynamodb_client.put_item(TableName=tables.projects, Item=wire)
    for reader in doors.values():
        assert await reader.get(tables.projects, {"pk": "a", "sk": "b"}) == {
            "pk": "a",
            "sk": "b",
            "set": ForeignValue("SS", "['x']"),
            "half": ForeignValue("N", "0.5"),
        }


async def test_a_table_that_is_not_there_is_the_store_s_failure(writer: DynamoDB) -> None:
    with pytest.raises(StoreUnavailable, match="ResourceNotFoundException"):
        await writer.get("no-such-table", {"pk": "a", "sk": "b"})
