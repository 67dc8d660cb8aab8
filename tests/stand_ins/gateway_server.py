"""The gateway on a real port: the product's own app on uvicorn, with a project, a token and a counted store."""

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvicorn
from msgspec.structs import replace

from channeling.alert_door import AlertDoor, LoggedAlerts
from channeling.app import create_app
from channeling.auth.mint import mint_token
from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.budgets.item import BudgetItem, BudgetKey
from channeling.budgets.store import BudgetStore
from channeling.clock import Clock, SystemClock
from channeling.doors import Doors
from channeling.dynamodb import DynamoDB, Item, Page, Update
from channeling.errors import StoreUnavailable
from channeling.metrics import Metrics, NoMetrics
from channeling.projects.key_file_cipher import KeyFileCipher
from channeling.projects.project import ProjectRules, ProjectSecrets
from channeling.projects.project_secrets import create_project
from channeling.projects.store import ProjectStore
from channeling.provider import Provider
from channeling.settings import Settings
from channeling.tables import TableNames
from channeling.upstream import HttpUpstream
from channeling.usage.record import UsageRecord
from channeling.usage.store import UsageStore
from channeling.window_kind import WindowKind
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from channeling_cli.lean_store import LeanStore, open_lean_store
from channeling_cli.server import SettlingServer

HMAC_SECRET = "hk_live_" + "5" * 32
PROVIDER_KEY = "sk-ant-of-the-project"
PROJECT_ID = "demo"


class CountedDynamoDB:
    """`DynamoDB` that notes each call as (operation, table), can be cut off, and can lose the answers of
    updates that it has applied."""

    def __init__(self, store: DynamoDB) -> None:
        self._store = store
        self.calls: list[tuple[str, str]] = []
        self.is_down = False
        self.answers_to_lose = 0
        # The next update is applied, and with its answer all of the store is lost.
        self.goes_after_update = False

    async def get(self, table: str, key: Item) -> Item | None:
        self._note("get", table)
        return await self._store.get(table, key)

    async def put(self, table: str, item: Item, *, unless_exists: str | None = None) -> None:
        self._note("put", table)
        await self._store.put(table, item, unless_exists=unless_exists)

    async def update(self, update: Update) -> Item:
        self._note("update", update.table)
        after = await self._store.update(update)
        if self.goes_after_update:
            self.goes_after_update, self.is_down = False, True
            raise StoreUnavailable("the budget store did not answer")
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            raise StoreUnavailable("the budget store did not answer")
        return after

    async def query(self, table: str, partition: tuple[str, str], **options: Any) -> list[Item]:
        self._note("query", table)
        return await self._store.query(table, partition, **options)

    async def delete(self, table: str, key: Item) -> Item | None:
        self._note("delete", table)
        return await self._store.delete(table, key)

    async def transact(self, updates: Sequence[Update]) -> None:
        self._note("transact", updates[0].table)
        await self._store.transact(updates)

    async def scan_page(self, table: str, *, after: Item | None, limit: int) -> Page:
        self._note("scan", table)
        return await self._store.scan_page(table, after=after, limit=limit)

    def _note(self, operation: str, table: str) -> None:
        self.calls.append((operation, table.rsplit("-", 1)[-1]))
        if self.is_down:
            raise StoreUnavailable("the budget store did not answer")


@dataclass
class GatewayServer:
    """`with GatewayServer(store, tables, upstream_url) as gateway:` serves on `gateway.base_url`."""

    store: EmbeddedDynamoDB
    tables: TableNames
    anthropic_base_url: str
    rules: ProjectRules = field(default_factory=lambda: ProjectRules("Demo"))
    provider_keys: dict[Provider, str] = field(default_factory=lambda: {"anthropic": PROVIDER_KEY})
    settings_changes: dict[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock)
    # Whose token, budget and records are meant where none is named.
    user: str = "user-1"
    openai_base_url: str = "http://127.0.0.1:9/v1"
    alerts: AlertDoor = field(default_factory=LoggedAlerts)
    openrouter_base_url: str = "http://127.0.0.1:9/api/v1"
    metrics: Metrics = field(default_factory=NoMetrics)
    open_store: Callable[[str], LeanStore] = open_lean_store

    def __enter__(self) -> Self:
        self._dynamodb = BotocoreDynamoDB(self.store.client())
        lean = self.open_store(self.store.endpoint_url)
        self.dynamodb = CountedDynamoDB(lean.dynamodb)
        cipher = KeyFileCipher(b"k" * 32)
        self.settings = replace(
            Settings(
                tables=self.tables,
                base_urls={
                    "anthropic": self.anthropic_base_url,
                    "openai": self.openai_base_url,
                    "openrouter": self.openrouter_base_url,
                },
            ),
            **self.settings_changes,
        )
        secrets = ProjectSecrets((HMAC_SECRET,), self.provider_keys)
        projects = ProjectStore(self._dynamodb, self.tables.projects)
        asyncio.run(create_project(projects, cipher, PROJECT_ID, self.rules, secrets, now_ms=1))
        self._upstream = HttpUpstream()
        doors = Doors(
            self.dynamodb, cipher, self._upstream, self.clock, os.urandom, self.alerts, self.metrics
        )
        config = uvicorn.Config(
            create_app(self.settings, doors),
            port=0,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
        )

        async def close() -> None:
            await self._upstream.aclose()
            await lean.aclose()

        self.server = SettlingServer(config, lambda: None, close)
        self._thread = threading.Thread(target=self._serve, name="gateway", daemon=True)
        self._thread.start()
        while not self.server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the gateway did not start")
            time.sleep(0.002)  # uvicorn tells nobody when it is ready
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.should_exit = True
        self._thread.join(20)
        self._dynamodb.close()

    def token(
        self,
        *,
        user: str | None = None,
        limit_microusd: int = 5_000_000,
        window: WindowKind = "day",
        window_start_s: int | None = None,
        lifetime_s: int = 3_600,
        models: Sequence[str] | None = None,
        issued_s: int | None = None,
    ) -> str:
        """Mint a token of the project."""
        now_s = int(self.clock.now_ms() // 1000) if issued_s is None else issued_s
        return mint_token(
            user_id=user or self.user,
            project_id=PROJECT_ID,
            secret=HMAC_SECRET,
            limit_microusd=limit_microusd,
            window=window,
            window_start_s=now_s if window_start_s is None else window_start_s,
            now_s=now_s,
            lifetime_s=lifetime_s,
            models=models,
        )

    def budget(self, user: str | None = None, kind: WindowKind = "day") -> BudgetItem:
        """Return a user's budget as it stands in the store."""
        budgets = BudgetStore(self._dynamodb, self.tables.budgets)
        return asyncio.run(budgets.read(BudgetKey(PROJECT_ID, user or self.user, kind)))

    def records(self, user: str | None = None) -> list[UsageRecord]:
        """Return a user's usage records, oldest first."""
        return asyncio.run(
            UsageStore(self._dynamodb, self.tables.usage, SystemClock()).of_user(
                PROJECT_ID, user or self.user
            )
        )

    def store_calls(self) -> Counter[tuple[str, str]]:
        """Return how often each (operation, table) was called since the last time this was asked."""
        calls, self.dynamodb.calls = Counter(self.dynamodb.calls), []
        return calls

    def assert_settled(self, user: str | None = None, kind: WindowKind = "day") -> int:
        """I2, with nothing in flight: no holds, committed = settled = Σ cost of the records. Returns settled."""
        item = self.budget(user, kind)
        if item.window is None:
            assert self.records(user) == []
            return 0
        assert item.window.holds == {}
        assert item.window.committed == item.window.settled
        assert item.window.settled == sum(
            record.cost
            for record in self.records(user)
            if record.window_kind == kind and record.window_start_s == item.window.start_s
        )
        return item.window.settled

    def wait_until_settled(self) -> None:
        """Block until nothing is held: where the client has left, only the store tells when a request has ended."""
        deadline_s = time.monotonic() + 10
        while time.monotonic() < deadline_s:
            window = self.budget().window
            if window is not None and not window.holds:
                return
        raise TimeoutError("the hold was not ended")

    def _serve(self) -> None:
        asyncio.run(self.server.serve())
