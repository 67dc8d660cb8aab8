"""Every condition of every budget write is needed: without it, a small scenario loses or doubles money."""

import ast
import contextlib
import inspect
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import get_type_hints

import pytest

from channeling.budgets import conditions, store
from channeling.budgets.conditions import Clause
from channeling.budgets.item import Adjustment, BudgetItem, BudgetKey, WindowState
from channeling.budgets.store import Refused
from channeling.budgets.windows import first_window, next_window
from channeling.dynamodb import TransactionRefused
from tests.channeling.budgets.conftest import Protocol

DAY_S = 86_400
KEY = BudgetKey("demo", "user-1", "day")
Scenario = Callable[[Protocol], Awaitable[None]]


@dataclass(frozen=True)
class Site:
    """A clause, and the write (a method of BudgetStore) that is made under it."""

    write: str
    clause: str

    def __str__(self) -> str:
        return f"{self.write}-{self.clause}"


async def attempt(write: Awaitable[object]) -> None:
    """Let a write be made or refused: what counts is the budget after it."""
    with contextlib.suppress(Refused, TransactionRefused):
        await write


async def window(protocol: Protocol) -> WindowState:
    """Return the current window, whose books must balance."""
    item = await protocol.item()
    for found in (item.window, item.previous):
        assert found is None or found.committed == found.settled + sum(found.holds.values())
    assert item.window is not None
    return item.window


def windows_with(item: BudgetItem, hold_id: str) -> list[int]:
    """Return the starts of the windows that a hold stands in."""
    return [found.start_s for found in (item.window, item.previous) if found and hold_id in found.holds]


async def roll(protocol: Protocol, ended: WindowState, hold_id: str | None = None, issued: int = 0) -> None:
    """Try to roll the window that was seen, as a request of now would."""
    now_s = int(protocol.clock.now_s)
    grid = next_window(
        "day", origin_s=ended.start_s, ended_s=ended.end_s, token_start_s=ended.start_s, now_s=now_s
    )
    ask = protocol.ask(hold_id=hold_id, issued_at_ms=issued or None)
    await attempt(protocol.budgets.roll(ask, 100, ended, grid))


def order(window_start_s: int, amount: int = 50, name: str = "order-1") -> Adjustment:
    """Return an operator's order."""
    return Adjustment(name, amount, window_start_s, "adjustment", "ann", "a test")


async def a_hold_in_an_ended_window(protocol: Protocol) -> None:
    """A request is charged to the window that it came in, not to one that has ended."""
    await protocol.held(100)
    protocol.clock.now_s += DAY_S
    ask = protocol.ask()
    await attempt(protocol.budgets.hold(ask, 100, int(protocol.clock.now_s), raise_counted=0))
    assert ask.hold_id not in (await window(protocol)).holds


async def holds_above_the_limit(protocol: Protocol) -> None:
    """What is held never passes the limit."""
    await protocol.held(600)
    await protocol.hold(600)
    assert (await window(protocol)).committed <= 1_000


async def a_soft_budget_that_is_reached(protocol: Protocol) -> None:
    """A soft budget admits nothing once its limit is reached."""
    await protocol.held(1_000, protocol.ask(enforcement="soft"))
    await protocol.hold(1, protocol.ask(enforcement="soft"))
    assert (await window(protocol)).committed == 1_000


async def the_same_hold_twice(protocol: Protocol) -> None:
    """A hold whose answer was lost is not counted a second time."""
    ask = protocol.ask()
    await protocol.held(100, ask)
    await attempt(protocol.budgets.hold(ask, 100, int(protocol.clock.now_s), raise_counted=0))
    assert (await window(protocol)).committed == 100


async def more_requests_than_slots(protocol: Protocol) -> None:
    """No more requests are in flight than the project allows."""
    for _ in range(3):
        await protocol.hold(1, protocol.ask(max_concurrent=2))
    assert len((await window(protocol)).holds) == 2


async def a_revoked_token_in_a_live_window(protocol: Protocol) -> None:
    """A revoked token holds nothing."""
    await protocol.held(100)
    await protocol.budgets.revoke("demo", "user-1", protocol.clock.now_ms())
    ask = protocol.ask()
    await attempt(protocol.budgets.hold(ask, 100, int(protocol.clock.now_s), raise_counted=0))
    assert ask.hold_id not in (await window(protocol)).holds


async def a_raise_that_is_gone(protocol: Protocol) -> None:
    """A raise taken back, or of a window that has ended, admits nothing."""
    start_s = (await protocol.held(1)).hold.window_start_s
    await protocol.budgets.set_raise(KEY, 200, start_s)
    stale = protocol.budgets.hold(protocol.ask(), 1_300, int(protocol.clock.now_s), raise_counted=500)
    await attempt(stale)
    assert (await window(protocol)).committed <= 1_200
    await protocol.budgets.set_raise(KEY, 500, start_s)
    protocol.clock.now_s += DAY_S
    await protocol.held(1)
    stale = protocol.budgets.hold(protocol.ask(), 1_300, int(protocol.clock.now_s), raise_counted=500)
    await attempt(stale)
    assert (await window(protocol)).committed <= 1_000


async def a_window_laid_twice(protocol: Protocol) -> None:
    """Of two first requests at once, the second does not wipe out the first."""
    held = await protocol.held(600)
    grid = first_window("day", int(protocol.clock.now_s), int(protocol.clock.now_s))
    await attempt(protocol.budgets.create(protocol.ask(), 600, grid))
    assert held.hold.hold_id in (await window(protocol)).holds


async def a_revoked_token_with_no_window(protocol: Protocol) -> None:
    """A revoked token lays no window."""
    await protocol.budgets.revoke("demo", "user-1", protocol.clock.now_ms())
    grid = first_window("day", int(protocol.clock.now_s), int(protocol.clock.now_s))
    await attempt(protocol.budgets.create(protocol.ask(), 100, grid))
    assert (await protocol.item()).window is None


async def a_window_rolled_twice(protocol: Protocol) -> None:
    """Of two requests that roll at once, the second does not open the window again with nothing in it."""
    first = await protocol.held(300)
    ended = await window(protocol)
    await protocol.budgets.settle(first.hold, 300)
    protocol.clock.now_s += DAY_S
    second = await protocol.held(400)
    await roll(protocol, ended)
    assert second.hold.hold_id in (await window(protocol)).holds


async def a_window_rolled_over_a_hold(protocol: Protocol) -> None:
    """The window before is kept until its last hold has ended."""
    old = await protocol.held(300)
    protocol.clock.now_s += DAY_S
    await protocol.held(400)
    ended = await window(protocol)
    protocol.clock.now_s += DAY_S
    await roll(protocol, ended)
    assert windows_with(await protocol.item(), old.hold.hold_id)


async def a_window_rolled_over_an_order(protocol: Protocol) -> None:
    """An operator's order is carried out before its window is moved aside."""
    await protocol.held(300)
    ended = await window(protocol)
    await protocol.budgets.intend_adjustment(KEY, order(ended.start_s))
    protocol.clock.now_s += DAY_S
    await roll(protocol, ended)
    await attempt(protocol.budgets.apply_adjustment(KEY, order(ended.start_s)))
    assert (await window(protocol)).settled == 50


async def a_hold_on_both_sides_of_a_roll(protocol: Protocol) -> None:
    """A hold that landed before the roll is not held again by it."""
    ask = protocol.ask()
    await protocol.held(100, ask)
    ended = await window(protocol)
    protocol.clock.now_s += DAY_S
    await roll(protocol, ended, hold_id=ask.hold_id)
    assert windows_with(await protocol.item(), ask.hold_id) == [ended.start_s]


async def a_revoked_token_in_an_ended_window(protocol: Protocol) -> None:
    """A revoked token rolls no window."""
    issued_at_ms = protocol.clock.now_ms()
    await protocol.held(100)
    ended = await window(protocol)
    await protocol.budgets.revoke("demo", "user-1", protocol.clock.now_ms())
    protocol.clock.now_s += DAY_S
    await roll(protocol, ended, issued=issued_at_ms)
    assert (await window(protocol)).start_s == ended.start_s


async def a_settle_of_another_hold(protocol: Protocol) -> None:
    """A settle ends the hold as it stands, in its own window, or nothing."""
    held = await protocol.held(400)
    await protocol.budgets.change_hold(held.hold, 600, limit=None)
    await attempt(protocol.budgets.settle(held.hold, 300))
    assert (await window(protocol)).committed == 600
    await one_id_in_two_windows(protocol, held.hold.hold_id, lambda hold: protocol.budgets.settle(hold, 100))


async def a_change_of_another_hold(protocol: Protocol) -> None:
    """A change is of the hold as it stands, in its own window, or of nothing."""
    held = await protocol.held(400)
    await protocol.budgets.change_hold(held.hold, 600, limit=None)
    await attempt(protocol.budgets.change_hold(held.hold, 500, limit=None))
    assert (await window(protocol)).committed == 600
    await one_id_in_two_windows(
        protocol, held.hold.hold_id, lambda hold: protocol.budgets.change_hold(hold, 100, limit=None)
    )


async def one_id_in_two_windows(
    protocol: Protocol, hold_id: str, write: Callable[[store.Hold], Awaitable[BudgetItem]]
) -> None:
    """Write to a hold of the window before, whose id and amount also stand in the current one."""
    start_s = (await window(protocol)).start_s
    protocol.clock.now_s += DAY_S
    await protocol.held(1)
    twin = protocol.ask(hold_id=hold_id)
    await protocol.budgets.hold(twin, 600, int(protocol.clock.now_s), raise_counted=0)
    await write(store.Hold(KEY, hold_id, start_s, 600))
    assert (await window(protocol)).holds.get(hold_id) == 600


async def an_extension_above_the_limit(protocol: Protocol) -> None:
    """A hold grows only by what the limit leaves."""
    held = await protocol.held(400)
    await protocol.held(500)
    await attempt(protocol.budgets.change_hold(held.hold, 600, limit=1_000))
    assert (await window(protocol)).committed <= 1_000


async def an_order_for_an_ended_window(protocol: Protocol) -> None:
    """An order is for the window that the operator saw."""
    start_s = (await protocol.held(100)).hold.window_start_s
    protocol.clock.now_s += DAY_S
    await protocol.held(100)
    await attempt(protocol.budgets.intend_adjustment(KEY, order(start_s)))
    assert (await protocol.item()).adjustment is None


async def two_orders_at_once(protocol: Protocol) -> None:
    """A second order does not overwrite the first before that is carried out."""
    start_s = (await protocol.held(100)).hold.window_start_s
    await protocol.budgets.intend_adjustment(KEY, order(start_s))
    await attempt(protocol.budgets.intend_adjustment(KEY, order(start_s, name="order-2")))
    assert (await protocol.item()).adjustment == order(start_s)


async def an_order_given_twice(protocol: Protocol) -> None:
    """An order whose answer was lost is carried out once, though another was carried out since."""
    start_s = (await protocol.held(100)).hold.window_start_s
    for name, last in (("order-1", None), ("order-2", "order-1"), ("order-1", None)):
        await attempt(
            protocol.budgets.intend_adjustment(KEY, order(start_s, name=name), last_adjusted_id=last)
        )
        await attempt(protocol.budgets.apply_adjustment(KEY, order(start_s, name=name)))
    assert (await window(protocol)).settled == 100


async def more_given_back_than_settled(protocol: Protocol) -> None:
    """Nothing is given back that was not settled."""
    start_s = (await protocol.held(100)).hold.window_start_s
    await attempt(protocol.budgets.intend_adjustment(KEY, order(start_s, -50)))
    await attempt(protocol.budgets.apply_adjustment(KEY, order(start_s, -50)))
    assert (await window(protocol)).settled >= 0


async def an_order_applied_twice(protocol: Protocol) -> None:
    """Two who find an order half done carry it out once."""
    start_s = (await protocol.held(100)).hold.window_start_s
    await protocol.budgets.intend_adjustment(KEY, order(start_s))
    for _ in range(2):
        await attempt(protocol.budgets.apply_adjustment(KEY, order(start_s)))
    assert (await window(protocol)).settled == 50


async def an_order_applied_to_another_window(protocol: Protocol) -> None:
    """An order's money goes to the window that its record names."""
    start_s = (await protocol.held(100)).hold.window_start_s
    await protocol.budgets.intend_adjustment(KEY, order(start_s))
    await attempt(protocol.budgets.apply_adjustment(KEY, order(start_s - DAY_S)))
    assert (await window(protocol)).settled == 0


def corrected(start_s: int, amount: int = -50, name: str = "correction-1") -> Adjustment:
    """Return the correction of a bill, which only ever gives back."""
    return Adjustment(name, amount, start_s, "correction", "ann", "a test")


async def intend_correction(
    protocol: Protocol,
    correction: Adjustment,
    attributes: conditions.WindowAttributes = conditions.CURRENT,
    seen: str | None = None,
) -> None:
    """Try to write a correction down, as one who saw the last order that was carried out."""
    await attempt(protocol.budgets.intend_correction(KEY, correction, attributes, last_adjusted_id=seen))


async def a_correction_for_a_window_that_is_gone(protocol: Protocol) -> None:
    """A correction that could never be applied does not stand in the way of the next window."""
    start_s = await a_settled_window(protocol)
    for _ in range(2):
        protocol.clock.now_s += DAY_S
        await a_settled_window(protocol)
    await intend_correction(protocol, corrected(start_s))
    assert (await protocol.item()).adjustment is None


async def a_correction_and_an_order_at_once(protocol: Protocol) -> None:
    """A correction does not overwrite an order before that is carried out."""
    start_s = await a_settled_window(protocol)
    await protocol.budgets.intend_adjustment(KEY, order(start_s))
    await intend_correction(protocol, corrected(start_s))
    assert (await protocol.item()).adjustment == order(start_s)


async def a_correction_made_twice(protocol: Protocol) -> None:
    """Two who correct one bill give back once, though another order was carried out between them."""
    start_s = await a_settled_window(protocol)
    await intend_correction(protocol, corrected(start_s))
    await protocol.budgets.apply_adjustment(KEY, corrected(start_s))
    await protocol.budgets.intend_adjustment(KEY, order(start_s), last_adjusted_id="correction-1")
    await protocol.budgets.apply_adjustment(KEY, order(start_s))
    await intend_correction(protocol, corrected(start_s))
    await attempt(protocol.budgets.apply_adjustment(KEY, corrected(start_s)))
    assert (await window(protocol)).settled == 100
    await intend_correction(protocol, corrected(start_s, name="correction-2"), seen="correction-1")
    assert (await protocol.item()).adjustment is None


async def more_corrected_than_settled(protocol: Protocol) -> None:
    """A correction gives back nothing that was not settled in its own window, current or previous."""
    start_s = await a_settled_window(protocol)
    protocol.clock.now_s += DAY_S
    await protocol.end(await protocol.held(900), 900)
    await intend_correction(protocol, corrected(start_s, -101), conditions.PREVIOUS)
    await attempt(protocol.budgets.apply_adjustment(KEY, corrected(start_s, -101)))
    previous = (await protocol.item()).previous
    assert previous is not None
    assert previous.settled >= 0


async def a_settled_window(protocol: Protocol) -> int:
    """Settle 100 in a window of now; return its start."""
    await protocol.end(await protocol.held(100), 100)
    return (await window(protocol)).start_s


async def a_raise_for_an_ended_window(protocol: Protocol) -> None:
    """A raise is given, and taken back, in the window that the operator saw."""
    start_s = (await protocol.held(100)).hold.window_start_s
    protocol.clock.now_s += DAY_S
    now_start_s = (await protocol.held(100)).hold.window_start_s
    await protocol.budgets.set_raise(KEY, 300, now_start_s)
    await attempt(protocol.budgets.set_raise(KEY, 500, start_s))
    await attempt(protocol.budgets.set_raise(KEY, 0, start_s))
    assert (await protocol.item()).live_raise() == 300


async def an_earlier_revocation(protocol: Protocol) -> None:
    """A revocation by a clock that is behind gives no revoked token back."""
    await protocol.budgets.revoke("demo", "user-1", 2_000)
    await attempt(protocol.budgets.revoke("demo", "user-1", 1_000))
    assert (await protocol.item()).revoked_before_ms == 2_000


PROOFS: dict[Site, Scenario] = {
    Site("hold", "window_is_live"): a_hold_in_an_ended_window,
    Site("hold", "committed_leaves_room"): holds_above_the_limit,
    Site("hold", "committed_is_below"): a_soft_budget_that_is_reached,
    Site("hold", "hold_is_new"): the_same_hold_twice,
    Site("hold", "a_slot_is_free"): more_requests_than_slots,
    Site("hold", "token_is_not_revoked"): a_revoked_token_in_a_live_window,
    Site("hold", "raise_is"): a_raise_that_is_gone,
    Site("create", "window_is_absent"): a_window_laid_twice,
    Site("create", "token_is_not_revoked"): a_revoked_token_with_no_window,
    Site("roll", "window_end_is"): a_window_rolled_twice,
    Site("roll", "previous_window_is_closed"): a_window_rolled_over_a_hold,
    Site("roll", "no_adjustment_is_pending"): a_window_rolled_over_an_order,
    Site("roll", "hold_is_new"): a_hold_on_both_sides_of_a_roll,
    Site("roll", "token_is_not_revoked"): a_revoked_token_in_an_ended_window,
    Site("settle", "hold_is"): a_settle_of_another_hold,
    Site("_in_its_window", "hold_is"): a_change_of_another_hold,
    Site("_in_its_window", "committed_leaves_room"): an_extension_above_the_limit,
    Site("intend_adjustment", "window_is"): an_order_for_an_ended_window,
    Site("intend_adjustment", "no_adjustment_is_pending"): two_orders_at_once,
    Site("intend_adjustment", "nothing_was_adjusted_since"): an_order_given_twice,
    Site("intend_adjustment", "settled_is_at_least"): more_given_back_than_settled,
    Site("intend_correction", "window_is"): a_correction_for_a_window_that_is_gone,
    Site("intend_correction", "no_adjustment_is_pending"): a_correction_and_an_order_at_once,
    Site("intend_correction", "nothing_was_adjusted_since"): a_correction_made_twice,
    Site("intend_correction", "settled_is_at_least"): more_corrected_than_settled,
    Site("apply_adjustment", "adjustment_is_pending"): an_order_applied_twice,
    Site("apply_adjustment", "window_is"): an_order_applied_to_another_window,
    Site("set_raise", "window_is"): a_raise_for_an_ended_window,
    Site("revoke", "revocation_is_later"): an_earlier_revocation,
}
# Which part of a clause of several to leave out; None: the whole clause.
MUTATIONS = [(site, None) for site in PROOFS] + [
    (site, part) for site in PROOFS if site.clause in ("hold_is", "raise_is") for part in (0, 1)
]


def clauses() -> set[str]:
    """Return the names of all clauses there are."""
    return {
        name
        for name, function in inspect.getmembers(conditions, inspect.isfunction)
        if get_type_hints(function).get("return") is Clause and name != "all_of"
    }


def sites() -> set[Site]:
    """Return every use of a clause in the store's source."""
    tree = ast.parse(inspect.getsource(store.BudgetStore))
    return {
        Site(method.name, call.func.id)
        for method in ast.walk(tree)
        if isinstance(method, ast.AsyncFunctionDef)
        for call in ast.walk(method)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in clauses()
    }


def weakened(clause: Clause, part: int | None) -> Clause:
    """Return a clause that always holds, or all but one part of it. The update needs its names and values."""
    parts = [] if part is None else clause.text.split(" AND ")
    if part is not None:
        assert len(parts) == 2
        del parts[part]
    always = " OR ".join(
        [
            "attribute_exists(pk)",
            "attribute_not_exists(pk)",
            *(f"attribute_exists({name})" for name in clause.names),
            *(f"pk = {value}" for value in clause.values),
        ]
    )
    # DynamoDB refuses parentheses around parentheses.
    text = " AND ".join([f"({always})", *parts]) if parts else always
    return Clause(text, clause.names, clause.values)


def weaken(monkeypatch: pytest.MonkeyPatch, site: Site, part: int | None) -> list[str]:
    """Weaken a clause in one write; return a list that grows with each use of it."""
    original: Callable[..., Clause] = getattr(conditions, site.clause)
    uses: list[str] = []

    def in_the_write(*arguments: object) -> Clause:
        clause = original(*arguments)
        if sys._getframe(1).f_code.co_name != site.write:
            return clause
        uses.append(clause.text)
        return weakened(clause, part)

    monkeypatch.setattr(store, site.clause, in_the_write)
    return uses


def test_every_clause_of_every_write_has_its_proof() -> None:
    """A clause, or a use of one, that is added without a scenario that needs it fails here."""
    assert sites() == PROOFS.keys()
    assert {site.clause for site in sites()} == clauses()


def test_every_clause_and_every_proof_is_said_in_a_sentence() -> None:
    """The plain reading stands with the clause, the harm with the scenario."""
    for function in [*(getattr(conditions, name) for name in clauses()), *PROOFS.values()]:
        assert (function.__doc__ or "").strip().endswith("."), function.__name__


@pytest.mark.parametrize("scenario", PROOFS.values(), ids=lambda scenario: scenario.__name__)
async def test_with_every_clause_the_books_are_right(protocol: Protocol, scenario: Scenario) -> None:
    """The scenario ends well with the conditions as they are."""
    await scenario(protocol)


@pytest.mark.parametrize(("site", "part"), MUTATIONS, ids=str)
async def test_without_the_clause_the_books_are_wrong(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch, site: Site, part: int | None
) -> None:
    """With one clause of one write replaced by one that always holds, its scenario ends badly."""
    uses = weaken(monkeypatch, site, part)
    with pytest.raises(AssertionError):
        await PROOFS[site](protocol)
    assert uses
