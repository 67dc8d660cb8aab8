"""The records of an hour are read page by page, each once, however the pages fall; late puts leave a mark."""

import logging

import pytest
from msgspec.structs import replace

from channeling.budgets.hold_id import new_hold_id
from channeling.dynamodb import DynamoDB
from channeling.tables import TableNames
from channeling.usage.late_hours import LateHours, late_from_s
from channeling.usage.record import RecordPartition, UsageRecord, is_record_item, record_key
from channeling.usage.store import UsageStore
from tests.channeling.usage.test_record import RECORD
from tests.stand_ins.clock import SetClock

STARTED_S = RECORD.started_ms // 1000
PARTITION = RECORD.key.partition


def numbered(number: int) -> UsageRecord:
    hold_id = new_hold_id(STARTED_S, number.to_bytes)
    key = record_key(RECORD.project_id, RECORD.user_id, RECORD.window_kind, hold_id, STARTED_S)
    return replace(RECORD, key=key, request_id=f"req_{number}")


@pytest.fixture
def usage(dynamodb: DynamoDB, tables: TableNames) -> UsageStore:
    return UsageStore(dynamodb, tables.usage, SetClock(STARTED_S))


@pytest.mark.parametrize("records", [0, 1, 2, 5, 6, 7])
async def test_pages_have_every_record_once(usage: UsageStore, records: int) -> None:
    for number in range(records):
        await usage.put(numbered(number))
    for page_items in (2, 3, 6, 1_000):
        pages = [list(page) async for page in usage.pages(PARTITION, page_items=page_items)]
        found = [item["request_id"] for page in pages for item in page]
        assert found == [f"req_{number}" for number in range(records)]
        assert all(0 < len(page) <= page_items for page in pages)


async def test_all_records_of_a_user_in_an_hour_are_in_one_partition(usage: UsageStore) -> None:
    assert {numbered(number).key.pk for number in range(100)} == {PARTITION.pk}


@pytest.mark.parametrize(("late_by_s", "marks"), [(-1, 0), (0, 1), (10**8, 1)])
@pytest.mark.parametrize("stands", [False, True])
async def test_a_late_put_marks_its_hour_also_where_the_record_stood(
    dynamodb: DynamoDB, tables: TableNames, stands: bool, late_by_s: int, marks: int
) -> None:
    if stands:
        await UsageStore(dynamodb, tables.usage, SetClock(STARTED_S)).put(RECORD)
    clock = SetClock(late_from_s(PARTITION.hour) + late_by_s)
    await UsageStore(dynamodb, tables.usage, clock).put(RECORD)
    late_hours = LateHours(dynamodb, tables.usage)
    expected = {PARTITION: 1} if marks else {}
    assert await late_hours.of_all_projects() == expected
    assert await late_hours.of_project("demo", PARTITION.shard) == expected
    assert await late_hours.of_project("other", PARTITION.shard) == {}


async def test_lateness_is_told_by_the_time_after_the_put(dynamodb: DynamoDB, tables: TableNames) -> None:
    """The process slept on its way to the store: the hour was rolled up meanwhile."""

    class Sleepy(SetClock):
        def now_ms(self) -> int:
            raise AssertionError("the clock was read before the put")

    clock = Sleepy()

    class Store:
        put_done = False

        async def put(self, *_: object, **__: object) -> None:
            clock.now_ms = lambda: late_from_s(PARTITION.hour) * 1000  # type: ignore[method-assign]

        update = dynamodb.update

    await UsageStore(Store(), tables.usage, clock).put(RECORD)  # type: ignore[arg-type]  # what a put needs
    assert await LateHours(dynamodb, tables.usage).of_all_projects() == {PARTITION: 1}


async def test_a_mark_is_cleared_only_as_it_was_seen(dynamodb: DynamoDB, tables: TableNames) -> None:
    late_hours, other = LateHours(dynamodb, tables.usage), replace(PARTITION, hour=PARTITION.hour + 1)
    for partition in (PARTITION, other, PARTITION):
        await late_hours.mark(partition)
    assert await late_hours.of_all_projects() == {PARTITION: 2, other: 1}
    assert not await late_hours.clear(PARTITION, 1)
    assert await late_hours.clear(PARTITION, 2)
    assert not await late_hours.clear(PARTITION, 2)
    assert await late_hours.of_all_projects() == {other: 1}


async def test_a_mark_that_is_none_is_named_and_passed_over(
    dynamodb: DynamoDB, tables: TableNames, caplog: pytest.LogCaptureFixture
) -> None:
    late_hours = LateHours(dynamodb, tables.usage)
    await late_hours.mark(PARTITION)
    odd = {"pk": f"dirty#{PARTITION.shard}", "sk": "demo", "noon": 1, "5": "many", "²": 1, "7": 2}
    await dynamodb.put(tables.usage, odd)
    with caplog.at_level(logging.ERROR):
        assert await late_hours.of_all_projects() == {RecordPartition("demo", 7, PARTITION.shard): 2}
    assert len(caplog.records) == 3


@pytest.mark.parametrize(
    ("pk", "is_record"),
    [
        ("demo#495000#3", True),
        ("rollup#495000#3", True),
        ("demo#rollup#495000#3", False),
        ("dirty#3", False),
        ("rollups", False),
        ("reconcile", False),
    ],
)
def test_what_is_kept_beside_the_records_is_told_from_them(pk: str, is_record: bool) -> None:
    assert is_record_item({"pk": pk}) is is_record
