"""What docs/reconcile.md says that rolling up consumes is what DynamoDB Local bills for it."""

from collections.abc import Iterator

import pytest

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.tables import TableNames
from channeling.usage.record import SHARDS
from tests.channeling.reconcile.rolled_up_hours import RolledUpHours
from tests.docs.pages import ROOT
from tests.dynamodb_local.dynamodb_local import DynamoDBLocal
from tests.dynamodb_local.metered_dynamodb import Consumption, MeteredDynamoDB

pytestmark = pytest.mark.java

PAGE = " ".join((ROOT / "docs" / "reconcile.md").read_text("utf-8").split())
RECORDS = 70


@pytest.fixture
def metered(embedded_dynamodb: DynamoDBLocal) -> MeteredDynamoDB:
    return MeteredDynamoDB(embedded_dynamodb)


@pytest.fixture
def hours(metered: MeteredDynamoDB, tables: TableNames) -> Iterator[RolledUpHours]:
    door = BotocoreDynamoDB(metered.client())
    yield RolledUpHours(door, tables)
    door.close()


async def test_a_run_consumes_what_the_page_says(hours: RolledUpHours, metered: MeteredDynamoDB) -> None:
    await hours.add_project()
    for _ in range(RECORDS):
        await hours.put(model_used="claude-haiku-4-5-20251001", price_source="default:2026-11-24")
    metered.taken()
    await hours.run()
    first = metered.taken()
    [written] = [call for call in first if "#rollup#" in call.partition and call.operation == "UpdateItem"]
    assert (written.write_units, written.index_write_units) == (1, 0)
    read = next(call for call in first if call.partition == hours.partition().pk)
    assert "seven to a unit" in PAGE
    assert 6.5 <= RECORDS / read.read_units < 8.5
    await hours.run()
    again = metered.taken()
    assert sum(call.write_units for call in again) == 0
    assert len(queries_of_records(again)) == SHARDS
    hours.go_to(1)
    await hours.run()
    # The hour under way and the one before; a third one in the minutes until that is final.
    assert len(queries_of_records(metered.taken())) == 2 * SHARDS
    assert f"reads {2 * SHARDS} to {3 * SHARDS} empty partitions" in PAGE
    assert f"{2 * SHARDS} × 288 × 30 = {2 * SHARDS * 288 * 30 // 1000},000 units" in PAGE


def queries_of_records(calls: list[Consumption]) -> list[Consumption]:
    return [call for call in calls if call.operation == "Query" and call.partition.startswith("demo#4")]
