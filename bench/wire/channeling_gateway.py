"""Channeling as a developer starts it: `channeling serve` with its embedded store."""

import asyncio
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from bench.budget_study import MODEL, NoCipher, Upstream
from bench.wire.gateway import Gateway, Ledger, Refusal, Task
from bench.wire.processes import first_line, running
from channeling.auth.mint import mint_token
from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.budgets.item import BudgetKey
from channeling.clock import SystemClock
from channeling.doors import Doors
from channeling.gateway import open_gateway
from channeling.settings import Settings
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import local_client

_SETTLED_WITHIN_S = 10.0


def anthropic_body(task: Task, user: str) -> bytes:
    """Return the streamed Messages request of a user."""
    return orjson.dumps(
        {
            "model": MODEL,
            "max_tokens": task.max_tokens,
            "stream": True,
            "metadata": {"user_id": user},
            "messages": [{"role": "user", "content": task.prompt}],
        }
    )


def refusal(status: int, body: bytes) -> Refusal:
    """Return what an answer other than 200 means to the client."""
    error = orjson.loads(body).get("error", {}) if status == 429 else {}
    if (error.get("details") or {}).get("error_code") == "budget_exceeded":
        return "spent"
    return "held" if status == 429 else "failed"


@contextmanager
def running_channeling(task: Task, enforcement: str) -> Iterator[Gateway]:
    """Run Channeling with one enforcement."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "CHANNELING_")) and not name.endswith("_API_KEY")
    }
    environ |= {
        "ANTHROPIC_API_KEY": "sk-ant-study",
        "CHANNELING_ANTHROPIC_BASE_URL": task.provider_url,
        "CHANNELING_ENFORCEMENT": enforcement,
        "CHANNELING_MAX_CONCURRENT": "128",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    program = Path(sys.executable).parent / "channeling"
    command: list[str | Path] = [program, "serve", "--port", "0", "--json", "--data", task.folder]
    with running(command, task.folder, "gateway.err", environ=environ) as process:
        said = first_line(process, task.folder / "gateway.err")
        local = orjson.loads((task.folder / "local.json").read_bytes())
        store = BotocoreDynamoDB(local_client(local["dynamodb_endpoint_url"]))
        tables = TableNames(**local["tables"])
        now_s = int(time.time())

        def token(user: str) -> str:
            return mint_token(
                user_id=user,
                project_id=said["project_id"],
                secret=said["hmac_secret"],
                limit_microusd=task.limit // 1_000,
                window="day",
                window_start_s=now_s,
                now_s=now_s,
            )

        try:
            yield Gateway(
                name=f"Channeling, {enforcement}",
                url=f"{said['base_url']}/v1/messages",
                headers={user: {"x-api-key": token(user)} for user in task.users},
                bodies={user: anthropic_body(task, user) for user in task.users},
                ending=b"event: message_stop",
                refusal=refusal,
                ledger=lambda user: asyncio.run(_ledger(store, tables, said["project_id"], user)),
            )
        finally:
            store.close()


async def _ledger(store: BotocoreDynamoDB, tables: TableNames, project_id: str, user: str) -> Ledger:
    """Return a user's window and records once nothing is held any more, read beside the running gateway."""
    doors = Doors(store, NoCipher(), Upstream(random.Random(0)), SystemClock(), random.randbytes)
    reader, deadline_s = open_gateway(Settings(tables), doors), time.monotonic() + _SETTLED_WITHIN_S
    while True:
        window = (await reader.budgets.read(BudgetKey(project_id, user, "day"))).window
        if window is not None and not window.holds:
            break
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"a hold of {user} was left behind")
        await asyncio.sleep(0.1)
    records = await reader.usage.of_user(project_id, user)
    if sum(record.cost for record in records) != window.settled:
        raise RuntimeError(f"the records of {user} do not add up to what was settled")
    return Ledger(window.settled, sum(record.uncollected for record in records))
