"""Each budget write is refused by its own condition, also where another writer came in between."""

import pytest
from msgspec.structs import replace

from channeling.budgets.admission import NotHeld
from channeling.budgets.decide import HoldAsk, Revoked, TooManyConcurrent, WindowEnded, decide
from channeling.budgets.item import BudgetKey
from channeling.budgets.store import Hold, Refused
from channeling.budgets.windows import first_window, next_window
from channeling.dynamodb import Update
from tests.channeling.budgets.conftest import NOON_S, Protocol

DAY_S = 86_400
REVOKED_MS = NOON_S * 1000


async def set_raise(protocol: Protocol, amount: int, window_start_s: int) -> None:
    await protocol.budgets._dynamodb.update(
        Update(
            protocol.budgets._table,
            BudgetKey("demo", "user-1", "day").item_key(),
            "SET #raise = :raise",
            names={"#raise": "raise"},
            values={":raise": {"amount": amount, "window_start": window_start_s}},
        )
    )


async def test_a_window_is_not_created_for_a_token_revoked_meanwhile(protocol: Protocol) -> None:
    """The revocation that came after the first refusal stops the creation itself."""
    await protocol.budgets.revoke("demo", "user-1", REVOKED_MS)
    ask = protocol.ask(issued_at_ms=REVOKED_MS)
    with pytest.raises(Refused) as refused:
        await protocol.budgets.create(ask, 1, first_window("day", NOON_S, NOON_S))
    assert decide(refused.value.item, ask, 1, NOON_S, raise_counted=0) == Revoked()
    assert (await protocol.item()).window is None


async def test_a_window_is_not_rolled_for_a_token_revoked_meanwhile(protocol: Protocol) -> None:
    """The same for the roll: nothing of the item changes."""
    await protocol.end(await protocol.held(5), 5)
    ended = (await protocol.item()).window
    assert ended is not None
    await protocol.budgets.revoke("demo", "user-1", REVOKED_MS)
    now_s = NOON_S + DAY_S
    grid = next_window("day", origin_s=NOON_S, ended_s=ended.end_s, token_start_s=NOON_S, now_s=now_s)
    with pytest.raises(Refused):
        await protocol.budgets.roll(protocol.ask(issued_at_ms=REVOKED_MS), 1, ended, grid)
    assert (await protocol.item()).window == ended


async def test_a_window_before_that_still_has_holds_is_not_overwritten(protocol: Protocol) -> None:
    """Rolling over it would lose those holds, and with them what they are billed."""
    await protocol.held(800)
    protocol.clock.now_s += DAY_S
    await protocol.end(await protocol.held(5), 5)
    item = await protocol.item()
    assert item.window is not None
    assert item.previous is not None
    now_s = int(protocol.clock.now_s) + DAY_S
    grid = next_window(
        "day", origin_s=item.origin_s, ended_s=item.window.end_s, token_start_s=NOON_S, now_s=now_s
    )
    with pytest.raises(Refused):
        await protocol.budgets.roll(protocol.ask(), 1, item.window, grid)
    assert (await protocol.item()).previous == item.previous


@pytest.mark.parametrize(
    ("amount", "window_start_s"), [(400, NOON_S), (500, NOON_S - DAY_S), (600, NOON_S)], ids=str
)
async def test_a_raise_that_changed_meanwhile_is_not_counted(
    protocol: Protocol, amount: int, window_start_s: int
) -> None:
    """A raise of 500 was seen; another amount, or another window's, does not let this hold through."""
    await protocol.held(1_000, protocol.ask(window_start_s=NOON_S))
    await set_raise(protocol, amount, window_start_s)
    with pytest.raises(Refused):
        await protocol.budgets.hold(protocol.ask(), 100, NOON_S, raise_counted=500)
    item = await protocol.item()
    assert item.window is not None
    assert item.window.committed == 1_000


async def test_a_raise_as_it_was_seen_is_counted(protocol: Protocol) -> None:
    """The counterpart: with the raise unchanged the same hold goes through."""
    await protocol.held(1_000, protocol.ask(window_start_s=NOON_S))
    await set_raise(protocol, 500, NOON_S)
    item = await protocol.budgets.hold(protocol.ask(), 100, NOON_S, raise_counted=500)
    assert item.window is not None
    assert item.window.committed == 1_100


async def test_a_hold_is_refused_once_its_window_has_ended(protocol: Protocol) -> None:
    """The end itself belongs to the next window."""
    held = await protocol.held(1)
    assert held.item.window is not None
    with pytest.raises(Refused):
        await protocol.budgets.hold(protocol.ask(), 1, held.item.window.end_s, raise_counted=0)
    await protocol.budgets.hold(protocol.ask(), 1, held.item.window.end_s - 1, raise_counted=0)


async def test_an_ended_window_behind_live_holds_of_the_one_before_is_waited_for(protocol: Protocol) -> None:
    """Clocks that disagree can show this state: the request is told how many are in flight, and to try again."""
    running = await protocol.held(300)
    protocol.clock.now_s += DAY_S
    await protocol.held(200)
    item = await protocol.item()
    assert item.window is not None
    ask = replace(protocol.ask(), hold_lifetime_s=10 * DAY_S)
    decision = decide(item, ask, 1, item.window.end_s, raise_counted=0)
    assert decision == TooManyConcurrent(2)
    await protocol.end(running, 0)
    item = await protocol.item()
    assert isinstance(decide(item, ask, 1, NOON_S + 2 * DAY_S, raise_counted=0), WindowEnded)


async def test_the_limit_of_the_token_that_held_last_is_there_to_be_shown(protocol: Protocol) -> None:
    """With the first window, with each hold, and with the next window; whoever is refused changes nothing."""
    ask = protocol.ask()
    await protocol.end(await protocol.held(5), 5)
    assert (await protocol.item()).token_limit == ask.limit
    for days, limit in ((0, ask.limit + 7), (1, ask.limit + 9)):
        protocol.clock.now_s = NOON_S + days * DAY_S
        newer = replace(protocol.ask(), limit=limit)
        standing = (await protocol.item()).window
        assert standing is not None
        if days == 0:
            await protocol.budgets.hold(newer, 3, NOON_S, raise_counted=0)
            with pytest.raises(Refused):
                await protocol.budgets.hold(
                    replace(protocol.ask(), limit=1), 3, protocol.clock.now_s, raise_counted=0
                )
            await protocol.budgets.settle(_hold_of(newer, standing.start_s, 3), 3)
        else:
            grid = next_window(
                "day",
                origin_s=NOON_S,
                ended_s=standing.end_s,
                token_start_s=NOON_S,
                now_s=protocol.clock.now_s,
            )
            await protocol.budgets.roll(newer, 3, standing, grid)
        assert (await protocol.item()).token_limit == limit


async def test_a_hold_leaves_its_reserve_free_and_says_the_whole_limit(protocol: Protocol) -> None:
    """What has to be left for others lowers what may be held, in a new window and in a live one."""
    ask = protocol.ask(limit=1_000)
    refused = await protocol.hold(601, replace(ask, reserve=400))
    assert isinstance(refused, NotHeld)
    assert refused.limit == 1_000
    held = await protocol.held(600, replace(ask, reserve=400))
    assert (held.limit, held.item.token_limit) == (1_000, 1_000)
    second = replace(protocol.ask(limit=1_000), reserve=300)
    assert isinstance(await protocol.hold(101, second), NotHeld)
    assert (await protocol.held(100, second)).item.token_limit == 1_000


def _hold_of(ask: HoldAsk, window_start_s: int, amount: int) -> Hold:
    return Hold(ask.key, ask.hold_id, window_start_s, amount)
