"""How long the overview of a month takes on DynamoDB Local: `python -m bench.usage_overview --records 1000000`.

Records are spread evenly over the days until now and written with BatchWriteItem, rolled up and totalled as the
reconciler does, and then read as the dashboard's first page does. A million take about a quarter of an hour.
"""

import argparse
import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from channeling.budgets.hold_id import new_hold_id
from channeling.clock import SystemClock
from channeling.dynamodb import BotocoreDynamoDB, Item, to_attributes
from channeling.operations.records import list_records
from channeling.operations.stores import Stores, open_stores
from channeling.operations.usage import read_usage
from channeling.projects.key_file_cipher import KeyFileCipher
from channeling.projects.project import ProjectRules, ProjectSecrets
from channeling.projects.project_secrets import create_project
from channeling.reconcile.hourly_rollups import hourly_rollups
from channeling.reconcile.period_totals import period_totals
from channeling.tables import TableNames
from channeling.usage.record import UsageRecord, record_item, record_key
from channeling.usage.token_counts import TokenCounts
from channeling_cli.create_tables import create_tables

PROJECT = "shop"
DAY_S = 86_400
_BATCH = 25  # BatchWriteItem takes no more
_WRITERS = 4
_NO_DEADLINE_MS = 10**15
_MODELS = (("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-haiku-4-5"), ("openai", "gpt-5.2"))


def usage_items(count: int, days: int, users: int, until_s: int, seed: int = 1) -> Iterator[Item]:
    """Yield the items of so many records of project "shop", evenly over the days before a second."""
    chance = random.Random(seed)
    for number in range(count):
        started_s = until_s - days * DAY_S + number * days * DAY_S // count
        user = f"user-{chance.randrange(users)}"
        provider, model = chance.choice(_MODELS)
        hold_id = new_hold_id(started_s, chance.randbytes)
        yield record_item(
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


def write_items(client: Any, table: str, items: Iterator[Item]) -> None:
    """Write items with BatchWriteItem, again where some were not processed."""

    def write(batch: list[Item]) -> None:
        left = {table: [{"PutRequest": {"Item": to_attributes(item)}} for item in batch]}
        while left:
            left = client.batch_write_item(RequestItems=left).get("UnprocessedItems", {})

    with ThreadPoolExecutor(_WRITERS) as writers:
        while some := [batch for _ in range(400) if (batch := list(islice(items, _BATCH)))]:
            list(writers.map(write, some))


async def measure(stores: Stores, days: int) -> dict[str, list[int]]:
    """Return milliseconds of each of five readings, by what is read."""
    now_s = stores.now_s
    readings: dict[str, Callable[[], Awaitable[object]]] = {
        "overview": lambda: read_usage(stores, PROJECT, now_s - days * DAY_S, now_s + 1),
        "day by hours": lambda: read_usage(stores, PROJECT, now_s - DAY_S, now_s + 1, bucket="hour"),
        "newest 50 records": lambda: list_records(stores, PROJECT, now_s - days * DAY_S, now_s + 1),
    }
    taken: dict[str, list[int]] = {}
    for name, reading in readings.items():
        for _ in range(5):
            started = time.perf_counter()
            await reading()
            taken.setdefault(name, []).append(round((time.perf_counter() - started) * 1_000))
    return taken


async def run(endpoint_client: Any, count: int, days: int, users: int) -> None:
    """Fill, roll up, total up and measure; print each."""
    names = TableNames.with_prefix("overview")
    create_tables(endpoint_client, names)
    clock = SystemClock()
    dynamodb = BotocoreDynamoDB(endpoint_client)
    stores = open_stores(dynamodb, names, KeyFileCipher(b"k" * 32), clock, os.urandom)
    created_ms = clock.now_ms() - days * DAY_S * 1_000
    await create_project(
        stores.projects, stores.cipher, PROJECT, ProjectRules("Shop"), ProjectSecrets(), now_ms=created_ms
    )
    started = time.monotonic()
    write_items(endpoint_client, names.usage, usage_items(count, days, users, stores.now_s))
    print(f"{count} records of {users} users in {days} days written in {time.monotonic() - started:.0f} s")
    started = time.monotonic()
    await hourly_rollups(dynamodb, names, clock).run(_NO_DEADLINE_MS, [PROJECT])
    hours = await period_totals(dynamodb, names, clock).run(_NO_DEADLINE_MS)
    print(f"rolled up and totalled ({hours} hours) in {time.monotonic() - started:.0f} s")
    for name, taken in (await measure(stores, days)).items():
        print(f"{name}: {min(taken)} ms at best, {taken} ms")
    dynamodb.close()


def main() -> None:
    """Run the benchmark."""
    from tests.dynamodb_local.dynamodb_local import running_dynamodb_local
    from tests.fetched_tools import dynamodb_local

    parser = argparse.ArgumentParser(prog="python -m bench.usage_overview", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--users", type=int, default=200)
    options = parser.parse_args()
    with running_dynamodb_local(dynamodb_local()) as store:
        asyncio.run(run(store.client(), options.records, options.days, options.users))


if __name__ == "__main__":
    main()
