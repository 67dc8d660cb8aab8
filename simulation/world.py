"""What a run is made of: one store, the processes that serve from it, and what everybody in it knows and did."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from unittest.mock import patch

from channeling.budgets.hold_id import new_hold_id
from channeling.doors import Doors
from channeling.enforcement import Enforcement
from channeling.gateway import Gateway, open_gateway
from channeling.pricing.price_table import PriceTable
from channeling.projects.project import Project, ProjectRules, ProjectSecrets
from channeling.projects.project_secrets import create_project
from channeling.projects.store import ProjectStore
from channeling.settings import Settings
from channeling.tables import TableNames
from simulation.asked import Asked, Ordered, Revocation, current_request
from simulation.environment import Environment
from simulation.faulty_dynamodb import FaultyDynamoDB
from simulation.observed_dynamodb import ObservedDynamoDB
from simulation.provider import Plan, Served, SimulatedProvider, draw_plan
from simulation.trace import Trace
from simulation.virtual_time import VirtualClock

PROJECT_ID = "demo"
MODEL = "claude-sonnet-4-5-20250929"
# Nanodollars per token, input and output: the default table's, and that of the custom price set half-way.
PRICES = ((3_000, 15_000), (6_000, 30_000))
TOKEN_SECRET = "hk_live_" + "5" * 32
TABLES = TableNames.with_prefix("simulated")
_load_price_table = PriceTable.load
# How far two clocks of a deployment may be apart, half of it to each side (`docs/simulation.md`).
SKEW_MS = 25_000


class NoCipher:
    """`Cipher` that leaves secrets as they are: encryption is no part of what is simulated."""

    async def encrypt(self, project_id: str, plaintext: bytes) -> bytes:
        """Return it."""
        return plaintext

    async def decrypt(self, project_id: str, ciphertext: bytes) -> bytes:
        """Return it."""
        return ciphertext


class ObservedGateway(Gateway, frozen=True):
    """A gateway that notes under which enforcement the request of this task runs."""

    def enforcement_of(self, project: Project) -> Enforcement:
        """Return how a project's budgets are enforced."""
        enforcement = super().enforcement_of(project)
        asked = current_request.get()
        if asked is not None:
            asked.enforcement = enforcement
        return enforcement


@dataclass(frozen=True, slots=True)
class Process:
    """A process that serves requests."""

    environment: Environment
    gateway: Gateway


@dataclass
class World:
    """One run. `skew_ms` is how wrong a clock may be, `fault_rate` how often the store misbehaves."""

    rng: random.Random
    loop: asyncio.AbstractEventLoop
    trace: Trace
    enforcement: Enforcement
    duration_s: float
    epoch_ms: int
    max_concurrent: int = 100
    fault_rate: float = 0.0
    skew_ms: int = SKEW_MS
    plan_answer: Callable[[random.Random, int], Plan] = draw_plan
    store: ObservedDynamoDB = field(default_factory=lambda: ObservedDynamoDB(TABLES.budgets))
    served: list[Served] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    ordered: list[Ordered] = field(default_factory=list)
    revoked: list[Revocation] = field(default_factory=list)
    # Those that requests are sent to; whichever died stays until another has taken its place.
    serving: list[Process] = field(default_factory=list)
    environments: dict[str, Environment] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """How every process of the deployment is configured."""
        return Settings(tables=TABLES, enforcement=self.enforcement, max_concurrent=self.max_concurrent)

    def now_ms(self) -> int:
        """Return the true time, in milliseconds since the epoch."""
        return self.epoch_ms + int(self.loop.time() * 1000)

    def clock(self) -> VirtualClock:
        """Return a clock of this deployment, right or as wrong as is promised."""
        skew_ms = self.rng.choice((0, 0, self.rng.randint(-self.skew_ms, self.skew_ms)))
        return VirtualClock(self.loop, self.epoch_ms, skew_ms=skew_ms)

    def environment(self, name: str, *, dies_at_operation: int | None) -> Environment:
        """Return a process of its own, whose chance is its own."""
        environment = Environment(
            name,
            random.Random(self.rng.random()),
            self.trace,
            dies_at_operation=dies_at_operation,
            fault_rate=self.fault_rate,
        )
        self.environments[name] = environment
        return environment

    def dynamodb(self, environment: Environment) -> FaultyDynamoDB:
        """Return a process's way to the store."""
        return FaultyDynamoDB(self.store, environment)

    def serve(
        self, name: str, *, dies_at_operation: int | None = None, clock: VirtualClock | None = None
    ) -> Process:
        """Start a process that serves requests."""
        environment = self.environment(name, dies_at_operation=dies_at_operation)
        gateway = _gateway(self, environment, clock or self.clock())
        process = Process(environment, gateway)
        self.serving.append(process)
        return process


async def create_simulated_project(world: World, rules: ProjectRules) -> None:
    """Write the one project that everybody has tokens of."""
    secrets = ProjectSecrets((TOKEN_SECRET,), {"anthropic": "sk-ant-simulated"})
    projects = ProjectStore(world.store, TABLES.projects)
    created_ms = world.now_ms() - 3_600_000  # before the oldest orphan hold, and few hours to roll up
    await create_project(projects, NoCipher(), PROJECT_ID, rules, secrets, now_ms=created_ms)


@lru_cache(maxsize=1)
def _price_table() -> PriceTable:
    """The table never changes, and reading it takes longer than all else that a process of a run does."""
    return _load_price_table()


def _gateway(world: World, environment: Environment, clock: VirtualClock) -> ObservedGateway:
    def randomness(count: int) -> bytes:
        drawn = environment.rng.randbytes(count)
        asked = current_request.get()
        if asked is not None:
            asked.hold_id = new_hold_id(asked.call_started_ms // 1000, lambda _: drawn)
        return drawn

    doors = Doors(
        world.dynamodb(environment),
        NoCipher(),
        SimulatedProvider(environment, world.served, world.plan_answer),
        clock,
        randomness,
    )
    with patch.object(PriceTable, "load", _price_table):
        gateway = open_gateway(world.settings, doors)
    return ObservedGateway(**{part: getattr(gateway, part) for part in gateway.__struct_fields__})
