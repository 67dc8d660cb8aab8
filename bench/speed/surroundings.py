"""What a run measures once: DynamoDB's stand-in alone, and the cold import of the messages function."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import orjson

from bench.speed.channeling import running_dynamodb
from bench.speed.native import Load, press
from bench.wire.processes import ROOT
from channeling.dynamodb import Item
from channeling.tables import TableNames
from channeling_cli.create_tables import create_tables
from channeling_cli.lean_store import open_lean_store

_IMPORTS = 8
_PROGRAM = """
import sys, time
sys.path[:0] = {path!r}
began = time.perf_counter()
import {what}
print(time.perf_counter() - began)
"""
# A hold's form: what requests wait for before anything goes to a provider.
_HOLD = {
    "UpdateExpression": "SET committed = committed + :amount, holds.#id = :amount",
    "ConditionExpression": "(window_end > :now) AND (committed <= :room) AND (size(holds) < :most) AND"
    " (attribute_not_exists(revoked_before) OR revoked_before < :now)",
    "ExpressionAttributeNames": {"#id": "hold"},
    "ExpressionAttributeValues": {
        ":amount": {"N": "1"},
        ":now": {"N": "1"},
        ":room": {"N": "1000000000000"},
        ":most": {"N": "100"},
    },
    "ReturnValues": "ALL_NEW",
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}


def store_figures(folder: Path, seconds: float) -> tuple[float, float]:
    """Return a hold's milliseconds at DynamoDB's stand-in, and how many a second it does, all on one core."""
    names = TableNames.with_prefix("alone")
    with running_dynamodb(folder) as port:
        asyncio.run(_make_budget(f"http://127.0.0.1:{port}", names))
        key = {"pk": {"S": "demo#user"}, "sk": {"S": "day"}}
        body = orjson.dumps({"TableName": names.budgets, "Key": key, **_HOLD})
        file = folder / "hold"
        head = (
            f"POST / HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nx-amz-target: DynamoDB_20120810.UpdateItem\r\n"
            f"content-type: application/x-amz-json-1.0\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        file.write_bytes(head.encode() + body)
        alone = press(port, Load(1, "Attributes", seconds=seconds, warm_up_s=0.2), [file])
        full = press(port, Load(16, "Attributes", seconds=seconds, warm_up_s=0.2), [file])
    return float(alone["latency_ms"]["p50"]), float(full["rps"])


async def _make_budget(url: str, names: TableNames) -> None:
    store = open_lean_store(url)
    await create_tables(store.tables_client, names)
    budget: Item = {"pk": "demo#user", "sk": "day", "window_end": 9, "committed": 0, "holds": {}}
    await store.dynamodb.put(names.budgets, budget)
    await store.aclose()


def cold_import_ms() -> tuple[float, float]:
    """Return the cold import of the messages function, and of httpx with botocore.session: the best of eight."""
    environ = {
        "PATH": os.environ["PATH"],
        "CHANNELING_PROJECTS_TABLE": "projects",
        "CHANNELING_BUDGETS_TABLE": "budgets",
        "CHANNELING_USAGE_TABLE": "usage",
        "CHANNELING_KMS_KEY_ID": "key",
        "AWS_REGION": "us-east-1",
    }
    path = [str(ROOT / "functions/messages"), str(ROOT / "shared")]
    function, other = [
        min(_import_ms(what, path, environ) for _ in range(_IMPORTS))
        for what in ("app", "httpx, botocore.session")
    ]
    return function, other


def _import_ms(what: str, path: list[str], environ: dict[str, str]) -> float:
    program = _PROGRAM.format(path=path, what=what)
    ran = subprocess.run(  # noqa: S603 - two imports
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    )
    return float(ran.stdout) * 1000
