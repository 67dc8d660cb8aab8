"""In scripted scenes a process dies at each of its steps, one run for each; every promise is kept in all."""

import multiprocessing
import os
from collections.abc import Callable

import pytest
from msgspec.structs import replace

import channeling.settle_request
from channeling.budgets.settlement import Ended, extend_towards, settle_hold
from channeling.budgets.store import BudgetStore, Hold
from channeling.usage.record import UsageRecord
from channeling.usage.store import UsageStore
from simulation.crash_points import SCENES, Crash, Scene, play
from tests.simulation.test_broken_protocol import (
    hold_whose_window_has_ended,
    orders_are_applied_twice,
    reclaim_at_the_hold,
    settle_before_the_record,
)


@pytest.mark.timeout(300)
def test_no_crash_point_breaks_a_promise() -> None:
    """What a failure prints: the scene, the step before which its process died, whether what it had sent landed."""
    crashes = [
        (scene.name, step, lands)
        for scene in SCENES
        for step in range(1, play(scene, Crash(scene.doomed)).steps + 1)
        for lands in (True, False)
    ]
    # Started anew, not forked: what the tests before have imported and opened is no part of a run.
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        broken = pool.map(broken_by, crashes, chunksize=20)
    assert {crash: violations for crash, violations in zip(crashes, broken, strict=True) if violations} == {}


def settle_at_its_own_cost(patch: pytest.MonkeyPatch) -> None:
    """A request whose hold another has put the record for settles at its own figure, not at that record's."""

    async def end_hold(
        store: BudgetStore, usage: UsageStore, hold: Hold, record: UsageRecord, *, limit: int | None
    ) -> Ended:
        bill = record.cost
        hold = await extend_towards(store, hold, bill, limit=limit)
        cost = min(bill, hold.amount)
        standing = await usage.put(replace(record, cost=cost, uncollected=bill - cost))
        return Ended(standing, await settle_hold(store, hold, cost))

    patch.setattr(channeling.settle_request, "end_hold", end_hold)


@pytest.mark.parametrize(
    ("break_it", "name"),
    [
        (settle_before_the_record, "a stream that is cut"),
        (reclaim_at_the_hold, "a stream that is left"),
        (hold_whose_window_has_ended, "a window that rolls"),
        (orders_are_applied_twice, "an order"),
        (settle_at_its_own_cost, "a reclaim beside a late settle"),
        (settle_at_its_own_cost, "a dying reclaim beside a late settle"),
    ],
)
def test_a_broken_protocol_breaks_a_scene(
    monkeypatch: pytest.MonkeyPatch, break_it: Callable[[pytest.MonkeyPatch], None], name: str
) -> None:
    """With a line of the protocol broken there is a step to die at after which money is missing, or doubled."""
    break_it(monkeypatch)
    scene = scene_of(name)
    steps = play(scene, Crash(scene.doomed)).steps
    broken = (play(scene, Crash(scene.doomed, step)).violations for step in range(steps + 1))
    assert any(violation.startswith("I2") for violations in broken for violation in violations)


def broken_by(crash: tuple[str, int, bool]) -> list[str]:
    """Play a scene with a crash and return what it broke."""
    name, step, lands = crash
    scene = scene_of(name)
    return play(scene, Crash(scene.doomed, step, lands)).violations


def scene_of(name: str) -> Scene:
    """Return the scene of a name."""
    return next(scene for scene in SCENES if scene.name == name)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("a stream that is cut", ["+ :more", "r1 answered 200", "r2 answered 200"]),
        ("a stream that is left", ["r1 leaves", "cancelled -> applied"]),
        ("a window that rolls", ["SET prev_start", "prev_committed + :more", "prev_committed + :delta"]),
        ("an order", ["SET adjustment", "settled = settled + :signed"]),
        ("a reclaim beside a late settle", ["reclaimed -> applied", "failed -> condition failed"]),
    ],
)
def test_the_scenes_play_what_they_are_named_after(name: str, seen: list[str]) -> None:
    """A scene in which nothing of that kind happens would prove nothing."""
    scene = scene_of(name)
    played = play(scene, Crash(scene.doomed))
    trace = "\n".join(played.trace)
    assert [line for line in seen if line not in trace] == []
    assert played.violations == []


def test_a_process_dies_at_the_step_it_is_told() -> None:
    """The trace ends for it there, and the step before is made."""
    scene = SCENES[0]
    whole = play(scene, Crash(scene.doomed))
    killed = play(scene, Crash(scene.doomed, step=whole.steps // 2))
    assert killed.steps == whole.steps // 2
    assert any("DIES" in line for line in killed.trace)
    assert not any("DIES" in line for line in whole.trace)
