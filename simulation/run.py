"""One run out of one seed: processes over one store, clients, operators, a provider and misfortune; then judged."""

import asyncio
import logging
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from channeling.budgets.decide import HoldAsk
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import BudgetKey
from channeling.budgets.store import BudgetStore
from channeling.budgets.windows import first_window
from channeling.enforcement import Enforcement
from channeling.errors import StoreUnavailable
from channeling.projects.project import ProjectRules
from channeling.reconcile.run import reconcile
from channeling.window_kind import WindowKind
from simulation.asked import Asked
from simulation.clients import client
from simulation.invariants import Evidence, violations
from simulation.operators import misfortune, restart_the_dead, run_reconcilers
from simulation.trace import Trace
from simulation.virtual_time import VirtualTimeLoop, run_in_virtual_time
from simulation.world import PRICES, PROJECT_ID, SKEW_MS, TABLES, World, create_simulated_project

_EPOCH_S = 1_796_000_400
_REQUEST_NAME = re.compile(r"\breq_(r[0-9.]+[0-9]|r[0-9])")
LIFETIMES_S = 4_000  # longer than any request and its hold can last, whatever the clocks show


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a seed."""

    seed: int
    violations: list[str]
    trace: list[str]
    digest: str


class GatewayLog(logging.Handler):
    """What the gateway logs: errors that nobody foresaw, and requests that the store did not let it settle."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.defects: list[str] = []
        self.unsettled: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what a line of the log says."""
        if record.exc_info and not isinstance(record.exc_info[1], StoreUnavailable):
            self.defects.append(f"{record.getMessage()}: {record.exc_info[1]!r}")
        said = f"{record.getMessage()} {getattr(record, 'fields', '')}"
        if "not settled" in said or "could neither be confirmed nor released" in said:
            self.unsettled |= set(_REQUEST_NAME.findall(said))

    def __enter__(self) -> "GatewayLog":
        self._log = logging.getLogger("channeling")
        self._log.addHandler(self)
        self._was_propagating, self._log.propagate = self._log.propagate, False
        return self

    def __exit__(self, *_: object) -> None:
        self._log.removeHandler(self)
        self._log.propagate = self._was_propagating


def run_seed(seed: int, *, skew_ms: int = SKEW_MS) -> Run:
    """Run one seed to its end and judge it."""
    with GatewayLog() as log:
        return run_in_virtual_time(lambda loop: _run(seed, loop, log, skew_ms))


async def _run(seed: int, loop: VirtualTimeLoop, log: GatewayLog, skew_ms: int) -> Run:
    rng = random.Random(seed)
    world = World(
        rng=rng,
        loop=loop,
        trace=Trace(loop),
        enforcement=rng.choice(get_args(Enforcement)),
        duration_s=rng.choice((0.2, 2.0, 10.0, 60.0, 600.0, 6_000.0, 90_000.0)),
        epoch_ms=(_EPOCH_S + rng.randrange(86_400)) * 1000,
        max_concurrent=rng.choice((2, 100)),
        fault_rate=rng.choice((0.0, 0.02, 0.1, 0.3)),
        skew_ms=skew_ms,
    )
    rules = ProjectRules("Simulated", enforcement=rng.choice((None, world.enforcement)))
    await create_simulated_project(world, rules)
    users = [f"user-{number}" for number in range(rng.choice((1, 1, 2)))]
    kinds = rng.sample(get_args(WindowKind), rng.choice((1, 1, 2)))
    limit = rng.choice((0, 8_000, 20_000, 60_000, 200_000, 1_000_000))
    world.trace.note("world", f"seed {seed}: {world.enforcement}, {world.duration_s} s, {users}, {kinds}")
    if rng.random() < 0.2:
        await _leave_orphan(world, rng, users[0], kinds[0], limit)
    for number in range(rng.choice((1, 2, 3))):
        world.serve(f"env-{number}", dies_at_operation=rng.choice((None, None, rng.randint(3, 40))))
    tasks = [
        asyncio.create_task(client(world, f"r{number}", rng.choice(users), rng.choice(kinds), limit))
        for number in range(rng.choice((3, 6, 12, 24, 24)))
    ]
    tasks.append(asyncio.create_task(misfortune(world, users, kinds, limit)))
    tasks.append(asyncio.create_task(run_reconcilers(world)))
    restarts = [
        asyncio.create_task(restart_the_dead(world, process, 2))
        for process in world.serving
        if rng.random() < 0.5
    ]
    await asyncio.sleep(world.duration_s + LIFETIMES_S)
    return Run(seed, await judged(world, log, (*tasks, *restarts)), world.trace.lines, world.trace.digest())


async def judged(world: World, log: GatewayLog, tasks: Sequence[asyncio.Task[None]]) -> list[str]:
    """Put the books in order as the reconciler does, and return every promise that was broken."""
    clock = world.clock()
    for _ in range(2):  # the first goes on where a run broke off, to the table's end
        report = await reconcile(world.store, world.settings, clock, clock.now_ms() + 3_600_000)
        world.trace.note("world", f"reconciled at the end: {report}")
    failed = [
        f"{task.get_name()} ended in {task.exception()!r}"
        for task in tasks
        if task.done() and not task.cancelled() and task.exception() is not None
    ]
    evidence = Evidence(
        store=world.store,
        tables=TABLES,
        asked=world.asked,
        ordered=world.ordered,
        served=world.served,
        prices=PRICES,
        revoked=world.revoked,
        defects=[*log.defects, *failed],
        unsettled=log.unsettled,
    )
    found = violations(evidence)
    for asked in world.asked:
        environment = world.environments.get(asked.environment)
        if asked.outcome == "not answered" and environment is not None and not environment.is_dead:
            found.append(f"{asked.name}: never answered, and its environment lives")
    for environment in world.environments.values():
        environment.grave.cancel()
    return found


async def _leave_orphan(world: World, rng: random.Random, user: str, kind: WindowKind, limit: int) -> None:
    """A hold from before the run, whose process is no more: nobody will ever end it but a reclaimer."""
    now_s = world.now_ms() // 1000
    hold_id = new_hold_id(now_s - rng.choice((0, 500, 2_000)), rng.randbytes)
    asked = Asked("orphan", user, kind, limit * 1000, 0, hold_id=hold_id, enforcement="strict")
    asked.outcome = "its process died before the run"
    world.asked.append(asked)
    ask = HoldAsk(
        BudgetKey(PROJECT_ID, user, kind), hold_id, limit * 1000, now_s, now_s * 1000, 100, 960, "strict"
    )
    world.trace.note("world", f"an orphan hold {hold_id}")
    await BudgetStore(world.store, TABLES.budgets).create(ask, limit * 200, first_window(kind, now_s, now_s))
