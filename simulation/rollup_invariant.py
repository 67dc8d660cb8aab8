"""Sum of rollups = sum of records = settled of every window, looked up in what a store holds. Pure.

The sums are made here once more, in the plainest way, so that a mistake of the product's own sums is found.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from channeling.usage.record import UsageRecord
from channeling.usage.rollup import Rollup
from channeling.usage.token_counts import TokenCounts

# project, user, window kind, start of the window in seconds
WindowKey = tuple[str, str, str, int]
_Group = tuple[str, int, str, str, str]
_Sums = dict[str, int]


def rollup_violations(
    records: Iterable[UsageRecord], rollups: Iterable[Rollup], settled: Mapping[WindowKey, int]
) -> list[str]:
    """Return a sentence for every sum that differs; none where all agree.

    `rollups` are all that stand, or all that RollupReader yields; `settled` has each window that is to be checked,
    in nanodollars, with no holds left in it.
    """
    records, rollups = list(records), list(rollups)
    return [*_groups_differ(records, rollups), *_windows_differ(records, rollups, settled)]


def _groups_differ(records: list[UsageRecord], rollups: list[Rollup]) -> Iterator[str]:
    of_records: defaultdict[_Group, _Sums] = defaultdict(lambda: defaultdict(int))
    for record in records:
        model = record.model_used or record.model_asked
        hour = int(record.key.pk.split("#")[1])
        group = (record.project_id, hour, record.user_id, record.provider, model)
        for name, amount in _amounts_of_record(record):
            of_records[group][name] += amount
    of_rollups: dict[_Group, _Sums] = {}
    for rollup in rollups:
        partition = rollup.partition
        group = (partition.project_id, partition.hour, rollup.user_id, rollup.provider, rollup.model)
        if group in of_rollups:
            yield f"two rollups of {group}"
        of_rollups[group] = dict(_amounts_of_rollup(rollup))
    for group in sorted(of_records.keys() | of_rollups.keys()):
        ours, theirs = of_records.get(group, {}), of_rollups.get(group, {})
        for name in sorted(ours.keys() | theirs.keys()):
            if ours.get(name, 0) != theirs.get(name, 0):
                yield f"{group} {name}: records {ours.get(name, 0)}, rollup {theirs.get(name, 0)}"


def _windows_differ(
    records: list[UsageRecord], rollups: list[Rollup], settled: Mapping[WindowKey, int]
) -> Iterator[str]:
    by_records: defaultdict[WindowKey, int] = defaultdict(int)
    for record in records:
        by_records[record.project_id, record.user_id, record.window_kind, record.window_start_s] += (
            record.cost
        )
    by_rollups: defaultdict[WindowKey, int] = defaultdict(int)
    for rollup in rollups:
        for window, cost in rollup.cost_by_window.items():
            kind, start_s = window.split("#")
            by_rollups[rollup.partition.project_id, rollup.user_id, kind, int(start_s)] += cost
    for key in sorted(by_records.keys() | by_rollups.keys() | settled.keys()):
        amounts = by_records[key], by_rollups[key], settled.get(key, by_records[key])
        if len(set(amounts)) > 1:
            yield f"window {key}: records {amounts[0]}, rollups {amounts[1]}, settled {amounts[2]}"


def _amounts_of_record(record: UsageRecord) -> Iterator[tuple[str, int]]:
    yield "records", 1
    yield f"kind {record.kind}", 1
    yield f"cost of {record.kind}", record.cost
    if record.kind == "request":
        yield f"status {record.status}", 1
    yield "cost", record.cost
    yield "uncollected", record.uncollected
    for count in TokenCounts.__struct_fields__:
        yield count, getattr(record.counts, count)
    for flag in ("estimated", "clamped", "cut"):
        yield flag, int(getattr(record, flag))
    yield f"window {record.window_kind}#{record.window_start_s}", record.cost


def _amounts_of_rollup(rollup: Rollup) -> Iterator[tuple[str, int]]:
    for kind, number in rollup.records_by_kind.items():
        yield f"kind {kind}", number
    for kind, cost in rollup.cost_by_kind.items():
        yield f"cost of {kind}", cost
    for status, number in rollup.requests_by_status.items():
        yield f"status {status}", number
    for count in TokenCounts.__struct_fields__:
        yield count, getattr(rollup.counts, count)
    for name in ("records", "cost", "uncollected", "estimated", "clamped", "cut"):
        yield name, getattr(rollup, name)
    for window, cost in rollup.cost_by_window.items():
        yield f"window {window}", cost
