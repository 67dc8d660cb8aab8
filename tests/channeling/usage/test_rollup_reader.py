"""Reports read rollups where these are final and records elsewhere, by key alone: a query an hour for one user."""

from collections import Counter

import pytest

from channeling.tables import TableNames
from channeling.usage.record import SHARDS
from channeling.usage.rollup_progress import RollupProgress, RollupProgressStore
from simulation.memory_dynamodb import MemoryDynamoDB
from tests.channeling.reconcile.rolled_up_hours import NOON_HOUR, RolledUpHours


@pytest.fixture
async def hours() -> RolledUpHours:
    """Six hours of two users; the first five are final, a late record is in the second."""
    hours = RolledUpHours(MemoryDynamoDB(), TableNames.with_prefix("memory"))
    await hours.add_project()
    for hour in range(6):
        hours.go_to(hour)
        for user in ("ana", "ben"):
            await hours.put(hour, user=user, cost=10**hour)
    hours.go_to(6, 300)
    await hours.run()
    await hours.put(1, user="ben", cost=7)
    hours.go_to(6, 400)
    await hours.put(6)
    return hours


async def test_every_hour_is_the_sum_of_its_records(hours: RolledUpHours) -> None:
    await hours.assert_read_adds_up(-3, 9)
    rollups = await hours.read(-3, 9)
    assert [rollup.partition.hour - NOON_HOUR for rollup in rollups] == sorted(2 * [*range(6)] + [6])
    assert sum(rollup.cost for rollup in rollups) == 2 * 111_111 + 7 + 100


async def test_hours_are_those_that_were_asked_for(hours: RolledUpHours) -> None:
    assert {rollup.partition.hour for rollup in await hours.read(2, 4)} == {NOON_HOUR + 2, NOON_HOUR + 3}
    assert await hours.read(4, 4) == []
    assert await hours.read(4, 2) == []


@pytest.mark.parametrize(("user", "cost"), [("ana", 111_111 + 100), ("ben", 111_111 + 7), ("cleo", 0)])
async def test_a_user_is_read_by_one_query_an_hour(hours: RolledUpHours, user: str, cost: int) -> None:
    operations: Counter[str] = Counter()

    async def note(_: int, operation: str) -> None:
        operations[operation] += 1

    rollups = await hours.watched(note).read(0, 7, user=user)
    assert {rollup.user_id for rollup in rollups} <= {user}
    assert sum(rollup.cost for rollup in rollups) == cost
    # The progress and the marks of one shard; then an hour each.
    assert operations == {"get": 2, "query": 7}


async def test_a_project_is_read_by_one_query_for_each_hour_and_shard(hours: RolledUpHours) -> None:
    operations: Counter[str] = Counter()

    async def note(_: int, operation: str) -> None:
        operations[operation] += 1

    await hours.watched(note).read(0, 4)
    assert operations == {"get": 1 + SHARDS, "query": 4 * SHARDS}


async def test_final_hours_are_read_from_rollups_and_the_others_from_records(hours: RolledUpHours) -> None:
    """What is wrong in a rollup shows where it is read."""
    for hour in range(6):
        for rollup in await hours.stored(hour):
            await hours.distort(rollup)
    wrong = {
        rollup.partition.hour - NOON_HOUR for rollup in await hours.read(0, 7) if rollup.uncollected == 999
    }
    assert wrong == {0, 1, 2, 3, 4}
    # The late record is one of ben's: only his shard of that hour is read from its records.
    [late] = await hours.read(1, 2, user="ben")
    assert (late.uncollected, late.cost) == (0, 10 + 7)


async def test_a_project_without_any_run_is_read_from_its_records(hours: RolledUpHours) -> None:
    await hours.put(6, project="new")
    [rollup] = await hours.read(0, 7, project="new")
    assert rollup.cost == 100
    assert await hours.read(0, 7, project="unheard-of") == []


async def test_progress_goes_forward_only(hours: RolledUpHours) -> None:
    store = RollupProgressStore(hours.dynamodb, hours.tables.usage)
    assert await store.begin("p", 7) == RollupProgress("p", 7, 7 * SHARDS)
    await store.advance("p", 99)
    await store.advance("p", 98)
    assert await store.begin("p", 3) == RollupProgress("p", 7, 99)
    assert await store.of_project("p") == RollupProgress("p", 7, 99)
    assert await store.of_project("q") is None
    assert set(await store.of_all_projects()) == {"p", "demo"}
