"""Totals of hours and days say what the records say, whenever read and whatever came late, in few reads."""

import random
from collections import Counter
from typing import Any

import pytest

from channeling.budgets.hold_id import new_hold_id
from channeling.dynamodb import Item
from channeling.reconcile.hourly_rollups import hourly_rollups
from channeling.reconcile.period_totals import period_totals
from channeling.tables import TableNames
from channeling.usage import period_totals as period_totals_module
from channeling.usage.period_totals import Level, PeriodTotals, PeriodTotalsStore
from channeling.usage.record import SHARDS, UsageRecord, is_record_item, record_key, usage_record
from channeling.usage.store import UsageStore
from channeling.usage.token_counts import TokenCounts
from channeling.usage.totals import NOTHING, Numbers, UseOf, added
from channeling.usage.totals_reader import TotalsReader
from simulation.memory_dynamodb import MemoryDynamoDB
from tests.stand_ins.clock import SetClock

TABLES = TableNames.with_prefix("test")
MIDNIGHT_S = 1_795_478_400  # 2026-11-24T00:00:00Z
NO_DEADLINE_MS = 10**15
HOUR_S, DAY_S = 3_600, 86_400


class CountedDynamoDB(MemoryDynamoDB):
    """A store that counts what is read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()

    async def get(self, table: str, key: Item) -> Item | None:
        self.reads["get"] += 1
        return await super().get(table, key)

    async def query(self, table: str, partition: tuple[str, str], **options: Any) -> list[Item]:
        self.reads["query"] += 1
        items = await super().query(table, partition, **options)
        self.reads["records"] += sum("user_id" in item and is_record_item(item) for item in items)
        return items


class World:
    """A project "shop" that began at midnight, its records and what adds them up."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = SetClock(MIDNIGHT_S)
        self.dynamodb = CountedDynamoDB()
        self.usage = UsageStore(self.dynamodb, TABLES.usage, self.clock)
        self.reader = TotalsReader(self.dynamodb, TABLES.usage, self.clock)

    async def begin(self) -> None:
        created: Item = {"pk": "shop", "sk": "project", "created_at_ms": MIDNIGHT_S * 1_000}
        await self.dynamodb.put(TABLES.projects, created)

    async def put(self, started_s: int, *, user: str | None = None, cost: int | None = None) -> None:
        user = user or f"user-{self.random.randrange(3)}"
        hold_id = new_hold_id(started_s, self.random.randbytes)
        await self.usage.put(
            UsageRecord(
                key=record_key("shop", user, "day", hold_id, started_s),
                project_id="shop",
                user_id=user,
                window_kind="day",
                window_start_s=MIDNIGHT_S,
                started_ms=started_s * 1_000,
                request_id="req_1",
                status=self.random.choice(("ok", "ok", "failed", "cancelled")),
                cost=self.random.randrange(10_000) if cost is None else cost,
                provider="anthropic",
                model_used=f"model-{self.random.randrange(2)}",
                counts=TokenCounts(input_tokens=self.random.randrange(100)),
            )
        )

    async def roll_up(self) -> None:
        await hourly_rollups(self.dynamodb, TABLES, self.clock).run(NO_DEADLINE_MS, ["shop"])

    async def total_up(self) -> int:
        return await period_totals(self.dynamodb, TABLES, self.clock).run(NO_DEADLINE_MS)

    def recorded(self, first: int, end: int) -> dict[UseOf, tuple[int, int, int]]:
        """Return requests, cost and input of each use, from the records themselves."""
        sums: dict[UseOf, tuple[int, int, int]] = {}
        for item in self.dynamodb.items(TABLES.usage):
            if is_record_item(item):
                record = usage_record(item)
                if first <= record.key.partition.hour < end:
                    use = UseOf(record.user_id, record.provider, record.model_used)
                    one = sums.get(use, (0, 0, 0))
                    sums[use] = (one[0] + 1, one[1] + record.cost, one[2] + record.counts.input_tokens)
        return sums

    async def told(self, first: int, end: int, by: Level) -> dict[UseOf, tuple[int, int, int]]:
        sums: dict[UseOf, Numbers] = {}
        async for hour, rows in self.reader.read("shop", first, end, by=by):
            assert first <= hour < end
            for use, numbers in rows.items():
                sums[use] = added(sums.get(use, NOTHING), numbers)
        return {use: (numbers[0], numbers[1], numbers[11]) for use, numbers in sums.items()}


@pytest.mark.parametrize("seed", range(12))
async def test_totals_are_those_of_the_records_at_any_time(seed: int) -> None:
    world = World(seed)
    await world.begin()
    for _ in range(60):
        match world.random.randrange(6):
            case 0 | 1:
                now_s = int(world.clock.now_s)
                for _ in range(3):
                    # Into any hour since the beginning: most of them are late.
                    await world.put(world.random.randrange(MIDNIGHT_S, now_s + 1))
            case 2:
                world.clock.now_s += world.random.choice((600, 3_600, 5 * 3_600, DAY_S))
            case 3 | 4:
                await world.roll_up()
            case 5:
                await world.total_up()
        hours = int(world.clock.now_s) // HOUR_S + 1
        first = world.random.randrange(MIDNIGHT_S // HOUR_S - 3, hours)
        end = world.random.randrange(first + 1, hours + 1)
        for by in ("hour", "day"):
            level: Level = "hour" if by == "hour" else "day"
            assert await world.told(first, end, level) == world.recorded(first, end), (first, end, by)


async def test_a_month_is_read_in_few_reads() -> None:
    world = World(1)
    await world.begin()
    for hour in range(30 * 24):
        await world.put(MIDNIGHT_S + hour * HOUR_S)
    world.clock.now_s = MIDNIGHT_S + 30 * DAY_S
    await world.roll_up()
    assert await world.total_up() > 29 * 24
    assert await world.total_up() == 0
    world.dynamodb.reads.clear()
    first = MIDNIGHT_S // HOUR_S
    assert await world.told(first, first + 30 * 24 + 1, "day") == world.recorded(first, first + 30 * 24 + 1)
    # Days, hours before and after them, and three open hours: their sums, and then each of their partitions.
    assert world.dynamodb.reads["query"] <= 4 + 3 * SHARDS
    assert world.dynamodb.reads["get"] <= 5 * SHARDS


async def test_a_run_that_is_out_of_time_goes_on_where_it_stopped() -> None:
    world = World(1)
    await world.begin()
    await world.put(MIDNIGHT_S)
    world.clock.now_s = MIDNIGHT_S + 2 * DAY_S
    await world.roll_up()
    maker = period_totals(world.dynamodb, TABLES, world.clock)
    assert await maker.run(0) == 0
    assert await maker.run(NO_DEADLINE_MS) >= 45


async def test_many_users_take_several_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(period_totals_module, "_PART_BYTES", 500)
    world = World(1)
    await world.begin()
    for number in range(40):
        await world.put(MIDNIGHT_S, user=f"user-{number}-\U0001f4a5")
    world.clock.now_s = MIDNIGHT_S + 2 * DAY_S
    await world.roll_up()
    await world.total_up()
    first = MIDNIGHT_S // HOUR_S
    parts = await PeriodTotalsStore(world.dynamodb, TABLES.usage).read(
        "shop", "day", first // 24, first // 24 + 1
    )
    assert len(parts[first // 24]) > 5
    assert await world.told(first, first + 24, "day") == world.recorded(first, first + 24)


async def test_totals_of_fewer_records_never_replace_those_of_more() -> None:
    store = PeriodTotalsStore(MemoryDynamoDB(), TABLES.usage)
    use = UseOf("ana", "anthropic", "model")
    newer = PeriodTotals(5, {use: [2, *NOTHING[1:]]}, 2)
    await store.write("shop", "hour", newer)
    await store.write("shop", "hour", PeriodTotals(5, {use: [1, *NOTHING[1:]]}, 1))
    assert await store.read("shop", "hour", 5, 6) == {5: [newer]}


async def test_before_a_project_was_created_nothing_is_looked_for() -> None:
    world = World(1)
    await world.begin()
    await world.put(MIDNIGHT_S)
    world.dynamodb.reads.clear()
    hour = MIDNIGHT_S // HOUR_S
    found = [
        start async for start, _ in world.reader.read("shop", hour - 720, hour + 1, by="day", born_hour=hour)
    ]
    assert found == [hour]
    assert world.dynamodb.reads["query"] <= 1 + SHARDS


async def test_of_the_open_hour_only_what_came_since_the_last_run_is_read() -> None:
    world = World(1)
    await world.begin()
    world.clock.now_s = MIDNIGHT_S + 5 * HOUR_S + 1_800
    for second in range(0, HOUR_S, 20):
        await world.put(MIDNIGHT_S + 4 * HOUR_S + second)
        if second < 1_500:
            await world.put(MIDNIGHT_S + 5 * HOUR_S + second)
    await world.roll_up()
    world.clock.now_s += 200
    await world.put(int(world.clock.now_s))
    first, end = MIDNIGHT_S // HOUR_S, MIDNIGHT_S // HOUR_S + 6
    world.dynamodb.reads.clear()
    assert await world.told(first, end, "day") == world.recorded(first, end)
    assert world.dynamodb.reads["records"] == 1


@pytest.mark.parametrize("hour", [4, 5])
async def test_a_long_request_has_its_shard_read_from_the_records(hour: int) -> None:
    world = World(1)
    await world.begin()
    world.clock.now_s = MIDNIGHT_S + 5 * HOUR_S + 1_800
    for second in range(0, HOUR_S, 20):
        await world.put(MIDNIGHT_S + hour * HOUR_S + second % 1_500)
    await world.roll_up()
    # It began before what the run took for settled, and ends after the run.
    await world.put(MIDNIGHT_S + hour * HOUR_S + 100, user="user-0", cost=7_000_000)
    first, end = MIDNIGHT_S // HOUR_S, MIDNIGHT_S // HOUR_S + 6
    world.dynamodb.reads.clear()
    assert await world.told(first, end, "hour") == world.recorded(first, end)
    assert 0 < world.dynamodb.reads["records"] < HOUR_S // 20
    await world.roll_up()
    world.dynamodb.reads.clear()
    assert await world.told(first, end, "hour") == world.recorded(first, end)
    assert world.dynamodb.reads["records"] == 0


async def test_more_users_than_one_item_holds_are_read_from_the_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(period_totals_module, "_PART_BYTES", 500)
    world = World(1)
    await world.begin()
    world.clock.now_s = MIDNIGHT_S + 1_800
    for number in range(80):
        await world.put(MIDNIGHT_S, user=f"user-{number}-{'x' * 240}")
    await world.roll_up()
    first = MIDNIGHT_S // HOUR_S
    world.dynamodb.reads.clear()
    assert await world.told(first, first + 1, "hour") == world.recorded(first, first + 1)
    assert world.dynamodb.reads["records"] == 80
