"""Everybody but the clients: operators, the reconciler, deployers and death, at moments of the seed's choice."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, TypeVar, get_args

from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import BudgetKey
from channeling.budgets.operations import OperationRefused, Order, adjust, raise_limit, reset, revoke
from channeling.budgets.store import BudgetStore
from channeling.enforcement import Enforcement
from channeling.errors import StoreUnavailable
from channeling.projects.project import ProjectRules
from channeling.projects.store import ProjectStore
from channeling.reconcile.run import reconcile
from channeling.usage.store import UsageStore
from channeling.window_kind import WindowKind
from simulation.asked import Ordered, Revocation
from simulation.environment import Environment, running_in
from simulation.virtual_time import VirtualClock
from simulation.world import PROJECT_ID, TABLES, Process, World

T = TypeVar("T")

_TRIES = 3


class ProcessDied(Exception):
    """The process that was to do something died, whatever it had done by then."""


async def restart_the_dead(world: World, process: Process, lives_left: int) -> None:
    """Put a new process into the place of one that dies, some time later; it knows nothing of what was."""
    await asyncio.shield(process.environment.death)
    await asyncio.sleep(world.rng.choice((0.1, 5.0, 120.0)))
    name = f"{process.environment.name}'"
    dies_at_operation = world.rng.choice((None, world.rng.randint(3, 40)))
    world.trace.note(name, "starts")
    successor = world.serve(name, dies_at_operation=dies_at_operation)
    world.serving.remove(successor)
    world.serving[world.serving.index(process)] = successor
    if lives_left:
        await restart_the_dead(world, successor, lives_left - 1)


async def misfortune(world: World, users: list[str], kinds: list[WindowKind], limit: int) -> None:
    """Order, revoke, change prices, rules and enforcement, and kill."""
    rng = random.Random(world.rng.random())
    for number in range(rng.choice((0, 1, 3, 5))):
        await asyncio.sleep(rng.uniform(0, world.duration_s / 2))
        user, kind = rng.choice(users), rng.choice(kinds)
        match rng.choice(("order", "order", "order", "revoke", "price", "rules", "die")):
            case "order":
                orders = [_drawn_order(world, rng, user, kind, limit) for _ in range(rng.choice((1, 1, 2)))]
                await asyncio.gather(
                    *(
                        give_order(world, f"operator-{number}{who}", order)
                        for who, order in zip("ab", orders, strict=False)
                    )
                )
            case "revoke":
                await _revoke(world, rng, f"operator-{number}", user)
            case "price":
                world.trace.note("operator", "sets a price")
                price = {"model": "claude-sonnet-4-5*", "input": "6", "output": "30"}
                await world.store.put(TABLES.projects, {"pk": PROJECT_ID, "sk": "price#1", **price})
            case "rules":
                await _change_rules(world, rng)
            case "die":
                rng.choice(world.serving).environment.die()


async def give_order(world: World, name: str, order: Ordered) -> None:
    """Give an order; where no answer comes, another process gives the same one again."""
    world.ordered.append(order)
    world.trace.note(name, f"orders {order.what} {order.user} {order.kind} {order.amount} {order.order_id}")
    now_s = world.now_ms() // 1000
    for number in range(_TRIES):
        dies_at = world.rng.choice((None, None, world.rng.randint(1, 8)))
        environment = world.environment(f"{name}.{number}", dies_at_operation=dies_at)
        try:
            amount = await in_process(environment, carry_out(world, environment, order, now_s))
        except (StoreUnavailable, ProcessDied):
            continue
        except OperationRefused as refused:
            world.trace.note(environment.name, f"refused: {refused}")
            order.outcome = "refused" if number == 0 else "unknown"
            return
        order.outcome, order.answered_amount = "done", amount
        world.trace.note(environment.name, f"done: {amount}")
        return


async def carry_out(world: World, environment: Environment, order: Ordered, now_s: int) -> int:
    """Carry an order out in a process; return its amount in nanodollars."""
    budgets, usage = _stores(world, environment)
    key = BudgetKey(PROJECT_ID, order.user, order.kind)
    signed = Order(order.order_id, "operator", "simulated")
    if order.what == "reset":
        return (await reset(budgets, usage, key, signed, now_s)).amount
    amount = order.amount or 0
    if order.what == "adjust":
        return (await adjust(budgets, usage, key, signed, amount, now_s)).amount
    await raise_limit(budgets, usage, key, signed, amount, now_s)
    return 0


async def in_process(environment: Environment, work: Coroutine[Any, Any, T]) -> T:
    """Return what a process's work returns, and raise what it raises; ProcessDied where it dies first."""

    async def run() -> T:
        running_in.set(environment)
        return await work

    task = asyncio.ensure_future(run())
    waiting: set[asyncio.Future[Any]] = {task, environment.death}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        raise ProcessDied(environment.name)
    return task.result()


async def run_reconcilers(world: World) -> None:
    """Reconcile now and then, two at once, with too little time, and dying half-way."""
    rng = random.Random(world.rng.random())
    for number in range(rng.choice((0, 1, 2, 4))):
        await asyncio.sleep(rng.uniform(0, world.duration_s / 2 + 1_000))
        runs = [
            reconcile_once(
                world,
                world.environment(
                    f"reconciler-{number}.{twin}", dies_at_operation=rng.choice((None, rng.randint(1, 12)))
                ),
                rng.choice((20, 200, 60_000)),
            )
            for twin in range(rng.choice((1, 1, 2)))
        ]
        await asyncio.gather(*runs)


async def reconcile_once(
    world: World, environment: Environment, for_ms: int, *, clock: VirtualClock | None = None
) -> None:
    """Run the reconciler in a process, for at most so long; it may fail, or die."""
    clock = clock or world.clock()
    world.trace.note(environment.name, "reconciles")
    try:
        report = await in_process(
            environment,
            reconcile(world.dynamodb(environment), world.settings, clock, clock.now_ms() + for_ms),
        )
    except (StoreUnavailable, ProcessDied):
        return
    world.trace.note(environment.name, f"reconciled: {report}")


def new_order_id(world: World, rng: random.Random) -> str:
    """Return an id as the command line makes one."""
    return new_hold_id(world.now_ms() // 1000, rng.randbytes)


def _stores(world: World, environment: Environment) -> tuple[BudgetStore, UsageStore]:
    dynamodb = world.dynamodb(environment)
    return BudgetStore(dynamodb, TABLES.budgets), UsageStore(dynamodb, TABLES.usage, world.clock())


def _drawn_order(world: World, rng: random.Random, user: str, kind: WindowKind, limit: int) -> Ordered:
    order_id = new_order_id(world, rng)
    size = rng.randint(1, max(1, limit * 500))
    match rng.choice(("adjust", "adjust", "reset", "raise")):
        case "reset":
            return Ordered(order_id, "reset", user, kind, None)
        case "raise":
            return Ordered(order_id, "raise", user, kind, rng.choice((0, size, size * 4)))
        case _:
            return Ordered(order_id, "adjust", user, kind, rng.choice((size, -size, -size // 50 - 1)))


async def _revoke(world: World, rng: random.Random, name: str, user: str) -> None:
    now_ms = world.now_ms()
    order = Order(new_order_id(world, rng), "operator", "simulated")
    world.trace.note(name, f"revokes {user}")
    for number in range(_TRIES):
        environment = world.environment(
            f"{name}.{number}", dies_at_operation=rng.choice((None, None, rng.randint(1, 3)))
        )
        budgets, usage = _stores(world, environment)
        try:
            await in_process(
                environment,
                revoke(budgets, usage, PROJECT_ID, user, order, now_ms),
            )
        except (StoreUnavailable, ProcessDied):
            continue
        world.revoked.append(Revocation(user, now_ms, world.loop.time()))
        return


async def _change_rules(world: World, rng: random.Random) -> None:
    enforcement: Enforcement | None = rng.choice((None, *get_args(Enforcement)))
    rules = ProjectRules("Changed", enforcement=enforcement, max_concurrent=rng.choice((1, 3, None)))
    world.trace.note("operator", f"changes the rules: {rules.enforcement}, {rules.max_concurrent}")
    await ProjectStore(world.store, TABLES.projects).change_rules(PROJECT_ID, rules)
