"""The budget protocol does what a plain model of it does, whatever is asked in whatever order, though answers of
the store are lost, writes refused or made twice, and processes die half-way: I1, I2 and I6 after every step."""

import asyncio
import contextlib
import itertools
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from channeling.budgets.admission import Held, NotHeld, hold_amount
from channeling.budgets.decide import OverBudget, Revoked, TooManyConcurrent
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import Adjustment, BudgetItem, BudgetKey, WindowState
from channeling.budgets.operations import (
    NoLiveWindow,
    OperationRefused,
    Order,
    adjust,
    finish_adjustment,
    raise_limit,
    reset,
    revoke,
)
from channeling.budgets.settlement import extend_towards, reclaim_hold
from channeling.budgets.store import BudgetStore, Hold, Refused
from channeling.dynamodb import ConditionFailed, Item, TransactionRefused, Update
from channeling.errors import StoreUnavailable
from channeling.reconcile.run import reconcile
from channeling.settings import Settings
from channeling.tables import TableNames
from channeling.usage.record import is_record_item, usage_record
from channeling.usage.store import UsageStore
from channeling.window_kind import WindowKind
from simulation.memory_dynamodb import MemoryDynamoDB
from tests.channeling.budgets.conftest import NOON_S, Protocol
from tests.money.budget_model import LENGTHS_S, BudgetModel, ModelAsk, ModelWindow, Outcome
from tests.stand_ins.clock import SetClock

TABLES = TableNames.with_prefix("model")
T = TypeVar("T")
FAULTS = st.lists(st.sampled_from(["none", "lost", "refused", "twice"]), max_size=5)
# Few and simple, so that sums often come to a limit exactly, or to one nanodollar more.
AMOUNTS = st.sampled_from([0, 1, 50, 100, 199, 200])
LIMITS = st.sampled_from([0, 100, 200, 300])


@dataclass
class FaultyWrites(MemoryDynamoDB):
    """The memory store, whose next writes go as `faults` says; then all is well."""

    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    async def put(self, table: str, item: Item, *, unless_exists: str | None = None) -> None:
        await self._write(lambda: MemoryDynamoDB.put(self, table, item, unless_exists=unless_exists))

    async def update(self, update: Update) -> Item:
        return await self._write(lambda: MemoryDynamoDB.update(self, update))

    async def transact(self, updates: Sequence[Update]) -> None:
        await self._write(lambda: MemoryDynamoDB.transact(self, updates))

    async def _write(self, write: Callable[[], Awaitable[T]]) -> T:
        fault = self.faults.pop(0) if self.faults else "none"
        if fault == "refused":
            raise StoreUnavailable("the write did not reach the store")
        if fault == "twice":
            with contextlib.suppress(ConditionFailed, TransactionRefused):  # the second one's answer comes
                await write()
        try:
            return await write()
        finally:
            if fault == "lost":
                raise StoreUnavailable("the write was made, or refused, and its answer was lost")


class Budget(RuleBasedStateMachine):
    """One user's budget, in the store and in the model."""

    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.store = FaultyWrites()
        clock = SetClock(NOON_S)
        usage = UsageStore(self.store, TABLES.usage, clock)
        self.protocol = Protocol(BudgetStore(self.store, TABLES.budgets), usage, clock)
        self.numbers = itertools.count(1)
        self.loop = asyncio.Runner()
        self.kind: WindowKind = "hour"
        self.model = BudgetModel(0)
        # Each request's hold as it believes it to stand; no longer there once the request has died.
        self.believed: dict[str, Hold] = {}

    @initialize(kind=st.sampled_from(sorted(LENGTHS_S)))
    def begin(self, kind: WindowKind) -> None:
        self.kind, self.model = kind, BudgetModel(LENGTHS_S[kind])

    def teardown(self) -> None:
        self.loop.close()

    @property
    def now_s(self) -> int:
        return int(self.protocol.clock.now_s)

    @property
    def key(self) -> BudgetKey:
        return BudgetKey("demo", "user-1", self.kind)

    def new_id(self) -> str:
        return new_hold_id(self.now_s, lambda count: next(self.numbers).to_bytes(count))

    def order(self) -> Order:
        return Order(self.new_id(), "ann", "a test")

    def asked_until_answered(self, faults: list[str], ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Ask again, as whoever has lost an answer does; the writes that follow have these faults, then none."""
        self.store.faults = list(faults)
        try:
            for _ in faults:
                with contextlib.suppress(StoreUnavailable):
                    return self.loop.run(ask())
            return self.loop.run(ask())
        finally:
            self.store.faults = []

    @rule(
        target=requests,
        amount=AMOUNTS,
        limit=LIMITS,
        max_concurrent=st.sampled_from([2, 100]),
        token_age_s=st.sampled_from([0, 0, 50, 1_800, 5_000, 100_000]),
        window_offset_s=st.sampled_from([-100_000, -1_234, 0, 600]),
        faults=FAULTS,
    )
    def hold(
        self,
        amount: int,
        limit: int,
        max_concurrent: int,
        token_age_s: int,
        window_offset_s: int,
        faults: list[str],
    ) -> Any:
        ask = replace(
            self.protocol.ask(
                limit=limit, kind=self.kind, max_concurrent=max_concurrent, hold_id=self.new_id()
            ),
            issued_at_ms=(self.now_s - token_age_s) * 1000,
            token_window_start_s=self.now_s + window_offset_s,
        )

        async def reclaim(hold: Hold) -> None:
            await reclaim_hold(self.protocol.budgets, self.protocol.usage, hold)

        async def finish(key: BudgetKey, adjustment: Adjustment) -> None:
            await finish_adjustment(self.protocol.budgets, self.protocol.usage, key, adjustment)

        outcome = self.asked_until_answered(
            faults,
            lambda: hold_amount(self.protocol.budgets, ask, amount, self.protocol.clock, reclaim, finish),
        )
        model_ask = ModelAsk(
            ask.hold_id, amount, limit, ask.token_window_start_s, ask.issued_at_ms, max_concurrent
        )
        broken_off = {"lost", "refused"} & set(faults)
        expected = self.model.hold(model_ask, self.now_s, self.all_standing() if broken_off else ())
        assert named(outcome) == expected
        if not isinstance(outcome, Held):
            return multiple()
        assert outcome.limit in (limit, limit + self.model.live_raise())
        self.believed[ask.hold_id] = outcome.hold
        # Whoever finds its own hold standing, the answer having been lost, was admitted under a live raise too.
        self.model.allow(ask.hold_id, outcome.limit)
        return outcome

    @rule(request=requests, more=AMOUNTS, faults=FAULTS)
    def extend(self, request: Held, more: int, faults: list[str]) -> None:
        hold = self.believed.get(request.hold.hold_id)
        if hold is None or not more:
            return
        wanted = hold.amount + more
        in_doubt = self.standing(hold.hold_id) != hold.amount
        self.believed[hold.hold_id] = self.asked_until_answered(
            faults, lambda: extend_towards(self.protocol.budgets, hold, wanted, limit=request.limit)
        )
        standing = self.standing(hold.hold_id)
        self.model.extend(hold.hold_id, wanted, request.limit)
        if standing is not None and (faults or in_doubt):
            self.model.stands_at(hold.hold_id, standing, asks=1 + len(faults))

    @rule(request=requests, to=AMOUNTS, fault=st.sampled_from(["none", "lost", "refused", "twice"]))
    def lower(self, request: Held, to: int, fault: str) -> None:
        """Once, as a request does; what became of it where no answer came is seen when more is asked or it ends."""
        hold = self.believed.get(request.hold.hold_id)
        if hold is None or to > hold.amount:
            return
        self.store.faults = [fault]
        with contextlib.suppress(StoreUnavailable, Refused):
            self.loop.run(self.protocol.budgets.change_hold(hold, to, limit=None))
        if self.standing(hold.hold_id) == to:
            self.model.lower(hold.hold_id, to)
        # As in `standing_hold`: of two possible amounts the smaller.
        self.believed[hold.hold_id] = replace(hold, amount=to)

    @rule(request=requests, bill=AMOUNTS, faults=FAULTS)
    def settle(self, request: Held, bill: int, faults: list[str]) -> None:
        """Once or again, also of a hold that a reclaimer has ended, or of a request that had died after all."""
        held = replace(request, hold=self.believed.get(request.hold.hold_id, request.hold))
        in_doubt = bool(faults) or self.standing(request.hold.hold_id) != held.hold.amount
        ended = self.asked_until_answered(faults, lambda: self.protocol.end(held, bill))
        recorded = ended.record.cost if in_doubt else None
        self.model.settle(request.hold.hold_id, bill, request.limit, recorded)

    @rule(request=requests, cost=AMOUNTS)
    def die_between_record_and_settle(self, request: Held, cost: int) -> None:
        hold, standing = self.believed.get(request.hold.hold_id), self.standing(request.hold.hold_id)
        if hold is None or standing is None:
            return
        cost = min(cost, standing)
        self.loop.run(self.protocol.usage.put(self.protocol.record(hold, cost)))
        self.model.record(hold.hold_id, cost)
        del self.believed[hold.hold_id]

    @rule(seconds=st.sampled_from([1, 59, 961, 1_800, 3_600, 90_000]))
    def wait(self, seconds: int) -> None:
        self.protocol.clock.now_s += seconds

    @rule(amount=st.sampled_from([-200, -100, -1, 50, 200]), faults=FAULTS, again=st.booleans())
    def adjust(self, amount: int, faults: list[str], again: bool) -> None:
        order = self.order()

        def ask() -> Coroutine[Any, Any, object]:
            return adjust(self.protocol.budgets, self.protocol.usage, self.key, order, amount, self.now_s)

        self.model.finish_order()
        window = self.model.live(self.now_s)
        if window is None:
            with pytest.raises(NoLiveWindow):
                self.asked_until_answered(faults, ask)
        elif window.settled + amount < 0:
            with pytest.raises(OperationRefused):
                self.asked_until_answered(faults, ask)
        else:
            self.asked_until_answered(faults, ask)
            if again:
                self.asked_until_answered([], ask)
            self.model.adjust(amount)

    @rule(faults=FAULTS)
    def reset(self, faults: list[str]) -> None:
        order = self.order()

        def ask() -> Coroutine[Any, Any, object]:
            return reset(self.protocol.budgets, self.protocol.usage, self.key, order, self.now_s)

        self.model.finish_order()
        window = self.model.live(self.now_s)
        if window is None:
            with pytest.raises(NoLiveWindow):
                self.asked_until_answered(faults, ask)
            return
        self.asked_until_answered(faults, ask)
        self.model.adjust(-window.settled)

    @rule(amount=st.sampled_from([-50, 80]))
    def die_after_an_order(self, amount: int) -> None:
        """Written down in the budget, and not carried out: whoever comes next does."""
        window = self.model.live(self.now_s)
        if window is None or self.model.pending is not None or window.settled + amount < 0:
            return
        adjustment = Adjustment(self.new_id(), amount, window.start_s, "adjustment", "ann", "a test")
        last = self.item().adjusted_id
        self.loop.run(self.protocol.budgets.intend_adjustment(self.key, adjustment, last_adjusted_id=last))
        self.model.pending = amount

    @rule(amount=st.sampled_from([0, 50, 100]), faults=FAULTS)
    def raise_the_limit(self, amount: int, faults: list[str]) -> None:
        order = self.order()

        def ask() -> Coroutine[Any, Any, object]:
            return raise_limit(
                self.protocol.budgets, self.protocol.usage, self.key, order, amount, self.now_s
            )

        window = self.model.live(self.now_s)
        if window is None:
            with pytest.raises(NoLiveWindow):
                self.asked_until_answered(faults, ask)
            return
        self.asked_until_answered(faults, ask)
        self.model.raised = (window.start_s, amount)

    @rule(seconds_ago=st.sampled_from([0, 100, 4_000]), faults=FAULTS)
    def revoke(self, seconds_ago: int, faults: list[str]) -> None:
        """Now, or by a clock that is behind."""
        before_ms = (self.now_s - seconds_ago) * 1000
        order = self.order()
        self.asked_until_answered(
            faults,
            lambda: revoke(self.protocol.budgets, self.protocol.usage, "demo", "user-1", order, before_ms),
        )
        self.model.revoked_ms = max(before_ms, self.model.revoked_ms or 0)

    @rule(faults=FAULTS)
    def reconcile(self, faults: list[str]) -> None:
        settings = Settings(tables=TABLES)
        deadline_ms = self.protocol.clock.now_ms() + 1_000

        async def walk() -> None:
            # A budget that cannot be put right is logged and left to the next run.
            report = await reconcile(self.store, settings, self.protocol.clock, deadline_ms)
            if report["budgets_failed"]:
                raise StoreUnavailable("not all was put right")

        self.asked_until_answered(faults, walk)
        self.model.finish_order()
        self.model.reclaim(self.now_s)

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        item = self.item()
        for window, expected in ((item.window, self.model.window), (item.previous, self.model.previous)):
            assert (window is None) == (expected is None)
            if window is not None and expected is not None:
                assert same(window, expected)
        assert item.revoked_before_ms == self.model.revoked_ms
        assert item.live_raise() == self.model.live_raise()
        assert (item.adjustment and item.adjustment.amount) == self.model.pending

    @invariant()
    def i1_nothing_is_committed_that_no_limit_allowed(self) -> None:
        for window in self.model.windows:
            assert 0 <= window.settled <= window.committed <= window.allowed

    @invariant()
    def i2_what_is_settled_is_the_sum_of_the_records(self) -> None:
        costs: defaultdict[int, int] = defaultdict(int)
        standing = {hold_id for window in self.model.windows for hold_id in window.holds}
        for item in self.store.items(TABLES.usage):
            if is_record_item(item):
                record = usage_record(item)
                if record.key.sk.split("#")[0] not in standing:
                    costs[record.window_start_s] += record.cost
        for window in self.model.windows:
            assert costs.pop(window.start_s, 0) == window.settled
        assert not any(costs.values())

    @invariant()
    def i6_windows_tile(self) -> None:
        for earlier, later in pairwise(self.model.windows):
            assert later.start_s >= earlier.end_s

    def item(self) -> BudgetItem:
        return self.loop.run(self.protocol.item(self.kind))

    def standing(self, hold_id: str) -> int | None:
        return self.all_standing().get(hold_id)

    def all_standing(self) -> dict[str, int]:
        item = self.item()
        windows = [window for window in (item.window, item.previous) if window is not None]
        return {hold_id: amount for window in windows for hold_id, amount in window.holds.items()}


def same(window: WindowState, expected: ModelWindow) -> bool:
    """Return whether a window is the model's."""
    holds = {hold_id: hold.amount for hold_id, hold in expected.holds.items()}
    return (window.start_s, window.end_s, window.settled, window.committed, window.holds) == (
        expected.start_s,
        expected.end_s,
        expected.settled,
        expected.committed,
        holds,
    )


def named(outcome: Held | NotHeld) -> Outcome:
    """Return an outcome in the model's words."""
    if isinstance(outcome, Held):
        return "held"
    names: dict[type, Outcome] = {
        Revoked: "revoked",
        TooManyConcurrent: "too many",
        OverBudget: "over budget",
    }
    return names[type(outcome.reason)]


@pytest.mark.parametrize(
    "examples", [300, pytest.param(3_000, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_the_protocol_does_what_the_model_does(caplog: pytest.LogCaptureFixture, examples: int) -> None:
    """Any operations in any order: the same outcome, the same budget, the same records."""
    caplog.set_level(logging.CRITICAL)  # the reconciler tells of each write that failed
    run_state_machine_as_test(
        Budget,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink),
        ),
    )
