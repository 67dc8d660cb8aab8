"""However many threads and processes race, exactly the limit is admitted, and each request is charged once."""

import asyncio
import itertools
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

import pytest

from channeling.budgets.admission import Held, NotHeld
from channeling.budgets.settlement import reclaim_hold
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.budgets.conftest import HOLD_LIFETIME_S, NOON_S, Protocol
from tests.fetched_tools import ROOT
from tests.money.books import Books
from tests.money.racer import FIRST_DAY_S

THREADS = 64
PROCESSES = 8
AMOUNT = 100
DAY_S = 86_400
Result = TypeVar("Result")
# Twenty rounds take a minute and more on a machine that has other work.
LONG = [pytest.mark.long, pytest.mark.timeout(900)]
once_or_often = pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=LONG)])


def race(works: Sequence[Callable[[], Awaitable[Result]]]) -> list[Result]:
    """Start all works together, each on a thread with an event loop of its own; return what they return."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Awaitable[Result]]) -> Result:
        async def begin() -> Result:
            start.wait(timeout=30)
            return await work()

        return asyncio.run(begin())

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(run, works))


def users_of(rounds: int) -> list[str]:
    """Return the users of a race of so many rounds, one each."""
    return [f"user-{number}" for number in range(rounds)]


@once_or_often
def test_threads_on_one_user_are_admitted_to_exactly_the_limit(
    protocol: Protocol, books: Books, rounds: int
) -> None:
    """I1, I2: twice as many as fit race for an empty budget; half are held, and the books balance, always."""
    for number in range(rounds):
        user, limit = f"user-{number}", AMOUNT * THREADS // 2

        async def hold(user: str = user, limit: int = limit) -> Held | NotHeld:
            return await protocol.hold(AMOUNT, protocol.ask(user=user, limit=limit))

        held = [outcome for outcome in race([hold] * THREADS) if isinstance(outcome, Held)]
        assert len(held) == THREADS // 2
        asyncio.run(protocol.assert_books_balance(user=user))
        race([partial(protocol.end, one, AMOUNT) for one in held])
    assert books.settled(*users_of(rounds)) == [AMOUNT * THREADS // 2] * rounds


@once_or_often
def test_threads_that_hold_and_settle_fill_the_limit(protocol: Protocol, books: Books, rounds: int) -> None:
    """I1, I2: settling in between gives back what was not spent, and the whole limit is used, no more."""
    expected = []
    for number in range(rounds):
        user, limit = f"user-{number}", AMOUNT * THREADS

        async def requests(user: str = user, limit: int = limit) -> int:
            admitted = 0
            for _ in range(3):
                outcome = await protocol.hold(AMOUNT, protocol.ask(user=user, limit=limit))
                if isinstance(outcome, Held):
                    admitted += 1
                    await protocol.end(outcome, AMOUNT // 2)
            return admitted

        admitted = sum(race([requests] * THREADS))
        expected.append(admitted * AMOUNT // 2)
        assert expected[-1] <= limit
        # None is refused before as many holds stand as fit.
        assert admitted >= THREADS
    assert books.settled(*users_of(rounds)) == expected


@once_or_often
def test_threads_on_many_users_do_not_meet(protocol: Protocol, books: Books, rounds: int) -> None:
    """I1, I2: each user's budget is used up, and none beyond it."""
    users = [f"user-{number}" for number in range(THREADS // 4)]
    limit = AMOUNT * 10 * rounds

    def works_for(user: str) -> Callable[[], Awaitable[int]]:
        async def requests() -> int:
            admitted = 0
            for _ in range(4 * rounds):
                outcome = await protocol.hold(AMOUNT, protocol.ask(user=user, limit=limit))
                if isinstance(outcome, Held):
                    admitted += 1
                    await protocol.end(outcome, AMOUNT)
            return admitted

        return requests

    admitted = race([works_for(users[number % len(users)]) for number in range(THREADS)])
    for number in range(len(users)):
        assert sum(admitted[number :: len(users)]) == 10 * rounds
    assert books.settled(*users) == [limit] * len(users)


@once_or_often
def test_a_hold_belongs_for_ever_to_the_window_that_it_was_admitted_in(
    protocol: Protocol, books: Books, rounds: int
) -> None:
    """I2, I6: the clock passes a window's end in the race; both windows are filled exactly, and stay balanced."""
    for number in range(rounds):
        protocol.clock.now_s = NOON_S
        user, limit, tries = f"user-{number}", AMOUNT * THREADS, itertools.count()
        first_s = NOON_S - DAY_S + 5  # the window ends in five seconds

        async def requests(
            user: str = user,
            limit: int = limit,
            tries: "itertools.count[int]" = tries,
            first_s: int = first_s,
        ) -> list[int]:
            starts = []
            for _ in range(4):
                if next(tries) == 2 * THREADS:
                    protocol.clock.now_s = NOON_S + 10
                outcome = await protocol.hold(
                    AMOUNT, protocol.ask(user=user, limit=limit, window_start_s=first_s)
                )
                if isinstance(outcome, Held):
                    ended = await protocol.end(outcome, AMOUNT)
                    assert ended.record.window_start_s == outcome.hold.window_start_s
                    starts.append(outcome.hold.window_start_s)
            return starts

        starts = list(itertools.chain.from_iterable(race([requests] * THREADS)))
        # Of the tries before the clock moved at least 64 had ended, and as many as fit are 64; so too after it.
        assert [starts.count(start_s) for start_s in (first_s, first_s + DAY_S)] == [THREADS, THREADS]
        item = asyncio.run(protocol.item(user=user))
        assert item.previous is not None
        assert (item.previous.settled, item.previous.committed) == (limit, limit)
    assert books.settled(*users_of(rounds)) == [AMOUNT * THREADS] * rounds


@once_or_often
def test_one_end_of_many_counts(protocol: Protocol, books: Books, rounds: int) -> None:
    """I3: one hold is ended by every thread at another cost; one bill is written and charged."""
    expected = []
    for number in range(rounds):
        user = f"user-{number}"
        held = asyncio.run(protocol.held(AMOUNT, protocol.ask(user=user)))
        ends = race([partial(protocol.end, held, cost) for cost in range(THREADS)])
        [cost] = {ended.record.cost for ended in ends}
        expected.append(cost)
        assert len(asyncio.run(protocol.usage.of_user("demo", user))) == 1
    assert books.settled(*users_of(rounds)) == expected


@once_or_often
def test_a_reclaim_and_the_late_settle_charge_once(protocol: Protocol, books: Books, rounds: int) -> None:
    """I3: for each of 16 holds reclaimers race their requests, one with a bill above the hold."""
    expected = {}
    for number in range(rounds):
        users = [f"user-{number}-{one}" for one in range(THREADS // 4)]
        holds = [asyncio.run(protocol.held(400, protocol.ask(user=user))) for user in users]
        protocol.clock.now_s += HOLD_LIFETIME_S + 1
        works: list[Callable[[], Awaitable[object]]] = []
        for held in holds:
            works += [
                partial(reclaim_hold, protocol.budgets, protocol.usage, held.hold),
                partial(protocol.end, held, 700),
                partial(reclaim_hold, protocol.budgets, protocol.usage, held.hold),
                partial(protocol.end, held, 300),
            ]
        race(works)
        for user in users:
            [record] = asyncio.run(protocol.usage.of_user("demo", user))
            assert record.cost in (300, 400, 700)
            expected[user] = record.cost
    assert books.settled(*expected) == list(expected.values())


@once_or_often
def test_requests_reclaim_what_late_ones_settle(protocol: Protocol, books: Books, rounds: int) -> None:
    """I1, I3: new requests find the budget full of expired holds while these are settled at last, at nothing."""
    for number in range(rounds):
        user, limit = f"user-{number}", 8 * AMOUNT
        late = [asyncio.run(protocol.held(AMOUNT, protocol.ask(user=user, limit=limit))) for _ in range(8)]
        protocol.clock.now_s += HOLD_LIFETIME_S + 1

        async def request(user: str = user, limit: int = limit) -> object:
            return await protocol.hold(AMOUNT, protocol.ask(user=user, limit=limit))

        works: list[Callable[[], Awaitable[object]]] = [request] * (THREADS // 2)
        works += [partial(protocol.end, held, 0) for held in late for _ in range(THREADS // 2 // len(late))]
        held = [outcome for outcome in race(works) if isinstance(outcome, Held)]
        bills = asyncio.run(protocol.usage.of_user("demo", user))
        assert len(bills) == len(late)
        assert len(held) * AMOUNT + sum(bill.cost for bill in bills) <= limit
        asyncio.run(protocol.assert_books_balance(user=user))
    protocol.clock.now_s += HOLD_LIFETIME_S + 1  # nobody ends the new ones: the reconciler does
    assert all(settled <= 8 * AMOUNT for settled in books.settled(*users_of(rounds)))


def test_processes_on_one_user_are_admitted_to_exactly_the_limit(
    books: Books, embedded_dynamodb: EmbeddedDynamoDB
) -> None:
    """I1, I2: eight processes that share nothing but the store race for a fifth of what they ask for."""
    # 96 holds in all, so that the 100 requests that a user may have in flight stop none.
    given = processes(embedded_dynamodb, books.tables, ["user-1"], limit=AMOUNT * 20, holds=12)
    assert given == {("user-1", FIRST_DAY_S): 20}
    assert books.settled() == [AMOUNT * 20]


def test_processes_on_many_users_do_not_meet(books: Books, embedded_dynamodb: EmbeddedDynamoDB) -> None:
    """I1, I2: each user's budget is used up, and none beyond it."""
    users = [f"user-{number}" for number in range(8)]
    given = processes(embedded_dynamodb, books.tables, users, limit=AMOUNT * 5, holds=2)
    assert given == {(user, FIRST_DAY_S): 5 for user in users}
    assert books.settled(*users) == [AMOUNT * 5] * len(users)


def test_processes_pass_a_windows_end_each_in_its_own_time(
    books: Books, embedded_dynamodb: EmbeddedDynamoDB
) -> None:
    """I2, I6: some are in the next day while others are in the last one: neither is overspent, and both add up."""
    given = processes(embedded_dynamodb, books.tables, ["user-1"], limit=AMOUNT * 10, holds=6, rounds=2)
    assert given.keys() <= {("user-1", FIRST_DAY_S), ("user-1", FIRST_DAY_S + DAY_S)}
    assert 1 <= given["user-1", FIRST_DAY_S] <= 10
    assert given["user-1", FIRST_DAY_S + DAY_S] == 10
    books.protocol.clock.now_s = NOON_S + 10
    assert books.settled() == [AMOUNT * 10]


def processes(
    store: EmbeddedDynamoDB, tables: TableNames, users: list[str], *, limit: int, holds: int, rounds: int = 1
) -> Counter[tuple[str, int]]:
    """Let eight processes race; return how many holds they were given, by user and start of the window."""
    command = [sys.executable, "-m", "tests.money.racer", store.endpoint_url]
    command += [tables.budgets.removesuffix("-budgets"), ",".join(users)]
    command += [str(number) for number in (limit, AMOUNT, holds, rounds)]
    with ExitStack() as stack:
        racers = [
            stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(PROCESSES)
        ]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        outputs = [racer.communicate(timeout=100)[0] for racer in racers]
    return Counter((user, start_s) for output in outputs for user, start_s in json.loads(output))
