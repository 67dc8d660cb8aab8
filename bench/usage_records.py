"""Made-up usage records, evenly over the days before a moment, and how they are written in bulk."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from channeling.budgets.hold_id import new_hold_id
from channeling.dynamodb import Item, to_attributes
from channeling.usage.record import RecordPartition, UsageRecord, record_item, record_key, usage_record
from channeling.usage.rollup import RollupTally, rollup_item
from channeling.usage.token_counts import TokenCounts

PROJECT = "shop"
DAY_S = 86_400
_BATCH = 25  # BatchWriteItem takes no more
_WRITERS = 4
_MODELS = (("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-haiku-4-5"), ("openai", "gpt-5.2"))


@dataclass(frozen=True, slots=True)
class Month:
    """How many records of how many users there are in so many days before a second since the epoch."""

    records: int
    days: int
    users: int
    until_s: int

    @property
    def from_s(self) -> int:
        """The second of the first record."""
        return self.until_s - self.days * DAY_S

    def second_of(self, number: int) -> int:
        """Return when a record's request began."""
        return self.from_s + number * self.days * DAY_S // self.records

    def items(self, seed: int = 1) -> Iterator[Item]:
        """Yield the items of project "shop", oldest first: the same for the same seed."""
        chance = random.Random(seed)
        for number in range(self.records):
            yield _item(number, self.second_of(number), self.users, chance)


def with_rollups(items: Iterator[Item], until_hour: int) -> Iterator[Item]:
    """Yield the items of records, oldest first, and after each hour before one the items of its rollups."""
    tallies: dict[RecordPartition, RollupTally] = {}
    for item in items:
        record = usage_record(item)
        partition = record.key.partition
        if any(open_one.hour != partition.hour for open_one in tallies):
            yield from _rollup_items(tallies)
            tallies = {}
        if partition.hour < until_hour:
            tallies.setdefault(partition, RollupTally(partition)).add(record)
        yield item
    yield from _rollup_items(tallies)


def _rollup_items(tallies: dict[RecordPartition, RollupTally]) -> Iterator[Item]:
    for tally in tallies.values():
        yield from map(rollup_item, tally.rollups())


def write_items(client: Any, table: str, items: Iterator[Item]) -> None:
    """Write items with BatchWriteItem, again where some were not processed."""

    def write(batch: list[Item]) -> None:
        left = {table: [{"PutRequest": {"Item": to_attributes(item)}} for item in batch]}
        while left:
            left = client.batch_write_item(RequestItems=left).get("UnprocessedItems", {})

    with ThreadPoolExecutor(_WRITERS) as writers:
        while some := [batch for _ in range(400) if (batch := list(islice(items, _BATCH)))]:
            list(writers.map(write, some))


def _item(number: int, started_s: int, users: int, chance: random.Random) -> Item:
    user = f"user-{chance.randrange(users)}"
    provider, model = chance.choice(_MODELS)
    hold_id = new_hold_id(started_s, chance.randbytes)
    return record_item(
        UsageRecord(
            key=record_key(PROJECT, user, "day", hold_id, started_s),
            project_id=PROJECT,
            user_id=user,
            window_kind="day",
            window_start_s=started_s // DAY_S * DAY_S,
            started_ms=started_s * 1_000,
            request_id=f"req_{number:024x}",
            status="ok",
            cost=chance.randrange(50_000_000),
            provider=provider,
            model_asked=model,
            model_used=model,
            price_source="default:2026-11-24",
            counts=TokenCounts(
                chance.randrange(20_000), chance.randrange(50_000), 0, 0, chance.randrange(2_000)
            ),
            stop_reason="end_turn",
            duration_ms=chance.randrange(60_000),
            first_token_ms=chance.randrange(3_000),
            streamed=True,
        )
    )
