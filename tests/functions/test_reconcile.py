"""The reconcile function, as Lambda loads it: a scheduled event in, a report out, and the hold has ended."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from channeling.dynamodb import DynamoDB, Item
from channeling.settings import Settings
from channeling.tables import TableNames
from channeling.usage.record import SHARDS
from channeling_cli.embedded_dynamodb import ENVIRONMENT, EmbeddedDynamoDB
from tests.channeling.budgets.conftest import Protocol
from tests.channeling.budgets.conftest import protocol as protocol

ROOT = Path(__file__).parents[2]
_INVOKE = """
import json, sys
import app
class Context:
    def get_remaining_time_in_millis(self):
        return int(sys.argv[1])
print(json.dumps(app.handler(json.load(sys.stdin), Context())))
loaded = {name.split(".")[0] for name in sys.modules}
heavy = {"boto3", "botocore", "cryptography", "fastapi", "pydantic", "httpx", "moto", "channeling_cli"}
assert not heavy & loaded, loaded
"""


def _invoke(
    store: EmbeddedDynamoDB, tables: TableNames, left_ms: int, event: str | None = None
) -> tuple[object, list[dict[str, object]]]:
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT / "functions/reconcile"), str(ROOT / "shared")]),
        **ENVIRONMENT,
        "AWS_ENDPOINT_URL_DYNAMODB": store.endpoint_url,
        "CHANNELING_PROJECTS_TABLE": tables.projects,
        "CHANNELING_BUDGETS_TABLE": tables.budgets,
        "CHANNELING_USAGE_TABLE": tables.usage,
        "CHANNELING_KMS_KEY_ID": "alias/not-used",
    }
    ran = subprocess.run(
        [sys.executable, "-c", _INVOKE, str(left_ms)],
        input=(ROOT / "events/reconcile.json").read_text() if event is None else event,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout), [json.loads(line) for line in ran.stderr.splitlines()]


async def test_an_event_ends_expired_holds_and_is_answered_with_a_report(
    protocol: Protocol, dynamodb: DynamoDB, embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames
) -> None:
    protocol.clock.now_s = 1_700_000_000
    await protocol.held(100)
    created: Item = {"pk": "demo", "sk": "project", "created_at_ms": time.time_ns() // 1_000_000}
    await dynamodb.put(tables.projects, created)
    assert Settings(tables).hold_lifetime_s < 10**6  # the hold is years old by the function's clock
    report, logged = _invoke(embedded_dynamodb, tables, 240_000)
    assert report == {
        "budgets_read": 1,
        "adjustments_finished": 0,
        "holds_ended": 1,
        "budgets_failed": 0,
        "budgets_left": False,
        # The hold is of an hour long ago, which was marked; the project is new.
        "partitions_rolled_up": 1 + SHARDS,
        "rollups_written": 1,
        "rollups_failed": 0,
        "rollups_left": False,
        "records_unreadable": 0,
        "hours_totalled": 0,
        "months_added_up": 0,
        "projects_removed": 0,
    }
    [line] = logged
    assert line["message"] == "reconciled"
    assert line["holds_ended"] == 1
    item = await protocol.item()
    assert item.window is not None
    assert (item.window.holds, item.window.settled) == ({}, 100)


async def test_it_stops_half_a_minute_before_lambda_stops_it(
    protocol: Protocol, embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames
) -> None:
    protocol.clock.now_s = 1_700_000_000
    await protocol.held(100)
    report, _ = _invoke(embedded_dynamodb, tables, 30_000)
    assert isinstance(report, dict)
    assert (report["holds_ended"], report["budgets_left"]) == (0, True)


async def test_each_minute_it_does_what_projects_need_alone(
    protocol: Protocol, embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames
) -> None:
    protocol.clock.now_s = 1_700_000_000
    await protocol.held(100)
    report, _ = _invoke(embedded_dynamodb, tables, 240_000, '{"only": "projects"}')
    assert report == {"months_added_up": 0, "projects_removed": 0}
