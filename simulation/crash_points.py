"""Scripted scenes in which one process dies at a given step of its code: at each of them, every promise is kept.

A step is what runs between two suspensions, so that to die before step k is to die at the k-th await. What was on
its way to the store at that moment lands, or does not: both are tried.
"""

import asyncio
import contextvars
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from channeling.call import Stop
from channeling.enforcement import Enforcement
from channeling.projects.project import ProjectRules
from channeling.window_kind import WindowKind
from simulation.asked import Asked, Ordered
from simulation.clients import Wish, ask
from simulation.environment import Environment, running_in
from simulation.operators import give_order, new_order_id, reconcile_once
from simulation.provider import Plan
from simulation.run import LIFETIMES_S, GatewayLog, judged
from simulation.trace import Trace
from simulation.virtual_time import VirtualClock, VirtualTimeLoop, run_in_virtual_time
from simulation.world import World, create_simulated_project

_EPOCH_S = 1_796_000_400 // 3_600 * 3_600
_USER = "user-0"


class SteppedLoop(VirtualTimeLoop):
    """A loop on virtual time that says, before each step of a process's code, whose it is."""

    def __init__(self) -> None:
        super().__init__()
        self.before_step: Callable[[Environment], None] = lambda _: None

    def call_soon(  # type: ignore[override]  # asyncio's stub has type variables for what is passed on untouched
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Run a callback in the next turn of the loop."""
        context = contextvars.copy_context() if context is None else context
        environment = context.get(running_in)
        if environment is None:
            return super().call_soon(callback, *args, context=context)

        def step() -> None:
            self.before_step(environment)
            callback(*args)

        return super().call_soon(step, context=context)


@dataclass(frozen=True, slots=True)
class Crash:
    """The process named `process` dies before its `step`-th step (0: never); what it had sent `lands` or not."""

    process: str
    step: int = 0
    lands: bool = True


@dataclass(frozen=True, slots=True)
class Scene:
    """A script. `doomed` names the process that dies; `answer` is what the provider does with every request.

    `reclaimed_alive` are requests that a clock further off than is promised reclaims while they run.
    """

    name: str
    play: Callable[[World], Awaitable[None]]
    doomed: str
    answer: Plan
    reclaimed_alive: tuple[str, ...] = ()
    enforcement: Enforcement = "elastic"


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a scene: the steps that the doomed process made, and what was broken."""

    steps: int
    violations: list[str]
    trace: list[str]


def play(scene: Scene, crash: Crash) -> Played:
    """Play a scene with one crash to its end, put the books in order, and judge it."""
    with GatewayLog() as log:
        return run_in_virtual_time(lambda loop: _play(scene, crash, loop, log), SteppedLoop)


async def _play(scene: Scene, crash: Crash, loop: VirtualTimeLoop, log: GatewayLog) -> Played:
    assert isinstance(loop, SteppedLoop)  # noqa: S101  # play made it
    steps = 0

    def before_step(environment: Environment) -> None:
        nonlocal steps
        if environment.name != crash.process or environment.is_dead:
            return
        steps += 1
        if steps == crash.step:
            environment.lands = crash.lands
            environment.die()

    world = World(
        rng=random.Random(1),
        loop=loop,
        trace=Trace(loop),
        enforcement=scene.enforcement,
        duration_s=0.0,
        epoch_ms=_EPOCH_S * 1000,
        skew_ms=0,
        plan_answer=lambda _rng, _max_tokens: scene.answer,
    )
    await create_simulated_project(world, ProjectRules("Scene"))
    loop.before_step = before_step
    await scene.play(world)
    await asyncio.sleep(LIFETIMES_S)
    log.unsettled |= set(scene.reclaimed_alive)
    violations = await judged(world, log, ())
    return Played(steps, violations, world.trace.lines)


async def _ask(
    world: World, process: str, name: str, limit_microusd: int, *, kind: WindowKind = "day", **wish: Any
) -> Asked:
    """Have a request asked of a process that serves, or of a new one; return it when it is over."""
    serving = {serving.environment.name: serving for serving in world.serving}
    now_s = world.now_ms() // 1000
    asked = Asked(name, _USER, kind, 0, 0)
    world.asked.append(asked)
    asking = Wish(limit_microusd, now_s, _EPOCH_S, **({"max_tokens": 8_000, "stream": True} | wish))
    await ask(world, serving.get(process) or world.serve(process), asked, asking)
    return asked


async def _cut_stream(world: World) -> None:
    """A stream is held for, extended, cut at the budget's end and settled; the next request finds what it left."""
    await _ask(world, "doomed", "r1", 30_000)
    await asyncio.sleep(1_000)
    await _ask(world, "other", "r2", 60_000)


async def _left_stream(world: World) -> None:
    """A client leaves in the middle of its stream."""
    await _ask(world, "doomed", "r1", 100_000, leaves_after_s=5.0, leaves=Stop.CLIENT_LEFT)
    await asyncio.sleep(1_000)
    await _ask(world, "other", "r2", 100_000)


async def _roll(world: World) -> None:
    """A request runs while its window ends and the doomed process rolls it; then the other way round."""
    await asyncio.sleep(3_594)
    running = asyncio.ensure_future(_ask(world, "other", "r1", 100_000, kind="hour"))
    await asyncio.sleep(7)
    await _ask(world, "doomed", "r2", 100_000, kind="hour")
    await running
    await asyncio.sleep(7_194 - world.loop.time())
    running = asyncio.ensure_future(_ask(world, "doomed", "r3", 100_000, kind="hour"))
    await asyncio.sleep(7)
    await _ask(world, "other", "r4", 100_000, kind="hour")
    await running
    await asyncio.sleep(10_810 - world.loop.time())
    await _ask(world, "other", "r5", 100_000, kind="hour")


async def _adjustment(world: World) -> None:
    """An order is given, and where its process dies given again, beside another's and a request."""
    await _ask(world, "other", "r1", 100_000)
    rng = random.Random(2)
    charge = Ordered(new_order_id(world, rng), "adjust", _USER, "day", 3_000_000)
    back = Ordered(new_order_id(world, rng), "reset", _USER, "day", None)
    running = asyncio.ensure_future(_ask(world, "other", "r2", 100_000))
    await asyncio.gather(give_order(world, "doomed", charge), give_order(world, "operator", back))
    await running


async def _reclaim_and_late_settle(world: World) -> None:
    """A request ends at its deadline, and at this moment a reclaimer, whose clock is too fast, ends its hold."""
    running = asyncio.ensure_future(_ask(world, "doomed", "r1", 100_000, max_tokens=6_000))
    await asyncio.sleep(899.955)
    fast = VirtualClock(world.loop, world.epoch_ms, skew_ms=62_000)
    reconciler = world.environment("reconciler", dies_at_operation=None)
    await reconcile_once(world, reconciler, 60_000, clock=fast)
    await running


_LONG = Plan("well", 250, 6_000, 150, pieces=10)
_SLOW = Plan("well", 250, 6_000, 6, pieces=10)
SCENES = (
    Scene("a stream that is cut", _cut_stream, "doomed", _LONG),
    Scene("a stream that is left", _left_stream, "doomed", _LONG),
    Scene("a window that rolls", _roll, "doomed", Plan("well", 250, 1_200, 120, pieces=2)),
    Scene("an order", _adjustment, "doomed.0", Plan("well", 250, 400, 100, pieces=2)),
    Scene("a reclaim beside a late settle", _reclaim_and_late_settle, "doomed", _SLOW, ("r1",), "strict"),
    Scene(
        "a dying reclaim beside a late settle",
        _reclaim_and_late_settle,
        "reconciler",
        _SLOW,
        ("r1",),
        "strict",
    ),
)
