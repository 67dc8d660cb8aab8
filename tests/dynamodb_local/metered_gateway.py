"""A gateway whose calls to DynamoDB Local are metered, and what one request of it consumes."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.budgets.admission import Held, hold_amount
from channeling.budgets.decide import HoldAsk
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import Adjustment, BudgetKey
from channeling.budgets.store import BudgetStore, Hold
from channeling.tables import USAGE_BY_USER, TableNames
from tests.channeling.gateway.conftest import message
from tests.dynamodb_local.dynamodb_local import DynamoDBLocal
from tests.dynamodb_local.metered_dynamodb import MeteredDynamoDB
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.clock import SetClock
from tests.stand_ins.dynamodb_tables import create_tables
from tests.stand_ins.gateway_server import PROJECT_ID, GatewayServer

HOLD_AMOUNT = 15_363_219  # nanodollars: what a small request to a middling model holds
NOW_S = 1_795_517_436  # no zeros at its end: they would not count in the size of a number
_numbers = itertools.count(1)


class Units(NamedTuple):
    """The request units of one request, as the page's table has them."""

    budgets: float
    usage: float
    by_user: float
    reads: float


@dataclass
class Bench:
    """A metered gateway, and the user of one measurement."""

    gateway: GatewayServer
    store: MeteredDynamoDB
    clock: SetClock
    client: httpx.Client
    upstream: AnthropicUpstream
    user: str = field(default_factory=lambda: f"user-{next(_numbers):04}")

    def post(self, *, limit_microusd: int = 5_000_000, **changes: object) -> int:
        """Send a request for a message and return its status."""
        headers = self._headers(limit_microusd)
        return self.client.post("/v1/messages", json=message(**changes), headers=headers).status_code

    def post_streamed(self, *, limit_microusd: int) -> AbstractContextManager[httpx.Response]:
        """Send a request for a stream; its answer is read as it comes."""
        headers = self._headers(limit_microusd)
        return self.client.stream("POST", "/v1/messages", json=message(stream=True), headers=headers)

    def of_another_user(self, **changes: str) -> "Bench":
        """Return the same gateway, for a user whom no other test knows."""
        return Bench(self.gateway, self.store, self.clock, self.client, self.upstream, **changes)

    def _headers(self, limit_microusd: int) -> dict[str, str]:
        return {"x-api-key": self.gateway.token(user=self.user, limit_microusd=limit_microusd)}

    def stand(self, holds: int, *, amount: int = HOLD_AMOUNT) -> None:
        """Lay the user's window with something settled, and this many holds of other requests in it."""
        asyncio.run(self._stand(holds, amount))

    def units_of(self, request: Callable[[], None]) -> Units:
        """Return what a request consumed."""
        self.store.taken()
        request()
        calls = self.store.taken()
        return Units(
            budgets=sum(call.write_units for call in calls if call.table == "budgets"),
            usage=sum(call.write_units for call in calls if call.table == "usage"),
            by_user=sum(call.index_write_units for call in calls),
            reads=sum(call.read_units for call in calls),
        )

    def item(self) -> dict[str, Any]:
        """Return the user's budget item in DynamoDB's typed form."""
        client = self.store.store.client()
        key = {"pk": {"S": f"{PROJECT_ID}#{self.user}"}, "sk": {"S": "day"}}
        answer = client.get_item(TableName=self.gateway.tables.budgets, Key=key, ConsistentRead=True)
        client.close()
        item: dict[str, Any] = answer["Item"]
        return item

    def usage_record(self) -> dict[str, Any]:
        """Return the user's only usage record in DynamoDB's typed form."""
        client = self.store.store.client()
        answer = client.query(
            TableName=self.gateway.tables.usage,
            IndexName=USAGE_BY_USER,
            KeyConditionExpression="user_key = :user",
            ExpressionAttributeValues={":user": {"S": f"{PROJECT_ID}#{self.user}"}},
        )
        client.close()
        [record] = answer["Items"]
        assert isinstance(record, dict)
        return record

    async def _stand(self, holds: int, amount: int) -> None:
        door = BotocoreDynamoDB(self.store.client())
        budgets = BudgetStore(door, self.gateway.tables.budgets)
        first = await self._held(budgets, 1_000_000)
        await budgets.settle(first, 1_000_000)
        for _ in range(holds):
            await self._held(budgets, amount)
        door.close()

    async def _held(self, budgets: BudgetStore, amount: int) -> Hold:
        now_s = int(self.clock.now_s)

        async def reclaim(hold: Hold) -> None:
            raise AssertionError(f"{hold} was held a moment ago")

        async def finish(_: BudgetKey, adjustment: Adjustment) -> None:
            raise AssertionError(f"nobody ordered {adjustment}")

        ask = HoldAsk(
            key=BudgetKey(PROJECT_ID, self.user, "day"),
            hold_id=new_hold_id(now_s, (2**40 + next(_numbers)).to_bytes),
            limit=10**15,
            token_window_start_s=now_s,
            issued_at_ms=now_s * 1000,
            max_concurrent=128,
            hold_lifetime_s=960,
            enforcement="strict",
        )
        held = await hold_amount(budgets, ask, amount, self.clock, reclaim, finish)
        assert isinstance(held, Held)
        return held.hold


@contextmanager
def metered_gateway(store: DynamoDBLocal, upstream: AnthropicUpstream) -> Iterator[Bench]:
    """Serve with a process of its own: caches empty."""
    metered, clock = MeteredDynamoDB(store), SetClock(NOW_S)
    names = TableNames.with_prefix(f"costs-{next(_numbers)}")
    client = store.client()
    create_tables(client, names)
    client.close()
    changes: dict[str, Any] = {"max_concurrent": 128}
    with (
        GatewayServer(
            metered,
            names,
            upstream.base_url,
            settings_changes=changes,
            clock=clock,
            open_store=metered.open_lean_store,
        ) as gateway,
        httpx.Client(base_url=gateway.base_url, timeout=30, trust_env=False) as http,
    ):
        yield Bench(gateway, metered, clock, http, upstream)
