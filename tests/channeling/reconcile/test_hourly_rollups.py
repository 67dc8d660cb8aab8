"""Rollups are the sums of the records, also of late ones, whatever becomes of runs: dead, stopped, twice, never."""

import logging
from typing import Any

import pytest

from channeling.dynamodb import DynamoDB
from channeling.errors import StoreUnavailable
from channeling.reconcile.hourly_rollups import MARGIN_S, PROJECTS_AT_ONCE
from channeling.reconcile.project_age import UNKNOWN_AGE_HOURS
from channeling.tables import TableNames
from channeling.usage.record import RETENTION_S, SHARDS, record_item
from channeling.usage.rollup import rollup_pk
from channeling.usage.rollup_progress import RollupProgressStore
from simulation.memory_dynamodb import MemoryDynamoDB
from tests.channeling.reconcile.rolled_up_hours import NOON_HOUR, RolledUpHours

# The checkpoint, 8 shards' marks, the projects, this one's age, beginning and open sums; then for each of 8
# partitions its records and, in one of them, its rollups, the writing of two, and of its open sum.
CALLS_OF_ONE_HOUR = 13 + 8 + 4
CALLS_OF_THREE_HOURS = CALLS_OF_ONE_HOUR + 2 * 8
LATE = 2  # hours after an hour's beginning, from when on a record of it is late


class Crash(BaseException):
    """The process dies: nothing catches it."""


@pytest.fixture
async def hours(dynamodb: DynamoDB, tables: TableNames) -> RolledUpHours:
    """A project that was created at noon, on DynamoDB."""
    hours = RolledUpHours(dynamodb, tables)
    await hours.add_project()
    return hours


@pytest.fixture
async def in_memory() -> RolledUpHours:
    """The same on a store in memory, for what is tried at every step."""
    hours = RolledUpHours(MemoryDynamoDB(), TableNames.with_prefix("memory"))
    await hours.add_project()
    return hours


async def test_a_run_adds_up_the_records_of_the_hour_under_way(hours: RolledUpHours) -> None:
    """Of every kind, status and model, of several users, in windows of several kinds."""
    for user in ("ana", "ben", "zoë#1", "\U0001f600" * 256):
        await hours.put(user=user)
        await hours.put(user=user, cost=250, uncollected=3, clamped=True, model_used="claude-opus-4-6")
        await hours.put(user=user, status="cancelled", estimated=True, cut=True, window_kind="hour")
    await hours.put(status="reclaimed", provider="", model_asked="", estimated=True)
    await hours.put(kind="adjustment", cost=-70, provider="", model_asked="")
    await hours.put(kind="raise", cost=0, provider="", model_asked="")
    await hours.put(kind="correction", cost=-20)
    done = await hours.run()
    # A user has two models; and what names no model is one more of ana's.
    assert (done.partitions, done.written, done.failed, done.left) == (SHARDS, 9, 0, False)
    window = ("demo", "ana", "day", NOON_HOUR * 3_600)
    await hours.assert_stored_adds_up(0, settled={window: 100 + 250 + 100 - 70 - 20})
    of_operator = next(
        rollup for rollup in await hours.stored() if rollup.user_id == "ana" and not rollup.model
    )
    assert of_operator.records_by_kind == {"request": 1, "adjustment": 1, "raise": 1}
    assert of_operator.cost_by_kind == {"request": 100, "adjustment": -70, "raise": 0}
    assert (await hours.run()).written == 0


async def test_a_rollup_follows_its_records(hours: RolledUpHours) -> None:
    for user in ("ana", "ana", "ben"):
        await hours.put(user=user)
        assert (await hours.run()).written == 1
        await hours.assert_stored_adds_up(0)


async def test_an_hour_is_final_once_no_record_can_come_without_a_mark(hours: RolledUpHours) -> None:
    await hours.put()
    await hours.run()
    progress = RollupProgressStore(hours.dynamodb, hours.tables.usage)
    hours.go_to(LATE, -1)
    await hours.put(cost=11)  # by a request of an hour: as late as can be without being late
    hours.go_to(LATE, MARGIN_S - 1)
    await hours.run()
    standing = await progress.of_project("demo")
    assert standing is not None
    assert not standing.has(hours.partition())
    hours.go_to(LATE, MARGIN_S)
    await hours.run()
    standing = await progress.of_project("demo")
    assert standing is not None
    assert standing.has(hours.partition())
    assert standing.open_from == (NOON_HOUR + 1) * SHARDS
    await hours.assert_stored_adds_up(0)
    # It is not looked at again: two hours that are over and the one under way have 8 partitions each.
    hours.go_to(LATE + 1)
    assert (await hours.run()).partitions == 3 * SHARDS


async def test_a_record_in_time_costs_one_write_and_a_late_one_two(in_memory: RolledUpHours) -> None:
    hours, operations = in_memory, []

    async def note(_: int, operation: str) -> None:
        operations.append(operation)

    usage = hours.watched(note).usage
    hours.go_to(LATE, -1)
    await usage.put(hours.record())
    assert operations == ["put"]
    hours.go_to(LATE)
    await usage.put(hours.record())
    assert operations == ["put", "put", "update"]


@pytest.mark.parametrize("late_by_s", [0, 86_400, RETENTION_S])
async def test_a_late_record_is_read_at_once_and_rolled_up_by_the_next_run(
    hours: RolledUpHours, late_by_s: int
) -> None:
    await hours.put()
    hours.go_to(LATE, MARGIN_S)
    await hours.run()
    hours.go_to(LATE, MARGIN_S + late_by_s)
    await hours.put(cost=7, status="reclaimed")
    await hours.assert_read_adds_up(0, 1)
    hours.clock.now_s = (NOON_HOUR + LATE) * 3_600 + MARGIN_S  # so that the run has no other hours to do
    assert (await hours.run()).written == 1
    await hours.assert_stored_adds_up(0)
    assert await hours.marks() == {}


async def test_who_finds_the_record_of_one_who_died_before_the_mark_sets_it(hours: RolledUpHours) -> None:
    await hours.put()
    hours.go_to(LATE, MARGIN_S)
    await hours.run()
    record = hours.record(cost=7)

    async def die(number: int, _: str) -> None:
        if number == 2:
            raise Crash

    with pytest.raises(Crash):
        await hours.watched(die).usage.put(record)
    assert await hours.marks() == {}
    await hours.usage.put(record)
    assert await hours.marks() == {hours.partition(): 1}
    await hours.run()
    await hours.assert_stored_adds_up(0)


@pytest.mark.parametrize("at", range(1, CALLS_OF_THREE_HOURS + 1))
@pytest.mark.parametrize("is_marked", [False, True])
async def test_a_late_record_may_come_between_any_two_calls_of_a_run(
    in_memory: RolledUpHours, at: int, is_marked: bool
) -> None:
    """Of the run that would have been the last of this hour, or of one that makes it again."""
    hours = in_memory
    hours.go_to(LATE if is_marked else 0)
    await hours.put()
    await hours.put(model_asked="other")
    hours.go_to(LATE, MARGIN_S)
    late: list[object] = []

    async def comes(number: int, _: str) -> None:
        if number == at:
            late.append(await hours.put(cost=7))

    await hours.run(before=comes)
    await hours.assert_read_adds_up(0, LATE)
    await hours.run()
    await hours.assert_read_adds_up(0, LATE)
    await hours.assert_stored_adds_up(0)
    assert await hours.marks() == {}
    assert late


@pytest.mark.parametrize("at", range(1, CALLS_OF_ONE_HOUR + 2))
async def test_a_whole_run_that_knows_more_may_come_in_between_any_two_calls(
    in_memory: RolledUpHours, at: int
) -> None:
    """What the slower one has read before is not written over what the faster one has."""
    hours, other = in_memory, []
    await hours.put()
    await hours.put(model_asked="other")

    async def cut_in(number: int, _: str) -> None:
        if number == at:
            await hours.put(cost=7)
            other.append(await hours.run())

    await hours.run(before=cut_in)
    assert bool(other) == (at <= CALLS_OF_ONE_HOUR)
    if other:
        await hours.assert_stored_adds_up(0)


@pytest.mark.parametrize("at", range(1, CALLS_OF_ONE_HOUR + 1))
async def test_a_run_may_die_before_any_of_its_calls(in_memory: RolledUpHours, at: int) -> None:
    hours = in_memory
    await hours.put()
    await hours.put(model_asked="other")

    async def die(number: int, _: str) -> None:
        if number == at:
            raise Crash

    with pytest.raises(Crash):
        await hours.run(before=die)
    await hours.run()
    await hours.assert_stored_adds_up(0)


async def test_a_day_without_runs_is_made_up_for(in_memory: RolledUpHours) -> None:
    hours = in_memory
    await hours.put()
    await hours.run()
    for hour in (1, 2, 13, 22, 23):
        hours.go_to(hour, 1_800)
        await hours.put(hour)
    hours.go_to(25)
    assert (await hours.run()).partitions == 26 * SHARDS
    await hours.assert_stored_adds_up(*range(25))
    hours.go_to(25, 1)
    assert (await hours.run()).partitions == 3 * SHARDS


async def test_a_run_that_is_out_of_time_goes_on_where_it_stopped(in_memory: RolledUpHours) -> None:
    hours = in_memory
    for hour in range(5):
        hours.go_to(hour)
        for user in ("ana", "ben", "cleo"):
            await hours.put(hour, user=user)
    hours.go_to(10, MARGIN_S)
    start_s, runs, partitions = hours.clock.now_s, 0, 0

    async def a_while(_: int, __: str) -> None:
        hours.clock.now_s += 0.01

    while True:
        hours.clock.now_s = start_s
        done = await hours.run(deadline_ms=hours.clock.now_ms() + 300, before=a_while)
        runs, partitions = runs + 1, partitions + done.partitions
        if not done.left:
            break
        assert runs < 50
    # Nine hours are final and two open ones were begun again in some of the runs.
    assert runs > 5
    assert 11 * SHARDS <= partitions < 14 * SHARDS
    await hours.assert_stored_adds_up(*range(5))


async def test_the_next_run_begins_with_the_projects_that_this_one_did_not_come_to(
    in_memory: RolledUpHours,
) -> None:
    hours = in_memory
    projects = tuple(f"p{number:02}" for number in range(2 * PROJECTS_AT_ONCE))
    for project in projects:
        await hours.add_project(project)
        await hours.put(project=project)
    await hours.run(projects)
    started_s = hours.clock.now_s

    async def time_is_up(_: int, operation: str) -> None:
        if operation == "update":
            hours.clock.now_s = started_s + 1

    rolled_up: list[set[str]] = []
    for records in (2, 3):
        for project in projects:
            await hours.put(project=project)
        hours.clock.now_s = started_s
        done = await hours.run(projects, deadline_ms=hours.clock.now_ms() + 500, before=time_is_up)
        assert done.left
        stored = {project: await hours.stored(project=project) for project in projects}
        rolled_up.append({project for project, [rollup] in stored.items() if rollup.records == records})
    first, second = rolled_up
    assert first
    assert first <= set(projects[:PROJECTS_AT_ONCE])
    assert second
    assert second <= set(projects[PROJECTS_AT_ONCE:])
    hours.clock.now_s = started_s
    await hours.run(projects)
    for project in projects:
        await hours.assert_stored_adds_up(0, project=project)


async def test_without_time_nothing_is_made(hours: RolledUpHours) -> None:
    await hours.put()
    done = await hours.run(deadline_ms=hours.clock.now_ms())
    assert (done.partitions, done.left) == (0, True)


@pytest.mark.parametrize(
    "broken",
    [
        {"cost": "100"},
        {"cost": True},
        {"counts": None},
        {"counts": {"input_tokens": -1}},
        {"user_id": 7},
        {"project_id": "another"},
        {"status": "splendid"},
        {"estimated": "no"},
        {"window_start_s": "noon"},
    ],
    ids=repr,
)
async def test_a_record_that_cannot_be_read_is_named_and_the_others_are_counted(
    in_memory: RolledUpHours, broken: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    hours = in_memory
    await hours.put(cost=5)
    odd = record_item(hours.record()) | broken
    await hours.dynamodb.put(hours.tables.usage, odd)
    with caplog.at_level(logging.ERROR):
        done = await hours.run()
    assert (done.unreadable, done.partitions, done.failed) == (1, SHARDS, 0)
    [logged] = caplog.records
    assert logged.__dict__["fields"] == {"pk": odd["pk"], "sk": odd["sk"]}
    [rollup] = await hours.stored()
    assert (rollup.records, rollup.cost) == (1, 5)
    hours.go_to(LATE, MARGIN_S)
    await hours.run()
    [rollup] = await hours.read(0, 1)
    assert rollup.cost == 5


async def test_one_project_that_the_store_refuses_holds_up_nobody(
    in_memory: RolledUpHours, caplog: pytest.LogCaptureFixture
) -> None:
    hours = in_memory
    await hours.add_project("bad")
    for project in ("demo", "bad"):
        await hours.put(project=project)

    class Refusing(MemoryDynamoDB):
        async def query(self, table: str, partition: tuple[str, str], **options: Any) -> Any:
            if refused and partition[1].startswith(refused):
                raise StoreUnavailable("the store refused a call")
            return await hours.dynamodb.query(table, partition, **options)

        get, put, update = hours.dynamodb.get, hours.dynamodb.put, hours.dynamodb.update

    refused: tuple[str, ...] = ("bad#",)
    other = RolledUpHours(Refusing(), hours.tables, hours.clock)
    with caplog.at_level(logging.ERROR):
        done = await other.run(("bad", "demo"))
        assert (done.failed, done.written) == (1, 1)
        refused = ("bad#", "demo#")
        with pytest.raises(StoreUnavailable):
            await other.run()
    assert [record.__dict__["fields"]["project"] for record in caplog.records] == ["bad", "bad", "demo"]
    refused = ()
    await other.run()
    await hours.assert_stored_adds_up(0, project="bad")


async def test_an_hour_that_cannot_be_made_is_named_and_stays_open_and_the_others_are_made(
    in_memory: RolledUpHours, caplog: pytest.LogCaptureFixture
) -> None:
    hours = in_memory
    for user in ("ana", "ben"):
        await hours.put(user=user)
    bad = hours.partition(user="ben")
    assert bad < hours.partition(user="ana")
    hours.go_to(LATE + 1, MARGIN_S)

    class Odd(MemoryDynamoDB):
        async def query(self, table: str, partition: tuple[str, str], **options: Any) -> Any:
            if partition[1] == rollup_pk(bad):
                raise TypeError("a defect")
            return await hours.dynamodb.query(table, partition, **options)

        get, put, update = hours.dynamodb.get, hours.dynamodb.put, hours.dynamodb.update

    with caplog.at_level(logging.ERROR):
        done = await RolledUpHours(Odd(), hours.tables, hours.clock).run()
    assert (done.failed, done.written, done.left) == (1, 1, False)
    assert [record.__dict__["fields"] for record in caplog.records] == [{"pk": bad.pk}]
    await hours.assert_read_adds_up(0, 1)
    await hours.run()
    await hours.assert_stored_adds_up(0)


async def test_a_project_that_is_gone_is_rolled_up_and_its_oldest_records_are_read(
    in_memory: RolledUpHours,
) -> None:
    """It was deleted before any run came: how old it is cannot be known."""
    hours = in_memory
    await hours.put(0, project="gone")
    hours.go_to(UNKNOWN_AGE_HOURS + 5)
    await hours.put(UNKNOWN_AGE_HOURS + 4, project="gone", cost=7)
    done = await hours.run(("gone",))
    assert done.partitions == (UNKNOWN_AGE_HOURS + 1) * SHARDS
    assert await hours.stored(0, project="gone") == []
    await hours.assert_read_adds_up(0, UNKNOWN_AGE_HOURS + 5, project="gone")


async def test_a_project_stays_known_without_any_budget_seen(hours: RolledUpHours) -> None:
    await hours.run()
    await hours.put()
    assert (await hours.run(())).written == 1


async def test_hours_from_before_the_records_retention_are_not_made(in_memory: RolledUpHours) -> None:
    hours = in_memory
    await hours.run()
    hours.go_to(RETENTION_S // 3_600 + 50)
    assert (await hours.run()).partitions == (RETENTION_S // 3_600 + 1) * SHARDS


async def test_records_that_expire_take_nothing_from_a_rollup(
    hours: RolledUpHours, dynamodb_client: Any
) -> None:
    """DynamoDB removes expired records one by one; a rollup expires with the last of its hour."""
    first, _ = await hours.put(), await hours.put()
    await hours.run()
    before = await hours.stored()
    [item] = await hours.dynamodb.query(
        hours.tables.usage, ("pk", f"demo#rollup#{NOON_HOUR}#{hours.partition().shard}")
    )
    assert item["expires_at"] == (NOON_HOUR + 1) * 3_600 + RETENTION_S
    key = {"pk": {"S": first.key.pk}, "sk": {"S": first.key.sk}}
    dynamodb_client.delete_item(TableName=hours.tables.usage, Key=key)
    done = await hours.run()
    assert (done.partitions, done.written, done.failed) == (SHARDS, 0, 0)
    assert await hours.stored() == before
