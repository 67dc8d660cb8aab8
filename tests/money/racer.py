"""A process that races for budgets: `python -m tests.money.racer ENDPOINT PREFIX USERS LIMIT AMOUNT HOLDS ROUNDS`.

It writes "ready" and waits for a line, so that all processes of a race start together. Then it asks for so many
holds of each user (named with commas between) at once and settles those it is given whole; in the second round its
clock has passed the end of their day. It writes, as JSON, the user and the window (its start) of every hold that it
was given.
"""

import asyncio
import json
import os
import sys

from channeling.budgets.admission import Held
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.store import BudgetStore
from channeling.tables import TableNames
from channeling.usage.store import UsageStore
from channeling_cli.lean_store import open_lean_store
from tests.channeling.budgets.conftest import NOON_S, Protocol
from tests.stand_ins.clock import SetClock

FIRST_DAY_S = NOON_S - 86_400 + 5  # it ends in five seconds


async def race(
    protocol: Protocol, users: list[str], limit: int, amount: int, holds: int
) -> list[list[object]]:
    """Ask for this many holds of each user at once; settle those that were given; return where they were."""

    async def request(user: str) -> list[list[object]]:
        # Ids counted in each process would be the same ones.
        hold_id = new_hold_id(int(protocol.clock.now_s), os.urandom)
        ask = protocol.ask(user=user, limit=limit, hold_id=hold_id, window_start_s=FIRST_DAY_S)
        outcome = await protocol.hold(amount, ask)
        if not isinstance(outcome, Held):
            return []
        await protocol.end(outcome, amount)
        return [[user, outcome.hold.window_start_s]]

    given = await asyncio.gather(*(request(user) for _ in range(holds) for user in users))
    return [one for some in given for one in some]


async def race_in_rounds(
    endpoint_url: str,
    tables: TableNames,
    users: list[str],
    limit: int,
    amount: int,
    holds: int,
    rounds: int,
) -> list[list[object]]:
    """Race through the lean door, as requests do; each round but the first after the end of the day before."""
    store = open_lean_store(endpoint_url)
    door, clock = store.dynamodb, SetClock(NOON_S)
    protocol = Protocol(BudgetStore(door, tables.budgets), UsageStore(door, tables.usage, clock), clock)
    given = []
    for _ in range(rounds):
        given += await race(protocol, users, limit, amount, holds)
        clock.now_s = NOON_S + 10
    await store.aclose()
    return given


def main(arguments: list[str]) -> None:
    """Race once, or in two rounds with a window's end between them."""
    endpoint_url, prefix, users = arguments[:3]
    limit, amount, holds, rounds = (int(number) for number in arguments[3:])
    tables = TableNames.with_prefix(prefix)
    print("ready", flush=True)
    sys.stdin.readline()
    given = asyncio.run(race_in_rounds(endpoint_url, tables, users.split(","), limit, amount, holds, rounds))
    print(json.dumps(given), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
