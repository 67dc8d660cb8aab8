"""One run: processes of the gateway over one store, clients, a provider and misfortune, all out of one seed."""

import asyncio
import contextvars
import logging
import random
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, get_args

import orjson

from channeling.answer import Answer, ClientGone
from channeling.auth.mint import mint_token
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import BudgetKey, budget_item
from channeling.budgets.settlement import reclaim_hold
from channeling.budgets.store import BudgetStore, Hold
from channeling.call import Call, Limits, Stop
from channeling.doors import Doors
from channeling.dynamodb import TransactionRefused
from channeling.enforcement import Enforcement
from channeling.errors import GatewayError
from channeling.gateway import Gateway, open_gateway
from channeling.pipeline import answer_message, run_to_its_end
from channeling.projects.project import ProjectRules, ProjectSecrets
from channeling.projects.project_secrets import create_project
from channeling.projects.store import ProjectStore
from channeling.settings import Settings
from channeling.tables import TableNames
from channeling.usage.record import usage_record
from channeling.usage.store import UsageStore
from channeling.window_kind import WindowKind
from simulation.environment import Environment
from simulation.faulty_dynamodb import FaultyDynamoDB
from simulation.invariants import Asked, Evidence, ObservedDynamoDB, violations
from simulation.provider import Served, SimulatedProvider
from simulation.trace import Trace
from simulation.virtual_time import VirtualClock, VirtualTimeLoop, run_in_virtual_time

PROJECT_ID = "demo"
MODEL = "claude-sonnet-4-5-20250929"
# Nanodollars per token, input and output: the default table's, and that of the custom price set half-way.
PRICES = ((3_000, 15_000), (6_000, 30_000))
_SECRET = "hk_live_" + "5" * 32
_TABLES = TableNames.with_prefix("simulated")
_EPOCH_S = 1_796_000_400
_LIFETIMES_S = 4_000  # longer than any request and its hold can last, whatever the clocks show
_current: contextvars.ContextVar[Asked | None] = contextvars.ContextVar("asked", default=None)


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a seed."""

    seed: int
    violations: list[str]
    trace: list[str]
    digest: str


class _NoCipher:
    """`Cipher` that leaves secrets as they are: encryption is no part of what is simulated."""

    async def encrypt(self, project_id: str, plaintext: bytes) -> bytes:
        return plaintext

    async def decrypt(self, project_id: str, ciphertext: bytes) -> bytes:
        return ciphertext


class _Defects(logging.Handler):
    """Collects what the gateway logs with a traceback: errors that nobody foresaw."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._found.append(f"{record.getMessage()}: {record.exc_info[1]!r}")


@dataclass
class _World:
    seed: int
    rng: random.Random
    loop: VirtualTimeLoop
    trace: Trace
    store: ObservedDynamoDB
    enforcement: Enforcement
    duration_s: float
    epoch_ms: int
    served: list[Served] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    revoked: list[tuple[str, int, float]] = field(default_factory=list)
    gateways: list[tuple[Environment, Gateway]] = field(default_factory=list)


def run_seed(seed: int) -> Run:
    """Run one seed to its end and judge it."""
    defects: list[str] = []
    log, handler = logging.getLogger("channeling"), _Defects(defects)
    log.addHandler(handler)
    was_propagating, log.propagate = log.propagate, False
    try:
        return run_in_virtual_time(lambda loop: _run(seed, loop, defects))
    finally:
        log.removeHandler(handler)
        log.propagate = was_propagating


async def _run(seed: int, loop: VirtualTimeLoop, defects: list[str]) -> Run:
    rng = random.Random(seed)
    world = _World(
        seed=seed,
        rng=rng,
        loop=loop,
        trace=Trace(loop),
        store=ObservedDynamoDB(_TABLES.budgets),
        enforcement=rng.choice(get_args(Enforcement)),
        duration_s=rng.choice((0.2, 2.0, 10.0, 60.0, 600.0, 6_000.0)),
        epoch_ms=(_EPOCH_S + rng.randrange(86_400)) * 1000,
    )
    await _open(world)
    users = [f"user-{number}" for number in range(rng.choice((1, 1, 2)))]
    kinds = rng.sample(get_args(WindowKind), rng.choice((1, 1, 2)))
    limit = rng.choice((0, 8_000, 20_000, 60_000, 200_000, 1_000_000))
    world.trace.note("world", f"seed {seed}: {world.enforcement}, {world.duration_s} s, {users}, {kinds}")
    clients = [
        asyncio.create_task(_client(world, f"r{number}", rng.choice(users), rng.choice(kinds), limit))
        for number in range(rng.choice((3, 6, 12, 24, 24)))
    ]
    events = [asyncio.create_task(_misfortune(world, users))]
    await asyncio.sleep(world.duration_s + _LIFETIMES_S)
    await _reclaim_everything(world)
    defects += [
        f"client {task.get_name()} ended in {task.exception()!r}"
        for task in (*clients, *events)
        if task.done() and not task.cancelled() and task.exception() is not None
    ]
    found = violations(_evidence(world, defects))
    for asked in world.asked:
        if asked.outcome == "not answered" and not _environment_of(world, asked).is_dead:
            found.append(f"{asked.name}: never answered, and its environment lives")
    for environment, _ in world.gateways:
        environment.grave.cancel()
    return Run(seed, found, world.trace.lines, world.trace.digest())


async def _open(world: _World) -> None:
    rules = ProjectRules("Simulated", enforcement=world.rng.choice((None, world.enforcement)))
    secrets = ProjectSecrets((_SECRET,), {"anthropic": "sk-ant-simulated"})
    projects = ProjectStore(world.store, _TABLES.projects)
    await create_project(projects, _NoCipher(), PROJECT_ID, rules, secrets, now_ms=1)
    fault_rate = world.rng.choice((0.0, 0.02, 0.1, 0.3))
    for number in range(world.rng.choice((1, 2, 3))):
        environment = Environment(
            f"env-{number}",
            random.Random(world.rng.random()),
            world.trace,
            dies_at_operation=world.rng.choice((None, None, world.rng.randint(3, 40))),
            fault_rate=fault_rate,
        )
        world.gateways.append((environment, _gateway(world, environment)))


def _gateway(world: _World, environment: Environment) -> Gateway:
    clock = VirtualClock(
        world.loop, world.epoch_ms, skew_ms=world.rng.choice((0, 0, world.rng.randint(-20_000, 20_000)))
    )

    def randomness(count: int) -> bytes:
        drawn = environment.rng.randbytes(count)
        asked = _current.get()
        if asked is not None:
            asked.hold_id = new_hold_id(asked.call_started_ms // 1000, lambda _: drawn)
        return drawn

    settings = Settings(
        tables=_TABLES, enforcement=world.enforcement, max_concurrent=world.rng.choice((2, 100))
    )
    doors = Doors(
        FaultyDynamoDB(world.store, environment),
        _NoCipher(),
        SimulatedProvider(environment, world.served),
        clock,
        randomness,
    )
    return open_gateway(settings, doors)


async def _client(world: _World, name: str, user: str, kind: WindowKind, limit: int) -> None:
    rng = random.Random(world.rng.random())
    asked = Asked(name, user, kind, 0, 0)
    world.asked.append(asked)
    await asyncio.sleep(rng.uniform(0, world.duration_s))
    environment, gateway = rng.choice(world.gateways)
    asked.environment = environment.name
    if environment.is_dead:
        asked.outcome = "refused before: its environment was dead"
        return
    now_s = (world.epoch_ms + int(world.loop.time() * 1000)) // 1000
    limit_microusd = int(limit * rng.choice((0.5, 1, 1, 1, 2)))
    minted_s = now_s - rng.choice((0, 5, 100, 1_000))
    token = mint_token(
        user_id=user,
        project_id=PROJECT_ID,
        secret=_SECRET,
        limit_microusd=limit_microusd,
        window=kind,
        window_start_s=rng.choice((minted_s, now_s - now_s % 3_600, now_s + 100)),
        now_s=minted_s,
    )
    asked.limit, asked.issued_at_ms, asked.started_s = (
        limit_microusd * 1000,
        minted_s * 1000,
        world.loop.time(),
    )
    await _request(world, rng, asked, environment, gateway, token)


async def _request(
    world: _World, rng: random.Random, asked: Asked, environment: Environment, gateway: Gateway, token: str
) -> None:
    body = {
        "model": MODEL,
        "max_tokens": rng.choice((16, 256, 1_024, 8_000, 32_000)),
        "messages": [{"role": "user", "content": f"{asked.name} {'x' * rng.choice((1, 500, 5_000))}"}],
        "stream": rng.random() < 0.7,
    }
    stop: asyncio.Future[Stop] = world.loop.create_future()
    limits = Limits(stop, world.loop.time() + 900.0, 900, 15.0)
    call = Call(
        headers=[(b"x-api-key", token.encode())],
        query="",
        body=orjson.dumps(body),
        request_id=f"req_{asked.name}",
        started_ms=gateway.doors.clock.now_ms(),
        limits=limits,
    )
    asked.call_started_ms = call.started_ms
    read_s = rng.choice((0.0, 0.0, 0.0, 0.2))

    async def send(message: MutableMapping[str, Any]) -> None:
        await environment.rest()
        if read_s:
            await asyncio.sleep(read_s)
        if message["type"] == "http.response.start":
            asked.outcome = f"answered {message['status']}"
            world.trace.note(environment.name, f"{asked.name} answered {message['status']}")

    def leave() -> None:
        if not stop.done():
            world.trace.note("client", f"{asked.name} leaves")
            stop.set_result(rng.choice((Stop.CLIENT_LEFT, Stop.SERVER_STOPS)))

    if rng.random() < 0.2:
        world.loop.call_later(rng.choice((0.001, 0.05, 2.0, 20.0)), leave)
    world.trace.note(
        environment.name, f"{asked.name} asks: {asked.user} {asked.kind} {asked.limit} {body['stream']}"
    )
    answer = Answer(send, request_id=call.request_id, deadline_s=limits.deadline_s + 5.0)
    _current.set(asked)
    try:
        await run_to_its_end(answer_message(gateway, call, answer), stop)
    except GatewayError as error:
        asked.outcome = f"refused before the provider: {error.status}"
        world.trace.note(environment.name, f"{asked.name} {asked.outcome} {error.message}")
    except ClientGone:
        pass
    if asked.outcome == "not answered":
        asked.outcome = "ended without an answer"


async def _misfortune(world: _World, users: list[str]) -> None:
    """Operators and death, at moments of the seed's choice: a revocation, a price, new rules, a kill."""
    rng = random.Random(world.rng.random())
    for _ in range(rng.choice((0, 1, 3))):
        await asyncio.sleep(rng.uniform(0, world.duration_s / 2))
        match rng.choice(("revoke", "price", "rules", "die")):
            case "revoke":
                user, now_ms = rng.choice(users), world.epoch_ms + int(world.loop.time() * 1000)
                world.trace.note("operator", f"revokes {user}")
                try:
                    await BudgetStore(world.store, _TABLES.budgets).revoke(PROJECT_ID, user, now_ms)
                except TransactionRefused:
                    continue
                world.revoked.append((user, now_ms, world.loop.time()))
            case "price":
                world.trace.note("operator", "sets a price")
                price = {"model": "claude-sonnet-4-5*", "input": "6", "output": "30"}
                await world.store.put(_TABLES.projects, {"pk": PROJECT_ID, "sk": "price#1", **price})
            case "rules":
                world.trace.note("operator", "changes the rules")
                rules = ProjectRules("Changed", max_concurrent=rng.choice((1, 3, None)))
                await ProjectStore(world.store, _TABLES.projects).change_rules(PROJECT_ID, rules)
            case "die":
                rng.choice(world.gateways)[0].die()


async def _reclaim_everything(world: _World) -> None:
    budgets = BudgetStore(world.store, _TABLES.budgets)
    usage = UsageStore(world.store, _TABLES.usage)
    now_s = (world.epoch_ms + int(world.loop.time() * 1000)) // 1000
    lifetime_s = Settings(tables=_TABLES).hold_lifetime_s
    for item in sorted(
        world.store.items(_TABLES.budgets), key=lambda item: (str(item["pk"]), str(item["sk"]))
    ):
        project_id, user = str(item["pk"]).split("#")
        kind = next(kind for kind in get_args(WindowKind) if kind == item["sk"])
        for window, hold_id in budget_item(item).expired_holds(now_s, lifetime_s):
            world.trace.note("reclaimer", f"{item['pk']!s}/{kind} {hold_id} {window.holds[hold_id]}")
            key = BudgetKey(project_id, user, kind)
            await reclaim_hold(budgets, usage, Hold(key, hold_id, window.start_s, window.holds[hold_id]))


def _evidence(world: _World, defects: list[str]) -> Evidence:
    return Evidence(
        store=world.store,
        records=[usage_record(item) for item in world.store.items(_TABLES.usage)],
        asked=world.asked,
        served=world.served,
        prices=PRICES,
        has_ceiling=world.enforcement != "soft",
        revoked=world.revoked,
        defects=defects,
        budgets=[
            (f"{item['pk']!s}/{item['sk']!s}", budget_item(item))
            for item in world.store.items(_TABLES.budgets)
        ],
    )


def _environment_of(world: _World, asked: Asked) -> Environment:
    return next(environment for environment, _ in world.gateways if environment.name == asked.environment)
