"""The check of rollups against records and budgets finds each difference that there can be."""

from collections.abc import Callable

import pytest
from msgspec.structs import fields, replace

from channeling.usage.record import UsageRecord
from channeling.usage.rollup import Rollup, RollupTally
from channeling.usage.token_counts import TokenCounts
from simulation.rollup_invariant import rollup_violations
from tests.channeling.usage.test_rollup import RECORD

WINDOW = ("demo", "ana", "day", RECORD.window_start_s)


def books() -> tuple[list[UsageRecord], list[Rollup]]:
    records = [RECORD, replace(RECORD, model_used="other", cost=5)]
    tally = RollupTally(RECORD.key.partition)
    for record in records:
        tally.add(record)
    return records, tally.rollups()


def test_good_books_are_passed() -> None:
    assert rollup_violations(*books(), {WINDOW: RECORD.cost + 5}) == []
    assert rollup_violations([], [], {}) == []


Change = Callable[[list[UsageRecord], list[Rollup]], None]


def drop_rollup(_: list[UsageRecord], rollups: list[Rollup]) -> None:
    rollups.pop()


def repeat_rollup(_: list[UsageRecord], rollups: list[Rollup]) -> None:
    rollups.append(rollups[0])


def drop_record(records: list[UsageRecord], _: list[Rollup]) -> None:
    records.pop()


def other_user(_: list[UsageRecord], rollups: list[Rollup]) -> None:
    rollups[0] = replace(rollups[0], user_id="ben")


def other_window(_: list[UsageRecord], rollups: list[Rollup]) -> None:
    rollups[0] = replace(rollups[0], cost_by_window={"week#1": rollups[0].cost})


@pytest.mark.parametrize("change", [drop_rollup, repeat_rollup, drop_record, other_user, other_window])
def test_what_is_missing_or_too_much_is_found(change: Change) -> None:
    records, rollups = books()
    change(records, rollups)
    assert rollup_violations(records, rollups, {})


@pytest.mark.parametrize("name", [part.name for part in fields(Rollup) if part.type is int])
def test_each_total_is_compared(name: str) -> None:
    records, rollups = books()
    rollups[0] = replace(rollups[0], **{name: getattr(rollups[0], name) + 1})
    assert rollup_violations(records, rollups, {})


@pytest.mark.parametrize("name", TokenCounts.__struct_fields__)
def test_each_count_is_compared(name: str) -> None:
    records, rollups = books()
    counts = rollups[0].counts
    rollups[0] = replace(rollups[0], counts=replace(counts, **{name: getattr(counts, name) + 1}))
    assert rollup_violations(records, rollups, {})


@pytest.mark.parametrize("name", ["records_by_kind", "cost_by_kind", "requests_by_status", "cost_by_window"])
def test_each_breakdown_is_compared(name: str) -> None:
    records, rollups = books()
    rollups[0] = replace(rollups[0], **{name: {}})
    assert rollup_violations(records, rollups, {})


def test_a_window_that_settled_something_else_is_found() -> None:
    assert rollup_violations(*books(), {WINDOW: RECORD.cost + 6})
    assert rollup_violations(*books(), {("demo", "ana", "hour", 1): 7, WINDOW: RECORD.cost + 5})
