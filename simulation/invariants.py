"""The promises that every run must keep, looked up in what the store holds and held, and in what was asked of it.

I1 settled never above the largest limit admitted under   I2 committed = settled + holds, settled = sum of records
I3 charged once; what reached no provider costs 0         I4 what is refused reaches no provider
I5 what was generated is charged                          I6 windows neither overlap nor are too short
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from channeling.budgets.item import WindowState, budget_item
from channeling.tables import TableNames
from channeling.usage.record import UsageRecord, is_record_item, usage_record
from channeling.usage.rollup import Rollup, rollup_from_item
from simulation.asked import Asked, Ordered, Revocation
from simulation.charges import charge_violations
from simulation.observed_dynamodb import ObservedDynamoDB, WindowPlace
from simulation.provider import Served

_SHORTEST_S: Mapping[str, int] = {"hour": 3_600, "day": 86_400, "week": 7 * 86_400, "month": 28 * 86_400}


@dataclass
class Evidence:
    """All that a finished run is judged by. Costs are looked up in `prices`: input, output per token."""

    store: ObservedDynamoDB
    tables: TableNames
    asked: Sequence[Asked]
    ordered: Sequence[Ordered]
    served: Sequence[Served]
    prices: Sequence[tuple[int, int]]
    revoked: Sequence[Revocation]
    defects: Sequence[str]
    unsettled: Collection[str]

    def records(self) -> list[UsageRecord]:
        """Return every usage record."""
        return [usage_record(item) for item in self.store.items(self.tables.usage) if is_record_item(item)]

    def rollups(self) -> list[Rollup]:
        """Return every hourly rollup."""
        items = self.store.items(self.tables.usage)
        return [rollup_from_item(item) for item in items if "#rollup#" in str(item["pk"])]


def violations(evidence: Evidence) -> list[str]:
    """Return every promise that was broken, as sentences; none where the run was good."""
    records = evidence.records()
    requests = [record for record in records if record.kind == "request"]
    return [
        *evidence.store.violations,
        *(f"defect: {defect}" for defect in evidence.defects),
        *_nothing_is_left(evidence),
        *_windows_add_up(evidence, records),
        *_rollups_add_up(evidence),
        *_limits_are_kept(evidence, records),
        *_windows_tile(evidence),
        *_orders_are_carried_out_once(evidence, records),
        *charge_violations(
            requests,
            evidence.asked,
            evidence.served,
            evidence.store.holds,
            min(evidence.prices),
            evidence.prices,
        ),
        *_only_the_dead_are_reclaimed(evidence, requests),
        *_revoked_tokens_are_refused(evidence),
    ]


def _nothing_is_left(evidence: Evidence) -> Iterator[str]:
    for item in evidence.store.items(evidence.tables.budgets):
        budget = budget_item(item)
        if budget.adjustment is not None:
            yield f"I2 {item['pk']!s}/{item['sk']!s}: an order is left half carried out: {budget.adjustment}"
    for place, window in evidence.store.windows.items():
        if window.holds:
            yield f"I2 {place}: holds are left after all lifetimes: {window}"


def _windows_add_up(evidence: Evidence, records: Sequence[UsageRecord]) -> Iterator[str]:
    costs: dict[WindowPlace, int] = defaultdict(int)
    for record in records:
        costs[_place(record)] += record.cost
    for place, window in evidence.store.windows.items():
        if window.settled != costs[place]:
            yield f"I2 {place}: settled {window.settled}, its records come to {costs[place]}"
    for place in costs.keys() - evidence.store.windows.keys():
        if costs[place]:
            yield f"I2 {place}: records of {costs[place]} for a window that never was"


def _rollups_add_up(evidence: Evidence) -> Iterator[str]:
    """What the hourly rollups say of a window is what is settled in it."""
    costs: dict[WindowPlace, int] = defaultdict(int)
    for rollup in evidence.rollups():
        for name, cost in rollup.cost_by_window.items():
            kind, _, start = name.partition("#")
            costs[f"{rollup.partition.project_id}#{rollup.user_id}", kind, int(start)] += cost
    for place, window in evidence.store.windows.items():
        if window.settled != costs[place]:
            yield f"I2 {place}: settled {window.settled}, its rollups come to {costs[place]}"


def _limits_are_kept(evidence: Evidence, records: Sequence[UsageRecord]) -> Iterator[str]:
    by_hold = {(asked.user, asked.kind, asked.hold_id): asked for asked in evidence.asked if asked.hold_id}
    limits: dict[WindowPlace, int] = defaultdict(int)
    soft: set[WindowPlace] = set()
    for growth in evidence.store.growths:
        partition, kind, _ = growth.place
        asked = by_hold.get((partition.partition("#")[2], kind, growth.hold_id))  # type: ignore[arg-type]  # a kind
        if asked is None:
            yield f"I3 {growth.place}: money is held for {growth.hold_id}, which no request has"
            continue
        limit = asked.limit + growth.largest_raise
        limits[growth.place] = max(limits[growth.place], limit)
        if asked.enforcement == "soft":
            soft.add(growth.place)
        elif growth.committed > limit:
            yield f"I1 {asked.name}: committed {growth.committed} for it, its limit and raise are {limit}"
    charged: dict[WindowPlace, int] = defaultdict(int)
    for record in records:
        if record.kind == "adjustment":
            charged[_place(record)] += max(0, record.cost)
    for place, window in evidence.store.windows.items():
        if place not in soft and window.settled > limits[place] + charged[place]:
            yield f"I1 {place}: settled {window.settled}, the largest limit was {limits[place]}"


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


def _orders_are_carried_out_once(evidence: Evidence, records: Sequence[UsageRecord]) -> Iterator[str]:
    """That `settled` has them exactly once follows from I2; here, that each has the record it was answered with."""
    by_order: dict[str, list[UsageRecord]] = defaultdict(list)
    for record in records:
        if record.kind in ("adjustment", "raise"):
            by_order[record.key.sk.split("#")[0]].append(record)
    for order in evidence.ordered:
        own = by_order.pop(order.order_id, [])
        if len(own) > 1:
            yield f"I3 {order}: {len(own)} records"
        cost = sum(record.cost for record in own)
        if order.outcome == "done" and cost != order.answered_amount:
            yield f"I3 {order}: its record says {cost}"
        if order.outcome == "refused" and cost:
            yield f"I3 {order}: it was refused, and its record says {cost}"
        if order.what == "adjust" and own and cost != order.amount:
            yield f"I3 {order}: its record says {cost}"
    for order_id in by_order:
        yield f"I3 a record of no order that was given: {order_id}"


def _only_the_dead_are_reclaimed(evidence: Evidence, requests: Sequence[UsageRecord]) -> Iterator[str]:
    """A process that lives ends its holds itself, or says in its log that the store did not let it."""
    reclaimed = {record.key.sk.split("#")[0] for record in requests if record.status == "reclaimed"}
    for asked in evidence.asked:
        if asked.hold_id in reclaimed and asked.ended and asked.name not in evidence.unsettled:
            yield f"I5 {asked.name}: it ended in its process, and was reclaimed: {asked}"


def _revoked_tokens_are_refused(evidence: Evidence) -> Iterator[str]:
    reached = {served.request for served in evidence.served}
    for revocation in evidence.revoked:
        for asked in evidence.asked:
            late = asked.user == revocation.user and asked.started_s > revocation.answered_s
            if late and asked.issued_at_ms <= revocation.before_ms and asked.name in reached:
                yield f"I4 {asked.name}: began after its token was revoked, and reached the provider"


def _place(record: UsageRecord) -> WindowPlace:
    return f"{record.project_id}#{record.user_id}", record.window_kind, record.window_start_s
