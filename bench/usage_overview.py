"""How long the overview of a month takes on DynamoDB Local: `python -m bench.usage_overview --records 1000000`.

Records are spread evenly over the days until the last minute of an hour, when the open hour has most; the clock
stands there. They are written with BatchWriteItem, rolled up and totalled by the reconciler, whose last run is five
minutes old, and then read as the dashboard's first page does. With --folder the store is kept, and filled once.
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.usage_records import DAY_S, PROJECT, Month, with_rollups, write_items
from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.operations.records import list_records
from channeling.operations.stores import Stores, open_stores
from channeling.operations.usage import read_usage
from channeling.projects.key_file_cipher import KeyFileCipher
from channeling.projects.project import ProjectRules, ProjectSecrets
from channeling.projects.project_secrets import create_project
from channeling.reconcile.hourly_rollups import MARGIN_S, hourly_rollups
from channeling.reconcile.period_totals import period_totals
from channeling.tables import TableNames
from channeling.usage.late_hours import LATE_AFTER_S
from channeling.usage.record import SHARDS
from channeling.usage.rollup_progress import RollupProgressStore
from channeling_cli.create_tables import create_tables
from channeling_cli.lean_store import open_lean_store

_NAMES = TableNames.with_prefix("overview")
_RECONCILED_EVERY_S = 300
_NO_DEADLINE_MS = 10**15
# DynamoDB Local is slow until its Java has seen some of it.
_WARM_UP, _TIMES = 30, 15
_FILLED = "filled.json"


@dataclass(frozen=True, slots=True)
class StandingClock:
    """A clock that stands: the month is as old at each reading."""

    at_s: int

    def now_ms(self) -> int:
        """Return its time."""
        return self.at_s * 1_000


async def fill(client: Any, month: Month) -> None:
    """Write the records of a month and let the reconciler add them up, all but its last five minutes.

    The rollups of hours that are final are written here, with BatchWriteItem too: the reconciler's own sums.
    """
    store = open_lean_store(client.meta.endpoint_url)
    await create_tables(store.tables_client, _NAMES)
    await store.aclose()
    reconciled_s = month.until_s - _RECONCILED_EVERY_S
    final_until_hour = (reconciled_s - MARGIN_S - LATE_AFTER_S) // 3_600
    started = time.monotonic()
    items = month.items()
    before = sum(month.second_of(number) < reconciled_s for number in range(month.records))
    rolled_up = with_rollups(islice(items, before), final_until_hour)
    write_items(client, _NAMES.usage, rolled_up)
    print(f"{before} records and their rollups written in {time.monotonic() - started:.0f} s", flush=True)
    dynamodb = BotocoreDynamoDB(client)
    clock = StandingClock(reconciled_s)
    stores = open_stores(dynamodb, _NAMES, KeyFileCipher(b"k" * 32), clock, os.urandom)
    rules, created_ms = ProjectRules("Shop"), month.from_s * 1_000
    await create_project(stores.projects, stores.cipher, PROJECT, rules, ProjectSecrets(), now_ms=created_ms)
    progress = RollupProgressStore(dynamodb, _NAMES.usage)
    await progress.begin(PROJECT, month.from_s // 3_600)
    await progress.advance(PROJECT, final_until_hour * SHARDS)
    dynamodb.close()
    await reconcile(client, month)
    write_items(client, _NAMES.usage, items)


async def reconcile(client: Any, month: Month) -> None:
    """Let the reconciler run as it did five minutes before the end of the month."""
    dynamodb = BotocoreDynamoDB(client)
    clock = StandingClock(month.until_s - _RECONCILED_EVERY_S)
    started = time.monotonic()
    made = await hourly_rollups(dynamodb, _NAMES, clock).run(_NO_DEADLINE_MS, [PROJECT])
    hours = await period_totals(dynamodb, _NAMES, clock).run(_NO_DEADLINE_MS)
    print(
        f"{made.written} rollups of open hours and the totals of {hours} hours made in"
        f" {time.monotonic() - started:.0f} s",
        flush=True,
    )
    dynamodb.close()


async def measure(endpoint_url: str, month: Month) -> dict[str, list[tuple[int, int]]]:
    """Return milliseconds of each reading, by what is read: until it is there, and of this process's own work.

    Through the client that `channeling serve` has.
    """
    store = open_lean_store(endpoint_url)
    clock = StandingClock(month.until_s)
    stores = open_stores(store.dynamodb, _NAMES, KeyFileCipher(b"k" * 32), clock, os.urandom)
    taken: dict[str, list[tuple[int, int]]] = {}
    for name, reading in _readings(stores, month.days).items():
        for _ in range(_WARM_UP):
            await reading()
        for _ in range(_TIMES):
            started, worked = time.perf_counter(), time.process_time()
            await reading()
            took = (time.perf_counter() - started, time.process_time() - worked)
            taken.setdefault(name, []).append((round(took[0] * 1_000), round(took[1] * 1_000)))
    await store.aclose()
    return taken


def _readings(stores: Stores, days: int) -> dict[str, Callable[[], Awaitable[object]]]:
    now_s = stores.now_s
    from_s = now_s - days * DAY_S
    return {
        "overview": lambda: read_usage(stores, PROJECT, from_s, now_s + 1),
        "day by hours": lambda: read_usage(stores, PROJECT, now_s - DAY_S, now_s + 1, bucket="hour"),
        "newest 50 records": lambda: list_records(stores, PROJECT, from_s, now_s + 1),
    }


def run(month: Month, folder: Path) -> None:
    """Fill the store in a folder unless it is filled; measure and print."""
    from tests.dynamodb_local.dynamodb_local import running_dynamodb_local
    from tests.fetched_tools import dynamodb_local

    filled = folder / _FILLED
    with running_dynamodb_local(dynamodb_local(), folder) as store:
        client = store.client()
        if filled.exists():
            month = Month(**json.loads(filled.read_text()))
        else:
            asyncio.run(fill(client, month))
            filled.write_text(json.dumps(asdict(month)))
        asyncio.run(reconcile(client, month))
        print(f"{month.records} records of {month.users} users in {month.days} days:")
        for name, taken in asyncio.run(measure(store.endpoint_url, month)).items():
            whole, own = (sorted(column) for column in zip(*taken, strict=True))
            print(
                f"{name}: median {whole[_TIMES // 2]} ms, best {whole[0]} ms;"
                f" own work {own[_TIMES // 2]} ms; all: {[one for one, _ in taken]}"
            )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench.usage_overview", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="keep the store here (gigabytes for a million records)")
    options = parser.parse_args()
    # The last second of an hour that is over.
    until_s = int(time.time()) // 3_600 * 3_600 - 1
    month = Month(options.records, options.days, options.users, until_s)
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
    keeping = TemporaryDirectory() if options.folder is None else nullcontext(str(options.folder))
    with keeping as folder:
        run(month, Path(folder))


if __name__ == "__main__":
    main()
