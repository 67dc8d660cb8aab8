"""Records are followed as they are put: each once, in order, those of long requests too, and no other user's."""

import itertools
from dataclasses import dataclass, field

import pytest

from channeling.budgets.hold_id import new_hold_id
from channeling.operations.follow import LONG_LOOK_EVERY_TURNS, follow_records
from channeling.operations.stores import Stores, open_stores
from channeling.projects.errors import ProjectMissing
from channeling.projects.key_file_cipher import KeyFileCipher
from channeling.projects.project import ProjectRules, ProjectSecrets
from channeling.projects.project_secrets import create_project
from channeling.tables import TableNames
from channeling.usage.record import UsageRecord, record_key
from simulation.memory_dynamodb import MemoryDynamoDB
from tests.stand_ins.clock import SetClock

HOUR_S = 1_800_000_000 - 1_800_000_000 % 3_600


class Over(Exception):
    """The test has seen enough."""


@dataclass
class Followed:
    """A store in memory, and what is put into it before each look."""

    clock: SetClock = field(default_factory=lambda: SetClock(HOUR_S + 1_800))
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    turns: int = 0

    def __post_init__(self) -> None:
        names = TableNames.with_prefix("memory")
        self.stores: Stores = open_stores(
            MemoryDynamoDB(), names, KeyFileCipher(b"k" * 32), self.clock, bytes
        )

    async def add_project(self) -> None:
        secrets = ProjectSecrets(("hk_live_" + "5" * 32,))
        await create_project(
            self.stores.projects, self.stores.cipher, "demo", ProjectRules("Demo"), secrets, now_ms=1
        )

    async def put(self, request_id: str, began_s: float, user: str = "ana") -> None:
        started_s = int(began_s)
        hold_id = new_hold_id(started_s, lambda count: next(self.numbers).to_bytes(count))
        key = record_key("demo", user, "day", hold_id, started_s)
        await self.stores.usage.put(
            UsageRecord(key, "demo", user, "day", 0, started_s * 1_000, request_id, "ok", 1)
        )

    async def seen(
        self, puts: dict[int, list[tuple[str, float, str]]], *, turns: int, user: str | None = None
    ) -> list[str]:
        """Return the request ids in the order they were seen; `puts` are (id, seconds ago, user) by turn."""
        found: list[str] = []

        async def wait() -> None:
            self.turns += 1
            if self.turns >= turns:
                raise Over
            self.clock.now_s += 1
            for request_id, ago_s, whose in puts.get(self.turns, []):
                await self.put(request_id, self.clock.now_s - ago_s, whose)

        for request_id, ago_s, whose in puts.get(0, []):
            await self.put(request_id, self.clock.now_s - ago_s, whose)
        since_s = int(self.clock.now_s) - 60
        try:
            async for record in follow_records(self.stores, "demo", user_id=user, since_s=since_s, wait=wait):
                found.append(record.request_id)
        except Over:
            return found
        raise AssertionError("following ends by itself")


@pytest.fixture
async def followed() -> Followed:
    followed = Followed()
    await followed.add_project()
    return followed


async def test_each_is_seen_once_as_it_comes(followed: Followed) -> None:
    """What was there within the time asked for, oldest first; then each new one at the next look."""
    puts = {
        0: [("there", 10, "ana"), ("before", 20, "ben"), ("too old", 120, "ana")],
        1: [("now", 0, "ana")],
        3: [("took 30 s", 30, "ben"), ("short", 1, "ana")],
    }
    assert await followed.seen(puts, turns=8) == ["before", "there", "now", "took 30 s", "short"]


async def test_one_that_took_long_is_seen_at_the_next_long_look(followed: Followed) -> None:
    """Also over the end of an hour, which is another partition."""
    followed.clock.now_s = HOUR_S + 30
    put_at = LONG_LOOK_EVERY_TURNS * 3 + 1
    puts = {put_at: [("took 100 s", 100, "ana")]}
    assert await followed.seen(puts, turns=put_at + LONG_LOOK_EVERY_TURNS - 1) == []
    followed.turns = 0
    followed.clock.now_s = HOUR_S + 3_600 + 30
    puts = {put_at: [("took 100 s too", 100, "ana")]}
    assert await followed.seen(puts, turns=put_at + LONG_LOOK_EVERY_TURNS) == ["took 100 s too"]


async def test_one_user_alone(followed: Followed) -> None:
    puts = {0: [("a", 1, "ana"), ("b", 1, "ben")], 1: [("c", 0, "ben"), ("d", 0, "ana")]}
    assert await followed.seen(puts, turns=3, user="ana") == ["a", "d"]


async def test_a_missing_project_is_said(followed: Followed) -> None:
    async def wait() -> None:
        raise Over

    with pytest.raises(ProjectMissing):
        async for _ in follow_records(followed.stores, "missing", since_s=0, wait=wait):
            pass
