"""An export of any length goes out as it is read, in constant memory: from the app, and through our runtime."""

import asyncio
import sys
import types
from dataclasses import replace
from typing import Any

import pytest

from channeling.budgets.hold_id import new_hold_id
from channeling.dynamodb import Item
from channeling.operations.stores import open_stores
from channeling.usage.record import UsageRecord, record_item, record_key, shard_of
from channeling_admin.app import create_admin_app
from lambda_asgi.clock import SystemClock
from lambda_asgi.runtime import run
from simulation.memory_dynamodb import MemoryDynamoDB
from tests.channeling_admin.conftest import NOW_S, AdminUnderTest
from tests.layers.runtime.runtime_api_stand_in import RuntimeApiStandIn, event

_IN_AN_HOUR = 500
_PATH = "/api/projects/shop/export"


class BusyHours(MemoryDynamoDB):
    """A store with 500 records of one user in each hour, made when they are read; it notes how many were."""

    def __init__(self) -> None:
        super().__init__()
        self.handed_out = 0
        # How many records were read when the client had so many lines of them.
        self.ahead: list[int] = []
        self.received_lines = 0

    async def query(self, table: str, partition: tuple[str, str], **options: Any) -> list[Item]:
        project_id, *rest = partition[1].split("#")
        if len(rest) != 2 or not all(part.isdigit() for part in rest):
            return await super().query(table, partition, **options)
        if int(rest[1]) != shard_of(project_id, "ana"):
            return []
        self.ahead.append(self.handed_out - self.received_lines)
        self.handed_out += _IN_AN_HOUR
        return [_item(int(rest[0]) * 3_600 + number) for number in range(_IN_AN_HOUR)]


def _item(started_s: int) -> Item:
    hold_id = new_hold_id(started_s, bytes)
    return record_item(
        UsageRecord(
            key=record_key("shop", "ana", "day", hold_id, started_s),
            project_id="shop",
            user_id="ana",
            window_kind="day",
            window_start_s=0,
            started_ms=started_s * 1_000,
            request_id=f"req_{started_s}",
            status="ok",
            cost=1,
        )
    )


@pytest.fixture
async def store(under_test: AdminUnderTest) -> BusyHours:
    """The store, with project "shop", that the admin API under test works on from here on."""
    store = BusyHours()
    before = under_test.stores
    for item in await before.dynamodb.query(before.tables.projects, ("pk", "shop")):
        await store.put(before.tables.projects, item)
    stores = open_stores(store, before.tables, before.cipher, before.clock, before.randomness)
    under_test.admin = replace(under_test.admin, stores=stores)
    return store


def _query(hours: int, form: str) -> str:
    def iso(second: int) -> str:
        return f"2026-11-24T{second // 3_600 % 24:02d}:00:00Z"

    return f"from={iso(NOW_S - hours * 3_600)}&until={iso(NOW_S)}&format={form}"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_what_is_read_has_gone_out_before_more_is_read(
    under_test: AdminUnderTest, store: BusyHours, form: str
) -> None:
    """At no time is more than two pages of records between the store and the client."""
    chunks: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            chunks.append(len(message.get("body", b"")))
            store.received_lines += message.get("body", b"").count(b"\n")

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {
        "type": "http",
        "method": "GET",
        "path": _PATH,
        "raw_path": _PATH.encode(),
        "root_path": "",
        "query_string": _query(12, form).encode(),
        "headers": [(b"authorization", f"Bearer {under_test.token()}".encode())],
        "client": ("192.0.2.1", 1),
        "http_version": "1.1",
        "scheme": "http",
        "server": ("admin.test", 80),
    }
    await create_admin_app(under_test.admin)(scope, receive, send)
    assert store.received_lines == 12 * _IN_AN_HOUR + (form == "csv")
    assert len(store.ahead) == 12
    assert max(store.ahead) <= 2 * _IN_AN_HOUR
    assert max(chunks) < 100_000


async def test_on_lambda_it_is_streamed_too(
    under_test: AdminUnderTest, store: BusyHours, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("admin_under_test")
    module.app = create_admin_app(under_test.admin)  # type: ignore[attr-defined]  # a module made here
    monkeypatch.setitem(sys.modules, "admin_under_test", module)
    runtime_api = RuntimeApiStandIn()
    environ = {"AWS_LAMBDA_RUNTIME_API": await runtime_api.start(), "_HANDLER": "admin_under_test.app"}
    environment = asyncio.create_task(run(environ, SystemClock()))
    headers = {"authorization": f"Bearer {under_test.token()}"}
    try:
        invocation = runtime_api.invoke(event(_PATH, query=_query(12, "jsonl"), headers=headers))
        async with asyncio.timeout(60):
            prelude = await invocation.prelude()
            assert (prelude["statusCode"], prelude["headers"]["content-type"]) == (200, "application/jsonl")
            assert invocation.response_headers["lambda-runtime-function-response-mode"] == "streaming"
            body = await invocation.body()
        assert body.count(b"\n") == 12 * _IN_AN_HOUR
        assert invocation.trailers == {}
    finally:
        environment.cancel()
        await asyncio.gather(environment, return_exceptions=True)
        await runtime_api.close()
