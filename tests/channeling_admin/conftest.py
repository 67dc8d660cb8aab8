"""The admin API in this process on a DynamoDB in memory, with an operator's client and a clock that is set.

The function as Lambda loads it, and the server's, are tried on the embedded one (tests/functions, tests/operate).
"""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest

from channeling.auth.admin_token import Role, mint_admin_token
from channeling.budgets.hold_id import new_hold_id
from channeling.operations.operator import Operator
from channeling.operations.projects import create_project
from channeling.operations.stores import Stores, open_stores
from channeling.projects.key_file_cipher import KeyFileCipher
from channeling.projects.project import ProjectRules
from channeling.settings import DEFAULT_BASE_URLS
from channeling.tables import TableNames
from channeling.upstream import UpstreamFailed, UpstreamRequest, UpstreamResponse
from channeling.usage.record import UsageRecord, record_key
from channeling.usage.token_counts import TokenCounts
from channeling_admin.admin import Admin
from channeling_admin.admin_secret import FixedSecret
from channeling_admin.app import create_admin_app
from channeling_admin.sign_in_rate import SignInRate
from simulation.memory_dynamodb import MemoryDynamoDB
from tests.stand_ins.clock import SetClock

ADMIN_SECRET = "a-secret-of-this-deployment-0123456789"
NOW_S = 1_795_521_600  # 2026-11-24T12:00:00Z
TESTER = Operator("tester", "cli")


class Randomness:
    """Bytes that count, so that ids are new and known."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self, count: int) -> bytes:
        return next(self._numbers).to_bytes(count)


@dataclass
class ProviderDouble:
    """`UpstreamClient` that answers with a status, or not at all, and keeps what it was asked."""

    status: int = 200
    is_down: bool = False
    asked: list[UpstreamRequest] = field(default_factory=list)

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        self.asked.append(request)
        if self.is_down:
            raise UpstreamFailed("connection refused by 10.0.0.1")
        return _Answer(self.status)

    async def aclose(self) -> None:
        pass


@dataclass
class _Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b'{"error":{"message":"Incorrect API key provided: sk-ant-****"}}'

    async def aclose(self) -> None:
        pass


@dataclass
class AdminUnderTest:
    """The admin API, and what is behind it."""

    admin: Admin
    stores: Stores
    clock: SetClock
    provider: ProviderDouble

    def token(
        self, *, role: Role = "operator", project_id: str | None = None, lifetime_s: int = 3_600
    ) -> str:
        """Return an admin token that is valid now."""
        return mint_admin_token(
            name="olga",
            secret=ADMIN_SECRET,
            now_s=self.clock.now_s,
            role=role,
            project_id=project_id,
            lifetime_s=lifetime_s,
        )

    def client(self, token: str | None = None, *, address: str = "192.0.2.1") -> httpx.AsyncClient:
        """Return a client with a token; defects of the app raise in the test."""
        transport = httpx.ASGITransport(create_admin_app(self.admin), client=(address, 1))
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return httpx.AsyncClient(transport=transport, base_url="http://admin.test", headers=headers)

    async def record(self, **changes: object) -> UsageRecord:
        """Put a usage record of project "shop" that began an hour ago, with changes."""
        number = next(_numbers)
        values: dict[str, object] = {
            "user_id": "ana",
            "started_s": NOW_S - 3_600,
            "cost": 1_000_000,
            "provider": "anthropic",
            "model_asked": "claude-sonnet-4-5",
            "model_used": "claude-sonnet-4-5-20250929",
            "counts": TokenCounts(input_tokens=10, output_tokens=5),
            "status": "ok",
        } | changes
        started_s = int(str(values.pop("started_s")))
        user_id = str(values["user_id"])
        hold_id = new_hold_id(started_s, number.to_bytes)
        record = UsageRecord(
            key=record_key("shop", user_id, "day", hold_id, started_s),
            project_id="shop",
            window_kind="day",
            window_start_s=NOW_S // 86_400 * 86_400,
            started_ms=started_s * 1_000,
            request_id=f"req_{number}",
            **values,  # type: ignore[arg-type]
        )
        return await self.stores.usage.put(record)


_numbers = itertools.count(1)


@pytest.fixture
async def under_test() -> AdminUnderTest:
    """The admin API with a project "shop"."""
    # Created before its records: reports look no further back.
    clock, provider = SetClock(NOW_S - 60 * 86_400), ProviderDouble()
    tables = TableNames.with_prefix("admin")
    stores = open_stores(MemoryDynamoDB(), tables, KeyFileCipher(b"k" * 32), clock, Randomness())
    admin = Admin(
        stores=stores,
        upstream=provider,
        base_urls=DEFAULT_BASE_URLS,
        secret=FixedSecret(ADMIN_SECRET),
        sign_in_rate=SignInRate(clock),
        clock=clock,
        randomness=Randomness(),
        messages_url="http://gateway.test",
    )
    await create_project(stores, TESTER, ProjectRules("Shop"), project_id="shop")
    clock.now_s = NOW_S
    return AdminUnderTest(admin, stores, clock, provider)


@pytest.fixture
async def api(under_test: AdminUnderTest) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an operator for all projects."""
    async with under_test.client(under_test.token()) as client:
        yield client
