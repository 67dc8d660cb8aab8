"""What the calculator of docs/costs.md computes, by cases that can be worked out by hand."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bench.costs import (
    AGENT,
    CHAT,
    FLEETS,
    LAMBDA_MB,
    MEASURED,
    PRICES,
    SHAPES,
    Fleet,
    Measured,
    Shape,
    billed_s,
    break_even,
    dollars,
    fargate,
    gb_seconds,
    lambda_hour,
    managed_instances,
    million_costs,
    table,
)

FREE = Measured(
    whole_ms=Decimal(0),
    stream_ms=Decimal(0),
    delta_ms=Decimal(0),
    large_body_ms=Decimal(0),
    store_ms=Decimal(0),
)


def fleet(**changed: object) -> Fleet:
    """A fleet of free machines with one vCPU and 1,055 MB each."""
    plain = Fleet("Plain", Decimal(1), 1_055, 1, Decimal(1), Decimal(0), Decimal(0), Decimal(0))
    return replace(plain, **changed)  # type: ignore[arg-type] - what each test names


def test_a_minute_of_512_mb_is_30_gb_seconds() -> None:
    assert gb_seconds(Decimal(60), 512) == 30


def test_a_million_chats_cost_their_time_where_nothing_else_takes_any() -> None:
    costs = million_costs(CHAT, 512, measured=FREE)
    assert dollars(costs.waiting) == "$66.67"  # 1,000,000 x 10 s x 0.5 GB x $0.0000133334
    assert dollars(costs.dynamodb) == "$2.50"
    assert dollars(costs.total - costs.waiting) == "$3.79"  # 0.20 + 2.50 + 2.17 GB of lines


def test_own_work_takes_longer_the_less_memory_there_is() -> None:
    work = replace(FREE, stream_ms=Decimal(1_000))
    assert billed_s(CHAT, 1_769, work) == 11
    assert billed_s(CHAT, 3_008, work) == 11, "one process uses one vCPU"
    assert round(billed_s(CHAT, 512, work), 3) == Decimal("13.455")


def test_a_large_body_and_the_store_are_waited_for() -> None:
    measured = replace(FREE, large_body_ms=Decimal(200), store_ms=Decimal(100))
    assert billed_s(AGENT, 1_769, measured) == Decimal("60.3")
    assert billed_s(CHAT, 1_769, measured) == Decimal("10.1")


@pytest.mark.parametrize(("size", "streaming"), [(6_000_000, "$0.00"), (10_000_000, "$32.00")])
def test_what_is_streamed_beyond_6_mb_costs(size: int, streaming: str) -> None:
    assert dollars(million_costs(replace(CHAT, received_bytes=size)).streaming) == streaming


def shape(cpu_ms: int = 1, *, large_body: bool = False) -> tuple[Shape, Measured]:
    """A second's answer in one piece that takes some CPU, and 1 MB, or 2 with a large body."""
    measured = replace(FREE, whole_ms=Decimal(cpu_ms), small_mb=Decimal(1), large_mb=Decimal(2))
    return Shape("Second", Decimal(1), 0, large_body, 0, 0), measured


@pytest.mark.parametrize(
    ("cpu_ms", "large_body", "changed", "streams"),
    [
        (10, False, {}, 50),  # half of a vCPU
        (10, False, {"vcpus": Decimal("0.25")}, 12),
        (10, False, {"most_a_process": 40}, 40),
        (10, False, {"vcpus": Decimal(2), "most_a_process": 40}, 80),  # of two processes
        (1, True, {}, 500),  # 1,000 MB beside the process
        (1, True, {"memory_mb": 155}, 50),
    ],
)
def test_a_unit_serves_what_the_scarcest_allows(
    cpu_ms: int, large_body: bool, changed: dict[str, object], streams: int
) -> None:
    asked, measured = shape(cpu_ms, large_body=large_body)
    assert fleet(**changed).streams_a_unit(asked, measured) == streams


@pytest.mark.parametrize(("streams", "units"), [(1, 2), (33, 2), (34, 3), (50, 3), (51, 4)])
def test_a_fleet_is_sized_for_the_peak_and_never_under_its_least(streams: int, units: int) -> None:
    asked, measured = shape(10)
    assert fleet(least=2).units(asked, streams, measured) == units


def test_an_hour_of_a_fleet_is_its_units_and_what_goes_through() -> None:
    asked, measured = shape()
    asked = replace(asked, sent_bytes=1_000_000, received_bytes=0)  # 3.6 GB an hour, and 3,600 requests
    plain = fleet(standing_hour=Decimal(10))
    assert plain.hour(asked, 1, measured) == 11
    assert replace(plain, gb=Decimal(100)).hour(asked, 1, measured) == 371
    assert replace(plain, million_requests=Decimal(10**6)).hour(asked, 1, measured) == 3_611
    assert replace(plain, load_balancer_unit_hour=Decimal(100)).hour(asked, 1, measured) == 371


def test_a_capacity_unit_counts_connections_where_there_is_little_traffic() -> None:
    asked, measured = shape()
    balancer = fleet(unit_hour=Decimal(0), load_balancer_unit_hour=Decimal(100))
    assert balancer.hour(asked, 25, measured) == 100  # 25 new ones a second
    assert balancer.hour(replace(asked, seconds=Decimal(36_000)), 3_000, measured) == 100  # 3,000 at once


def test_managed_instances_are_three_machines_with_their_fee() -> None:
    hour = managed_instances().hour(CHAT, 0)
    assert hour == 3 * Decimal("0.0816") * Decimal("1.15") + Decimal("0.045")


def test_fargate_is_two_tasks_with_addresses_and_a_load_balancer() -> None:
    task = Decimal("0.25") * Decimal("0.03238") + Decimal("0.5") * Decimal("0.00356")
    assert fargate(Decimal("0.25"), 512).hour(CHAT, 0) == 2 * task + Decimal("0.0225") + 4 * Decimal("0.005")


@pytest.mark.parametrize("each", FLEETS, ids=lambda each: each.name)
@pytest.mark.parametrize("asked", SHAPES, ids=lambda asked: asked.name.partition(":")[0])
def test_a_break_even_is_where_the_cheaper_changes_for_good(each: Fleet, asked: Shape) -> None:
    first = break_even(each, asked)
    assert first is not None
    assert each.hour(asked, first - 1) >= lambda_hour(asked, first - 1)
    assert all(each.hour(asked, n) < lambda_hour(asked, n) for n in (*range(first, 2_001), 10_000, 100_000))


@pytest.mark.parametrize("asked", SHAPES, ids=lambda asked: asked.name.partition(":")[0])
def test_managed_instances_are_never_cheaper_than_fargate(asked: Shape) -> None:
    """The page says so in a sentence."""
    managed, *others = FLEETS
    for streams in (*range(1, 2_001), 10_000, 100_000):
        assert min(other.hour(asked, streams) for other in others) < managed.hour(asked, streams)


def test_there_is_no_break_even_for_what_is_always_dearer() -> None:
    assert break_even(fleet(unit_hour=Decimal(1_000)), CHAT, most=50) is None
    assert break_even(fleet(unit_hour=Decimal(0)), CHAT, most=50) == 1


def test_an_hour_of_lambda_is_that_of_the_average() -> None:
    costs = million_costs(CHAT, LAMBDA_MB, PRICES, MEASURED)
    assert lambda_hour(CHAT, 10) == 3_600 * (costs.waiting + costs.invocations) / 1_000_000


def test_dollars_are_rounded_to_cents_half_up_with_commas() -> None:
    assert [dollars(Decimal(amount)) for amount in ("0.475", "1234567.004")] == ["$0.48", "$1,234,567.00"]


def test_a_table_is_markdown() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n|---|---|\n| 1 | 2 |"
