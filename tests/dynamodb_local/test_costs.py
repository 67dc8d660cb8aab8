"""What docs/costs.md says a request costs in DynamoDB request units is what DynamoDB Local bills for it."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

import httpx
import pytest

from channeling.budgets.admission import Held, hold_amount
from channeling.budgets.decide import HoldAsk
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import BudgetKey
from channeling.budgets.store import BudgetStore, Hold
from channeling.dynamodb import BotocoreDynamoDB
from channeling.tables import USAGE_BY_USER, TableNames
from channeling_cli.create_tables import create_tables
from tests.channeling.gateway.conftest import message
from tests.docs.pages import ROOT
from tests.dynamodb_local.dynamodb_local import DynamoDBLocal
from tests.dynamodb_local.metered_dynamodb import MeteredDynamoDB, item_bytes, units_to_write
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.clock import SetClock
from tests.stand_ins.gateway_server import PROJECT_ID, GatewayServer

pytestmark = pytest.mark.java

PAGE = (ROOT / "docs" / "costs.md").read_text("utf-8")
HOLD_AMOUNT = 15_363_219  # nanodollars: what a small request to a middling model holds
NOW_S = 1_795_517_436  # no zeros at its end: they would not count in the size of a number
WRITE_USD, READ_USD = Decimal("0.625"), Decimal("0.125")  # a million request units, us-east-1, on demand
_numbers = itertools.count(1)


class Units(NamedTuple):
    """The request units of one request, as the page's table has them."""

    budgets: float
    usage: float
    by_user: float
    reads: float


@dataclass(frozen=True)
class Row:
    """A row of the page's table."""

    request: str
    holds: int
    units: Units
    usd_per_million: Decimal


def cells(table: str) -> list[list[str]]:
    """Return the cells of a table of the page, found by its heading row's first cells."""
    lines = PAGE.partition(f"\n| {table} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def rows() -> list[Row]:
    """Return the rows of the table of request units."""
    return [
        Row(request, int(holds), Units(*map(float, units)), Decimal(usd.removeprefix("$")))
        for request, holds, *units, usd in cells("Request | Holds")
    ]


@dataclass
class Bench:
    """A metered gateway, and the user of one measurement."""

    gateway: GatewayServer
    store: MeteredDynamoDB
    clock: SetClock
    user: str = field(default_factory=lambda: f"user-{next(_numbers):04}")

    def post(self, *, limit_microusd: int = 5_000_000, **changes: object) -> int:
        """Send a request for a message and return its status."""
        token = self.gateway.token(user=self.user, limit_microusd=limit_microusd)
        url, headers = f"{self.gateway.base_url}/v1/messages", {"x-api-key": token}
        answer = httpx.post(url, json=message(**changes), headers=headers, timeout=30, trust_env=False)
        return answer.status_code

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
        held = await hold_amount(budgets, ask, amount, self.clock, reclaim)
        assert isinstance(held, Held)
        return held.hold


@contextmanager
def metered_gateway(store: DynamoDBLocal, upstream: AnthropicUpstream) -> Iterator[Bench]:
    """Serve with a process of its own: caches empty. `strict`, since a stream then holds once."""
    metered, clock = MeteredDynamoDB(store), SetClock(NOW_S)
    names = TableNames.with_prefix(f"costs-{next(_numbers)}")
    client = store.client()
    create_tables(client, names)
    client.close()
    changes: dict[str, Any] = {"enforcement": "strict", "max_concurrent": 128}
    with GatewayServer(metered, names, upstream.base_url, settings_changes=changes, clock=clock) as gateway:
        yield Bench(gateway, metered, clock)


@pytest.fixture(scope="module")
def upstream() -> Iterator[AnthropicUpstream]:
    with AnthropicUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def warm(embedded_dynamodb: DynamoDBLocal, upstream: AnthropicUpstream) -> Iterator[Bench]:
    """A gateway that has read its project and its prices."""
    with metered_gateway(embedded_dynamodb, upstream) as bench:
        assert bench.post() == 200
        yield bench


@pytest.fixture
def bench(warm: Bench) -> Bench:
    """The warm gateway, for a user of the test's own."""
    return Bench(warm.gateway, warm.store, warm.clock)


def whole(bench: Bench) -> None:
    assert bench.post() == 200


def stream(bench: Bench) -> None:
    assert bench.post(stream=True) == 200


def stream_that_holds_most(bench: Bench) -> None:
    assert bench.post(limit_microusd=25_000, stream=True) == 200


def spent(bench: Bench) -> None:
    assert bench.post(limit_microusd=500) == 429


def held_by_others(bench: Bench) -> None:
    assert bench.post(limit_microusd=20_000, stream=True) == 429


def clamped(bench: Bench) -> None:
    assert bench.post(limit_microusd=4_000_000, max_tokens=1_000_000) == 200


REQUESTS: dict[str, Callable[[Bench], None]] = {
    "JSON": whole,
    "Stream": stream,
    "Stream, a user id of 256 characters": stream,
    "Stream, the first of a user": stream,
    "Stream, the first in a window": stream,
    "Stream, the first of a process": stream,
    "Stream, less than half of the budget free": stream_that_holds_most,
    "Clamped": clamped,
    "Refused: spent": spent,
    "Refused: held by others": held_by_others,
}
OWN_HOLDS = {spent: 0, held_by_others: 0}


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.request}, {row.holds}")
def test_the_page_says_what_a_request_consumes(
    row: Row, bench: Bench, embedded_dynamodb: DynamoDBLocal, upstream: AnthropicUpstream
) -> None:
    request = REQUESTS[row.request]
    others = row.holds - OWN_HOLDS.get(request, 1)
    if row.request.endswith("of a process"):
        with metered_gateway(embedded_dynamodb, upstream) as cold:
            cold.stand(others)
            assert cold.units_of(lambda: request(cold)) == row.units
        return
    if row.request.endswith("256 characters"):
        bench.user = bench.user.ljust(256, "x")
    if not row.request.endswith("of a user"):
        bench.stand(others)
    if row.request.endswith("in a window"):
        bench.clock.now_s += 86_400
        Bench(bench.gateway, bench.store, bench.clock).post()  # reads the project again, for another user
    assert bench.units_of(lambda: request(bench)) == row.units


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.request}, {row.holds}")
def test_the_dollars_of_a_row_are_its_units(row: Row) -> None:
    writes = Decimal(row.units.budgets + row.units.usage + row.units.by_user)
    assert row.usd_per_million == (writes * WRITE_USD + Decimal(row.units.reads) * READ_USD).quantize(
        Decimal("0.01"), ROUND_HALF_UP
    )


def test_the_page_names_the_prices_it_counts_with() -> None:
    assert f"| A million write request units | ${WRITE_USD} |" in PAGE
    assert f"| A million read request units | ${READ_USD} |" in PAGE


def test_the_page_has_every_kind_of_request_at_several_numbers_of_holds() -> None:
    """A row that is left out of the page is not proved by the test above."""
    assert {row.request for row in rows()} == set(REQUESTS)
    for request in ("JSON", "Stream"):
        assert [row.holds for row in rows() if row.request == request] == [1, 16, 100, 128]


@pytest.mark.parametrize(("what", "stated"), [(what, stated) for what, stated in cells("Item | Bytes")])
def test_the_page_says_how_large_items_are(what: str, stated: str, bench: Bench) -> None:
    if what == "Usage record":
        stream(bench)
        # Ids and names of models have no fixed length.
        assert round(item_bytes(bench.usage_record()), -2) == int(stated)
        return
    bench.stand(int(what.removeprefix("Budget, holds: ")))
    assert item_bytes(bench.item()) == int(stated.replace(",", ""))


@pytest.mark.parametrize("amount", [HOLD_AMOUNT, 1_234_567_891], ids=["cents", "a dollar"])
def test_an_item_of_128_holds_is_under_3_kb(bench: Bench, amount: int) -> None:
    bench.stand(128, amount=amount)
    item = bench.item()
    assert len(item["holds"]["M"]) == 128
    assert 2 * 1024 < item_bytes(item) < 3 * 1024
    assert bench.store.taken()[-1].write_units == 3


def test_what_a_refused_write_is_counted_as_is_what_an_accepted_one_is_billed(bench: Bench) -> None:
    """DynamoDB bills a refused write by the item that stands there, and answers no figure: ours must be right."""
    bench.store.taken()
    bench.stand(128)
    billed = [call.write_units for call in bench.store.taken() if not call.refused]
    # Hold by hold, so that the sizes at which a further KB begins are compared too.
    item = bench.item()
    holds = item["holds"]["M"]
    sizes = [
        units_to_write({**item, "holds": {"M": dict(list(holds.items())[:count])}}) for count in range(129)
    ]
    assert billed[2:] == sizes[1:]
