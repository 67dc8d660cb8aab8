"""One process of the gateway as the simulation sees it: when it dies, none of its doors ever answers again."""

import asyncio
import contextvars
import random
from dataclasses import dataclass, field

from simulation.trace import Trace


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


@dataclass
class Environment:
    """A process. It dies at its `dies_at_operation`-th store operation, before or after that takes effect.

    `lands` says whether what it had sent when it died still takes effect; None leaves it to chance.
    """

    name: str
    rng: random.Random
    trace: Trace
    dies_at_operation: int | None = None
    fault_rate: float = 0.0
    lands: bool | None = None
    is_dead: bool = False
    operations: int = 0
    # Done when it dies.
    death: asyncio.Future[None] = field(default_factory=_future)
    # What everything in a dead process waits for; it is cancelled when the run has been judged.
    grave: asyncio.Future[None] = field(default_factory=_future)

    def die(self) -> None:
        """Stop: from now on nothing that this process does has an effect."""
        if not self.is_dead:
            self.is_dead = True
            self.trace.note(self.name, "DIES")
            self.death.set_result(None)

    async def rest(self) -> None:
        """Return at once in a living process, never in a dead one."""
        if self.is_dead:
            await asyncio.shield(self.grave)


# Whose code runs: set in the task that a process's work begins with, and inherited by every task that it makes.
running_in: contextvars.ContextVar[Environment | None] = contextvars.ContextVar("running_in", default=None)
