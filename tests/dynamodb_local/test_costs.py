"""What docs/costs.md says a request costs in DynamoDB request units is what DynamoDB Local bills for it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import pytest

from tests.docs.pages import ROOT
from tests.dynamodb_local.dynamodb_local import DynamoDBLocal
from tests.dynamodb_local.metered_dynamodb import item_bytes, units_to_write
from tests.dynamodb_local.metered_gateway import HOLD_AMOUNT, Bench, Units, metered_gateway
from tests.stand_ins.anthropic_script import Script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream

pytestmark = pytest.mark.java

PAGE = (ROOT / "docs" / "costs.md").read_text("utf-8")
WRITE_USD, READ_USD = Decimal("0.625"), Decimal("0.125")  # a million request units, us-east-1, on demand


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
    return warm.of_another_user()


def whole(bench: Bench) -> None:
    assert bench.post() == 200


def stream(bench: Bench) -> None:
    assert bench.post(stream=True) == 200


def stream_that_holds_most(bench: Bench) -> None:
    """Its beginning comes before the rest: what says the input's tokens, which too much was held for."""
    with bench.post_streamed(limit_microusd=25_000) as answer:
        assert answer.status_code == 200
        pieces = answer.iter_raw()
        next(pieces)
        bench.upstream.release()
        assert b"message_stop" in b"".join(pieces)


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
    if request is stream_that_holds_most:
        upstream.then(Script(gated=True))
    if row.request.endswith("in a window"):
        bench.clock.now_s += 86_400
        bench.of_another_user().post()  # reads the project again, for another user
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
