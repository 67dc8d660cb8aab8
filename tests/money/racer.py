"""A process that races for one budget: `python -m tests.money.racer ENDPOINT PREFIX USER LIMIT AMOUNT HOLDS`.

It writes "ready" and waits for a line, so that all processes of a race start together; then it holds, settles each
hold whole, and writes how many it was given.
"""

import asyncio
import os
import sys

from channeling.budgets.admission import Held
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.store import BudgetStore
from channeling.dynamodb import BotocoreDynamoDB
from channeling.tables import TableNames
from channeling.usage.store import UsageStore
from channeling_cli.embedded_dynamodb import local_client
from tests.channeling.budgets.conftest import NOON_S, Protocol
from tests.stand_ins.clock import SetClock


async def race(protocol: Protocol, user: str, limit: int, amount: int, holds: int) -> int:
    """Ask for this many holds at once; settle those that were given; return how many these are."""

    async def request() -> bool:
        # Ids counted in each process would be the same ones.
        ask = protocol.ask(user=user, limit=limit, hold_id=new_hold_id(NOON_S, os.urandom))
        outcome = await protocol.hold(amount, ask)
        if isinstance(outcome, Held):
            await protocol.end(outcome, amount)
        return isinstance(outcome, Held)

    return sum(await asyncio.gather(*(request() for _ in range(holds))))


def main(arguments: list[str]) -> None:
    """Race once."""
    endpoint_url, prefix, user = arguments[:3]
    limit, amount, holds = (int(number) for number in arguments[3:])
    tables = TableNames.with_prefix(prefix)
    door = BotocoreDynamoDB(local_client(endpoint_url))
    clock = SetClock(NOON_S)
    protocol = Protocol(BudgetStore(door, tables.budgets), UsageStore(door, tables.usage, clock), clock)
    print("ready", flush=True)
    sys.stdin.readline()
    print(asyncio.run(race(protocol, user, limit, amount, holds)), flush=True)
    door.close()


if __name__ == "__main__":
    main(sys.argv[1:])
