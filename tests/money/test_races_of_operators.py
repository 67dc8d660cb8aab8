"""Operators who adjust, reset, raise and revoke while 64 threads spend, extend and reclaim: each order counts once,
and nothing is spent that no limit allowed."""

import asyncio
import itertools
import os
import threading
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from channeling.budgets.admission import Held, NotHeld, hold_amount
from channeling.budgets.decide import HoldAsk, Revoked
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import Adjustment, BudgetKey
from channeling.budgets.operations import (
    OperationRefused,
    Order,
    adjust,
    finish_adjustment,
    raise_limit,
    reset,
    revoke,
)
from channeling.budgets.settlement import extend_towards, reclaim_hold
from channeling.budgets.store import Hold
from channeling.errors import Overloaded
from tests.channeling.budgets.conftest import HOLD_LIFETIME_S, NOON_S, Protocol
from tests.money.books import Books
from tests.money.test_races import AMOUNT, DAY_S, THREADS, once_or_often, race, users_of

Work = Callable[[], Awaitable[object]]


def order() -> Order:
    return Order(new_hold_id(NOON_S, os.urandom), "ann", "a race")


async def hold(protocol: Protocol, ask: HoldAsk, amount: int = AMOUNT) -> Held | NotHeld | None:
    """Ask as the pipeline does; None where the budget changed too fast, which a client is told to try again."""

    async def reclaim(left: Hold) -> None:
        await reclaim_hold(protocol.budgets, protocol.usage, left)

    async def finish(key: BudgetKey, adjustment: Adjustment) -> None:
        await finish_adjustment(protocol.budgets, protocol.usage, key, adjustment)

    try:
        return await hold_amount(protocol.budgets, ask, amount, protocol.clock, reclaim, finish)
    except Overloaded:
        return None


@once_or_often
def test_extensions_share_what_is_left_to_the_nanodollar(
    protocol: Protocol, books: Books, rounds: int
) -> None:
    """I1: 64 streams hold 100 each and all want 100 more, where 1,050 are left: the bills come to the limit at
    most, and what does not fit is called uncollected."""
    for user in users_of(rounds):
        limit = AMOUNT * THREADS + 1_050
        held = [
            asyncio.run(protocol.held(AMOUNT, protocol.ask(user=user, limit=limit))) for _ in range(THREADS)
        ]

        async def extend_and_end(one: Held, limit: int = limit) -> tuple[int, int]:
            await extend_towards(protocol.budgets, one.hold, 2 * AMOUNT, limit=limit)
            ended = await protocol.end(one, 2 * AMOUNT)
            return ended.record.cost, ended.record.uncollected

        ends = race([partial(extend_and_end, one) for one in held])
        assert all(cost >= AMOUNT and cost + uncollected == 2 * AMOUNT for cost, uncollected in ends)
        assert sum(cost for cost, _ in ends) <= limit
        item = asyncio.run(protocol.item(user=user))
        assert item.window is not None
        assert item.window.settled == sum(cost for cost, _ in ends)
    assert all(settled <= limit for settled in books.settled(*users_of(rounds)))


@pytest.mark.parametrize("window_ends", [False, True], ids=["in a window", "across its end"])
@once_or_often
def test_orders_count_once_beside_requests(
    protocol: Protocol, books: Books, rounds: int, window_ends: bool
) -> None:
    """I1, I2: what an operator was told was done is recorded once and counted once, what was refused is nowhere."""
    for user in users_of(rounds):
        protocol.clock.now_s = NOON_S
        key, limit, raised = BudgetKey("demo", user, "day"), AMOUNT * 20, AMOUNT * 4
        first_s = NOON_S - DAY_S + 5
        tries = itertools.count()
        adjusted: list[tuple[str, int]] = []
        ask = partial(protocol.ask, user=user, limit=limit, window_start_s=first_s)
        asyncio.run(protocol.end(asyncio.run(protocol.held(AMOUNT, ask())), AMOUNT))

        async def requests(ask: Callable[[], HoldAsk] = ask, tries: "itertools.count[int]" = tries) -> None:
            for cost in (AMOUNT // 2, AMOUNT, AMOUNT * 3 // 2):
                if window_ends and next(tries) == THREADS:
                    protocol.clock.now_s = NOON_S + 10
                outcome = await hold(protocol, ask())
                if isinstance(outcome, Held):
                    await protocol.end(outcome, cost)

        async def orders(
            amount: int, key: BudgetKey = key, adjusted: list[tuple[str, int]] = adjusted
        ) -> None:
            for one in (order(), order()):
                now_s = int(protocol.clock.now_s)
                try:
                    if amount:
                        done = await adjust(protocol.budgets, protocol.usage, key, one, amount, now_s)
                    else:
                        done = await reset(protocol.budgets, protocol.usage, key, one, now_s)
                except OperationRefused:
                    continue
                adjusted.append((one.order_id, done.amount))

        async def raises(amount: int, key: BudgetKey = key) -> None:
            try:
                now_s = int(protocol.clock.now_s)
                await raise_limit(protocol.budgets, protocol.usage, key, order(), amount, now_s)
            except OperationRefused:
                pass

        works: list[Work] = [requests] * (THREADS - 16)
        works += [partial(orders, amount) for amount in (10, 10, -10, -10, 3, -3, 0, 0)]
        works += [partial(raises, amount) for amount in (raised, 0) * 4]
        race(works)
        records = asyncio.run(protocol.usage.of_user("demo", user))
        written = {
            record.key.sk.split("#")[0]: record.cost for record in records if record.kind == "adjustment"
        }
        assert written == {order_id: amount for order_id, amount in adjusted if amount}
        given = sum(amount for _, amount in adjusted if amount > 0)
        item = asyncio.run(protocol.item(user=user))
        for window in (item.window, item.previous):
            assert window is None or 0 <= window.settled <= limit + raised + given
    books.settled(*users_of(rounds))


@once_or_often
def test_nothing_is_held_with_a_token_once_it_is_revoked(
    protocol: Protocol, books: Books, rounds: int
) -> None:
    """I4: from the moment that the operator was answered no request gets through; those before it end well."""
    for user in users_of(rounds):
        # One before the race: a revocation that wins it outright would leave no window to close the books of.
        before = asyncio.run(protocol.held(AMOUNT, protocol.ask(user=user, limit=10**6)))
        asyncio.run(protocol.end(before, 1))
        revoked = threading.Event()

        async def spend(user: str = user, revoked: threading.Event = revoked) -> None:
            while True:
                was_revoked = revoked.is_set()
                outcome = await hold(protocol, protocol.ask(user=user, limit=10**6))
                if isinstance(outcome, NotHeld):
                    assert isinstance(outcome.reason, Revoked)
                    return
                assert not was_revoked, "a request got through after the revocation was answered"
                if outcome is not None:
                    await protocol.end(outcome, 1)

        async def operate(user: str = user, revoked: threading.Event = revoked) -> None:
            # Tokens are issued at the moment of the ask: the set clock stands still.
            now_ms = protocol.clock.now_ms()
            while not revoked.is_set():
                try:
                    await revoke(protocol.budgets, protocol.usage, "demo", user, order(), now_ms)
                except OperationRefused:
                    continue  # "requests of this user are writing all the time; try again"
                revoked.set()

        race([spend] * (THREADS // 4) + [operate])
        asyncio.run(protocol.assert_books_balance(user=user))
    books.settled(*users_of(rounds))


@once_or_often
def test_reclaimers_resets_and_new_requests_meet_over_expired_holds(
    protocol: Protocol, books: Books, rounds: int
) -> None:
    """I2, I3: a budget full of expired holds is reclaimed, reset and spent at once; every hold is billed once."""
    for user in users_of(rounds):
        key, limit = BudgetKey("demo", user, "day"), 16 * AMOUNT
        left = [asyncio.run(protocol.held(AMOUNT, protocol.ask(user=user, limit=limit))) for _ in range(16)]
        protocol.clock.now_s += HOLD_LIFETIME_S + 1

        async def spend(user: str = user, limit: int = limit) -> None:
            outcome = await hold(protocol, protocol.ask(user=user, limit=limit))
            if isinstance(outcome, Held):
                await protocol.end(outcome, AMOUNT // 2)

        async def give_back(key: BudgetKey = key) -> None:
            await reset(protocol.budgets, protocol.usage, key, order(), int(protocol.clock.now_s))

        works: list[Work] = [
            partial(reclaim_hold, protocol.budgets, protocol.usage, one.hold) for one in left
        ]
        works += [partial(protocol.end, one, AMOUNT // 4) for one in left]
        race(works + [spend] * (THREADS - len(works) - 4) + [give_back] * 4)
        records = asyncio.run(protocol.usage.of_user("demo", user))
        ids = [record.key.sk.split("#")[0] for record in records if record.kind == "request"]
        assert len(ids) == len(set(ids))
        assert {one.hold.hold_id for one in left} <= set(ids)
    books.settled(*users_of(rounds))
