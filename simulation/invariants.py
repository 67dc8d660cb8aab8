"""The promises that every run must keep, looked up in what the store holds and held, and in what was asked of it.

I1 settled never above the largest limit admitted under   I2 committed = settled + holds, settled = sum of records
I3 charged once; what reached no provider costs 0         I4 what is refused reaches no provider
I5 what was generated is charged                          I6 windows neither overlap nor are too short
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from channeling.budgets.item import BudgetItem, WindowState, budget_item
from channeling.dynamodb import Item
from channeling.usage.record import UsageRecord
from simulation.memory_dynamodb import MemoryDynamoDB
from simulation.provider import Served

_SHORTEST_S: Mapping[str, int] = {"hour": 3_600, "day": 86_400, "week": 7 * 86_400, "month": 28 * 86_400}


@dataclass
class Asked:
    """One request as its client knows it. `hold_id` is known when the gateway has made one."""

    name: str
    user: str
    kind: str
    limit: int
    issued_at_ms: int
    started_s: float = 0.0
    hold_id: str | None = None
    outcome: str = "not answered"
    environment: str = ""
    call_started_ms: int = 0


class ObservedDynamoDB(MemoryDynamoDB):
    """The memory store, which looks at every budget that is written and remembers every window there ever was."""

    def __init__(self, budgets_table: str) -> None:
        super().__init__()
        self._budgets_table = budgets_table
        self.windows: dict[tuple[str, str, int], WindowState] = {}
        self.violations: list[str] = []

    def _store(self, table: str, item: Item) -> None:
        super()._store(table, item)
        if table != self._budgets_table:
            return
        place, budget = f"{item['pk']!s}/{item['sk']!s}", budget_item(item)
        for window in (budget.window, budget.previous):
            if window is None:
                continue
            self.windows[str(item["pk"]), str(item["sk"]), window.start_s] = window
            if window.committed != window.settled + sum(window.holds.values()):
                self.violations.append(
                    f"I2 {place} after a write: committed is not settled + holds: {window}"
                )
            if window.settled < 0 or any(amount < 0 for amount in window.holds.values()):
                self.violations.append(f"I2 {place} after a write: below zero: {window}")


@dataclass
class Evidence:
    """All that a finished run is judged by. Costs are looked up in `prices`: input, output per token."""

    store: ObservedDynamoDB
    records: Sequence[UsageRecord]
    asked: Sequence[Asked]
    served: Sequence[Served]
    prices: Sequence[tuple[int, int]]
    has_ceiling: bool
    revoked: Sequence[tuple[str, int, float]] = ()
    defects: Sequence[str] = field(default_factory=list)
    budgets: Sequence[tuple[str, BudgetItem]] = ()


def violations(evidence: Evidence) -> list[str]:
    """Return every promise that was broken, as sentences; none where the run was good."""
    return [
        *evidence.store.violations,
        *(f"defect: {defect}" for defect in evidence.defects),
        *_nothing_is_held(evidence),
        *_windows_add_up(evidence),
        *_windows_tile(evidence),
        *_requests_are_charged_once(evidence),
        *_revoked_tokens_are_refused(evidence),
    ]


def _nothing_is_held(evidence: Evidence) -> Iterator[str]:
    for place, budget in evidence.budgets:
        for window in (budget.window, budget.previous):
            if window is not None and window.holds:
                yield f"I2 {place}: holds are left after all lifetimes: {window}"


def _windows_add_up(evidence: Evidence) -> Iterator[str]:
    costs: dict[tuple[str, str, int], int] = defaultdict(int)
    limits: dict[tuple[str, str, int], int] = defaultdict(int)
    by_hold = {(asked.user, asked.hold_id): asked for asked in evidence.asked if asked.hold_id}
    for record in evidence.records:
        place: tuple[str, str, int] = (
            f"{record.project_id}#{record.user_id}",
            record.window_kind,
            record.window_start_s,
        )
        costs[place] += record.cost
        asked = by_hold.get((record.user_id, record.key.sk.split("#")[0]))
        if asked is None:
            yield f"I3 a record of no request that was made: {record}"
        else:
            limits[place] = max(limits[place], asked.limit)
    for place, window in evidence.store.windows.items():
        if window.settled != costs[place]:
            yield f"I2 {place}: settled {window.settled}, its records come to {costs[place]}"
        if evidence.has_ceiling and window.settled > limits[place]:
            yield f"I1 {place}: settled {window.settled}, the largest limit was {limits[place]}"
    for place in costs.keys() - evidence.store.windows.keys():
        if costs[place]:
            yield f"I2 {place}: records of {costs[place]} for a window that never was"


def _windows_tile(evidence: Evidence) -> Iterator[str]:
    of_budget: dict[tuple[str, str], list[WindowState]] = defaultdict(list)
    for (partition, kind, _), window in evidence.store.windows.items():
        of_budget[partition, kind].append(window)
    for (partition, kind), windows in of_budget.items():
        windows.sort(key=lambda window: window.start_s)
        for window in windows:
            if window.end_s - window.start_s < _SHORTEST_S[kind]:
                yield f"I6 {partition}/{kind}: a window is too short: {window}"
        for earlier, later in pairwise(windows):
            if later.start_s < earlier.end_s:
                yield f"I6 {partition}/{kind}: windows overlap: {earlier}, {later}"


def _requests_are_charged_once(evidence: Evidence) -> Iterator[str]:
    reached: dict[str, list[Served]] = defaultdict(list)
    for served in evidence.served:
        reached[served.request].append(served)
    records: dict[tuple[str, str], list[UsageRecord]] = defaultdict(list)
    for record in evidence.records:
        records[record.user_id, record.key.sk.split("#")[0]].append(record)
    for asked in evidence.asked:
        own = records[asked.user, asked.hold_id or ""]
        served_of = reached[asked.name]
        if len(own) > 1:
            yield f"I3 {asked.name}: {len(own)} records"
        if len(served_of) > 1:
            yield f"I3 {asked.name}: reached the provider {len(served_of)} times"
        if served_of and not own:
            yield f"I5 {asked.name}: reached the provider and has no record"
        if served_of and asked.outcome.startswith("refused before"):
            yield f"I4 {asked.name}: {asked.outcome}, and it reached the provider"
        if not own:
            continue
        if not served_of and own[0].cost and own[0].status != "reclaimed":
            yield f"I3 {asked.name}: reached no provider and costs {own[0].cost}"
        if served_of and own[0].status == "ok" and not own[0].estimated and not own[0].cut:
            yield from _cost_is_that_of_the_answer(asked, own[0], served_of[0], evidence.prices)


def _cost_is_that_of_the_answer(
    asked: Asked, record: UsageRecord, served: Served, prices: Sequence[tuple[int, int]]
) -> Iterator[str]:
    billed = record.cost + record.uncollected
    possible = [a * served.input_tokens + b * served.output_tokens for a, b in prices]
    if billed not in possible:
        yield f"I5 {asked.name}: billed {billed}, generated what costs one of {possible}"


def _revoked_tokens_are_refused(evidence: Evidence) -> Iterator[str]:
    reached = {served.request for served in evidence.served}
    for user, before_ms, revoked_s in evidence.revoked:
        for asked in evidence.asked:
            late = asked.user == user and asked.started_s > revoked_s and asked.issued_at_ms <= before_ms
            if late and asked.name in reached:
                yield f"I4 {asked.name}: began after its token was revoked, and reached the provider"
