"""Hundreds of simulated runs keep every promise, the same seed is the same run, and a broken protocol is found."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import channeling.budgets.store
import channeling.hold_request
import channeling.settle_request
import simulation.world
from channeling.budgets.conditions import CURRENT, Clause, WindowAttributes
from channeling.budgets.settlement import Ended, extend_towards, key_of_record, settle_hold
from channeling.budgets.store import BudgetStore, Hold
from channeling.usage.record import UsageRecord
from channeling.usage.store import UsageStore
from simulation.world import run_seed

SEEDS_PER_TEST = 40


@pytest.mark.parametrize("first_seed", [1, 41, 81, 121, 161])
def test_every_promise_is_kept(first_seed: int) -> None:
    """What a failure prints is the seed; `make simulate` shows its trace."""
    broken = {
        seed: run.violations
        for seed in range(first_seed, first_seed + SEEDS_PER_TEST)
        if (run := run_seed(seed)).violations
    }
    assert broken == {}


def test_the_same_seed_is_the_same_run() -> None:
    """Every event at the same virtual time, and another run for another seed."""
    digests = [[run_seed(seed).digest for seed in range(1, 11)] for _ in range(2)]
    assert digests[0] == digests[1]
    assert len(set(digests[0])) == len(digests[0])


def settle_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget is settled before the record is put: a death between them loses the bill."""

    async def end_hold(
        store: BudgetStore, usage: UsageStore, hold: Hold, record: UsageRecord, *, limit: int | None
    ) -> Ended:
        bill = record.cost
        hold = await extend_towards(store, hold, bill, limit=limit)
        cost = min(bill, hold.amount)
        item = await settle_hold(store, hold, cost)
        return Ended(await usage.put(replace(record, cost=cost, uncollected=bill - cost)), item)

    monkeypatch.setattr(channeling.settle_request, "end_hold", end_hold)


def no_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clause that keeps `committed` under the limit is gone."""

    def leaves_room(limit: int, amount: int, attributes: WindowAttributes = CURRENT) -> Clause:
        return Clause(f"attribute_exists({attributes.committed})")

    monkeypatch.setattr(channeling.budgets.store, "committed_leaves_room", leaves_room)


def reclaim_at_the_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hold left behind is settled at what it held, although a record says what it cost."""

    async def reclaim_hold(store: BudgetStore, usage: UsageStore, hold: Hold) -> None:
        record = UsageRecord(
            key=key_of_record(hold),
            project_id=hold.key.project_id,
            user_id=hold.key.user_id,
            window_kind=hold.key.kind,
            window_start_s=hold.window_start_s,
            started_ms=0,
            request_id="",
            status="reclaimed",
            cost=hold.amount,
        )
        await usage.put(record)
        await settle_hold(store, hold, hold.amount)

    for module in (channeling.hold_request, simulation.world):
        monkeypatch.setattr(module, "reclaim_hold", reclaim_hold)


def settle_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A settle does not ask that its hold still stands, so that one delivered twice counts twice."""

    def hold_is(hold_id: str, held: int, window_start_s: int, attributes: WindowAttributes) -> Clause:
        return Clause(
            f"{attributes.start} = :mine AND (attribute_not_exists({attributes.holds}.#id) OR :held = :held)",
            {"#id": hold_id},
            {":held": held, ":mine": window_start_s},
        )

    monkeypatch.setattr(channeling.budgets.store, "hold_is", hold_is)


BREAKS: dict[str, tuple[Callable[[Any], None], str]] = {
    "settle before record": (settle_first, "I2"),
    "no ceiling clause": (no_ceiling, "I1"),
    "reclaim at the hold": (reclaim_at_the_hold, "I2"),
    "settle without its hold": (settle_twice, "I2"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_protocol_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each line of the protocol that is broken on purpose breaks the promise that it was written for."""
    break_it, promise = BREAKS[name]
    break_it(monkeypatch)
    found = (violation for seed in range(1, 401) for violation in run_seed(seed).violations)
    assert any(violation.startswith(promise) for violation in found)
