"""In whatever order records, late ones, runs, deadlines, crashes and pauses come, reports are sums of records."""

import random

import pytest

from channeling.tables import TableNames
from channeling.usage.record import UsageRecord
from simulation.memory_dynamodb import MemoryDynamoDB
from tests.channeling.reconcile.rolled_up_hours import NO_DEADLINE_MS, NOON_HOUR, RolledUpHours

STEPS = 40
USERS = ("ana", "ben", "cleo", "dora")


class Crash(BaseException):
    """The process dies: nothing catches it."""


class Life:
    """One random life of a deployment; all randomness is the seed's."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.hours = RolledUpHours(MemoryDynamoDB(), TableNames.with_prefix("memory"))
        self.depth = 0

    @property
    def hour(self) -> int:
        """Hours since noon."""
        return int(self.hours.clock.now_s) // 3_600 - NOON_HOUR

    async def step(self) -> None:
        """Do one thing, which others may come in between."""
        match self.rng.choice(("put", "put", "late", "run", "run", "wait", "long wait")):
            case "put":
                await self.put(
                    self.hours.record(self.hour, user=self.rng.choice(USERS), cost=self.rng.randrange(9))
                )
            case "late":
                hour = self.rng.randint(0, self.hour)
                await self.put(self.hours.record(hour, user=self.rng.choice(USERS), status="reclaimed"))
            case "run":
                await self.run()
            case "wait":
                self.hours.clock.now_s += self.rng.choice((60, 300, 1_800))
            case "long wait":
                self.hours.clock.now_s += self.rng.choice((3_600, 7_500, 20_000))

    async def put(self, record: UsageRecord) -> None:
        """Put a record; whoever dies at it has a reclaimer who puts it again."""
        dies_at = self.rng.choice((None, None, 1, 2))

        async def die(number: int, _: str) -> None:
            if number == dies_at:
                raise Crash

        try:
            await self.hours.watched(die).usage.put(record)
        except Crash:
            await self.hours.usage.put(record)

    async def run(self) -> None:
        """Roll up, with something in between some of the calls; it may die, or be out of time."""
        dies_at = self.rng.choice((None, None, self.rng.randrange(1, 60)))
        for_ms = self.rng.choice((NO_DEADLINE_MS, 500, 3_000))
        self.depth += 1

        async def in_between(number: int, _: str) -> None:
            if number == dies_at:
                raise Crash
            self.hours.clock.now_s += self.rng.choice((0, 0, 0.02, 0.1))
            if self.depth < 3 and self.rng.random() < 0.05:
                await self.step()
            if self.rng.random() < 0.02:
                await self.hours.assert_read_adds_up(0, self.hour + 2)

        try:
            await self.hours.run(deadline_ms=self.hours.clock.now_ms() + for_ms, before=in_between)
        except Crash:
            pass
        finally:
            self.depth -= 1


@pytest.mark.parametrize("first_seed", range(0, 30, 10))
async def test_reports_are_the_sums_of_the_records_at_any_time(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 10):
        life = Life(seed)
        await life.hours.add_project()
        for _ in range(STEPS):
            await life.step()
            await life.hours.assert_read_adds_up(0, life.hour + 2)
        await life.hours.run()
        await life.hours.assert_stored_adds_up(*range(life.hour + 1))
        assert await life.hours.marks() == {}
