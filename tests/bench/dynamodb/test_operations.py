"""Reads in pages, by index and backwards are moto's; what the stand-in does not know it refuses by name."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bench.speed.channeling import clone_item, running_dynamodb
from channeling.dynamodb import ConditionFailed, Item, TransactionRefused, Update
from channeling.tables import USAGE_BY_USER, TableNames
from channeling_cli.embedded_dynamodb import local_client
from tests.bench.dynamodb.conftest import SideBySide

KEY = {"pk": {"S": "a"}, "sk": {"S": "day"}}


async def _fill(dynamodb: SideBySide, table: str, count: int, text: str = "") -> None:
    for number in range(count):
        item: Item = {"pk": "a", "sk": f"{number:03}", "user_key": f"user-{number % 2}", "text": text}
        await dynamodb.put(table, item)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"limit": 3},
        {"descending": True},
        {"sort_between": ("sk", "002", "005")},
        {"sort_between": ("sk", "002", "005"), "descending": True, "limit": 2},
    ],
    ids=str,
)
async def test_a_partition_is_read_alike(
    dynamodb: SideBySide, tables: TableNames, how: Mapping[str, Any]
) -> None:
    await _fill(dynamodb, tables.usage, 8)
    assert await dynamodb.query(tables.usage, ("pk", "a"), **how)


async def test_an_index_is_read_alike(dynamodb: SideBySide, tables: TableNames) -> None:
    await _fill(dynamodb, tables.usage, 6)
    found = await dynamodb.query(tables.usage, ("user_key", "user-1"), index=USAGE_BY_USER, limit=2)
    assert [item["sk"] for item in found] == ["001", "003"]


async def test_a_partition_of_megabytes_comes_whole(dynamodb: SideBySide, tables: TableNames) -> None:
    """In pages of a megabyte, as DynamoDB has them."""
    await _fill(dynamodb, tables.usage, 8, text="x" * 300_000)
    assert len(await dynamodb.query(tables.usage, ("pk", "a"))) == 8


async def test_a_scan_comes_upon_every_item_once(dynamodb: SideBySide, tables: TableNames) -> None:
    for number in range(7):
        await dynamodb.put(tables.budgets, {"pk": f"user-{number % 3}", "sk": f"kind-{number}"})
    await dynamodb.delete(tables.budgets, {"pk": "user-0", "sk": "kind-0"})
    seen, after = [], None
    while True:
        page = await dynamodb.scan_page(tables.budgets, after=after, limit=2)
        seen += [item["sk"] for item in page.items]
        after = page.last_key
        if after is None:
            break
    assert sorted(map(str, seen)) == [f"kind-{number}" for number in range(1, 7)]


INVALID = {
    "a path that leads nowhere": ("SET holds.#id = :one", "attribute_exists(pk)", {"#id": "x"}),
    "a sum of nothing": ("SET committed = missing + :one", "attribute_exists(pk)", {}),
    "a part of the key": ("SET sk = :one", "attribute_exists(pk)", {}),
    "a name that is not used": ("SET committed = :one", "attribute_exists(pk)", {"#id": "x"}),
    "a name that is not given": ("SET committed = :one", "attribute_exists(#missing)", {}),
    "paths that overlap": ("SET committed = :one REMOVE committed", "attribute_exists(pk)", {}),
    "an open parenthesis": ("SET committed = :one", "(attribute_exists(pk)", {}),
    "no comparison": ("SET committed = :one", "committed :one", {}),
}

# moto 5.2.5 answers these with an internal error of its own.
BREAKS_MOTO = {"a name that is not given", "an open parenthesis", "no comparison"}


@pytest.mark.parametrize("what", INVALID)
async def test_what_dynamodb_calls_invalid_changes_nothing(
    dynamodb: SideBySide, stand_in_client: Any, dynamodb_client: Any, tables: TableNames, what: str
) -> None:
    expression, condition, names = INVALID[what]
    await dynamodb.put(tables.budgets, {"pk": "a", "sk": "day", "committed": 5})
    arguments: dict[str, Any] = {
        "TableName": tables.budgets,
        "Key": KEY,
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    if names:
        arguments["ExpressionAttributeNames"] = names
    for client in (stand_in_client, *(() if what in BREAKS_MOTO else (dynamodb_client,))):
        with pytest.raises(ClientError) as refused:
            client.update_item(**arguments)
        assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert await dynamodb.get(tables.budgets, {"pk": "a", "sk": "day"}) == {
        "pk": "a",
        "sk": "day",
        "committed": 5,
    }


UNKNOWN = {
    "contains": {"ConditionExpression": "contains(committed, :one)"},
    "IN": {"ConditionExpression": "committed IN (:one)"},
    "DELETE": {"UpdateExpression": "DELETE committed :one"},
    "list_append": {"UpdateExpression": "SET committed = list_append(committed, :one)"},
    "'[0] = :one'": {"UpdateExpression": "SET committed[0] = :one"},
    "UPDATED_NEW": {"ReturnValues": "UPDATED_NEW"},
    "ReturnConsumedCapacity": {"ReturnConsumedCapacity": "TOTAL"},
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_the_stand_in_does_not_know_is_refused_by_name(
    stand_in_client: Any, tables: TableNames, name: str
) -> None:
    """Never answered wrongly: a benchmark would be none."""
    arguments = {
        "UpdateExpression": "SET committed = :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
        **UNKNOWN[name],
    }
    with pytest.raises(ClientError) as refused:
        stand_in_client.update_item(TableName=tables.budgets, Key=KEY, **arguments)
    error = refused.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert name in error["Message"]


def test_an_unknown_operation_is_refused_by_name(stand_in_client: Any) -> None:
    with pytest.raises(ClientError, match="DescribeTimeToLive") as refused:
        stand_in_client.describe_time_to_live(TableName="any")
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"


async def test_a_conditional_put_of_what_stands_there_shows_it(
    dynamodb: SideBySide, tables: TableNames
) -> None:
    item: Item = {"pk": "a", "sk": "b", "blob": b"\x00\xff", "list": [1, "two", None, True, {"three": 3}]}
    await dynamodb.put(tables.usage, item, unless_exists="pk")
    with pytest.raises(ConditionFailed) as refused:
        await dynamodb.put(tables.usage, item, unless_exists="pk")
    assert refused.value.item == item


async def test_a_refused_transaction_writes_none_of_its_updates(
    dynamodb: SideBySide, tables: TableNames
) -> None:
    await dynamodb.put(tables.budgets, {"pk": "a", "sk": "day", "committed": 5})
    good = Update(tables.budgets, {"pk": "a", "sk": "week"}, "SET committed = :one", values={":one": 1})
    bad = Update(
        tables.budgets,
        {"pk": "a", "sk": "day"},
        "SET committed = :one",
        "committed < :one",
        values={":one": 1},
    )
    with pytest.raises(TransactionRefused) as refused:
        await dynamodb.transact([good, bad])
    assert refused.value.reasons == ("None", "ConditionalCheckFailed")
    assert await dynamodb.get(tables.budgets, {"pk": "a", "sk": "week"}) is None


async def test_an_item_is_written_again_for_many_users(
    dynamodb: SideBySide, stand_in_url: str, stand_in_client: Any, tables: TableNames
) -> None:
    """How the growth of the store is measured."""
    await dynamodb.put(tables.budgets, {"pk": "demo#user", "sk": "day", "committed": 5})
    clone_item(stand_in_url, tables.budgets, ("demo#user", "day"), 3)
    key = {"pk": {"S": "demo#user-2"}, "sk": {"S": "day"}}
    assert stand_in_client.get_item(TableName=tables.budgets, Key=key)["Item"] == {
        **key,
        "committed": {"N": "5"},
    }


def test_an_answer_comes_no_sooner_than_the_latency(tmp_path: Path) -> None:
    """`--latency-ms` is what it says, for one request as for many at once."""
    with running_dynamodb(tmp_path, latency_ms=30.0) as port:
        client = local_client(f"http://127.0.0.1:{port}")
        began_s = time.monotonic()
        with pytest.raises(ClientError):
            client.describe_table(TableName="none")
        assert time.monotonic() - began_s >= 0.03
        client.close()
