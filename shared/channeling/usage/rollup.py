"""Hourly totals of one user's use of one model, made from usage records alone. Pure.

pk "<project>#rollup#<hour>#<shard>"      beside the records of the same hour and shard, "<project>#<hour>#<shard>"
sk "<digest of user>#<digest of provider and model>"

Each is of one partition of records and made anew from all of it, so that making it again changes nothing. Its size
has a bound: kinds, statuses and the windows that one user has in an hour are few.
"""

import hashlib
from collections.abc import Mapping
from typing import TypeVar, cast, get_args

from msgspec import Struct, field

from channeling.dynamodb import Item, Value
from channeling.usage.record import RETENTION_S, RecordKind, RecordPartition, Status, UsageRecord
from channeling.usage.token_counts import TokenCounts

_COUNTS = TokenCounts.__struct_fields__
_FLAGS = ("estimated", "clamped", "cut")
_Key = TypeVar("_Key")


class RecordInvalid(ValueError):
    """A record cannot be added up; the message says why."""


class Rollup(Struct, frozen=True):
    """The totals of one (project, hour, user, provider, model). Money in nanodollars, `hour` since the epoch.

    `records` counts all of them; `records_by_kind` and `cost_by_kind` tell what operators did (adjustments,
    corrections: these costs have a sign) from requests, whose `requests_by_status` are by how they ended.
    `cost_by_window` has "<window kind>#<start in seconds>". `estimated`, `clamped` and `cut` count records.
    Where a record names no model (adjustments; requests whose process died) `provider` and `model` are "".
    """

    partition: RecordPartition
    user_id: str
    provider: str
    model: str
    records: int
    records_by_kind: Mapping[RecordKind, int]
    cost_by_kind: Mapping[RecordKind, int]
    requests_by_status: Mapping[Status, int]
    cost: int
    uncollected: int
    counts: TokenCounts
    estimated: int
    clamped: int
    cut: int
    cost_by_window: Mapping[str, int]


class _Sum(Struct):
    records: int = 0
    records_by_kind: dict[RecordKind, int] = field(default_factory=dict)
    cost_by_kind: dict[RecordKind, int] = field(default_factory=dict)
    requests_by_status: dict[Status, int] = field(default_factory=dict)
    cost: int = 0
    uncollected: int = 0
    counts: list[int] = field(default_factory=lambda: [0] * len(_COUNTS))
    flags: list[int] = field(default_factory=lambda: [0] * len(_FLAGS))
    cost_by_window: dict[str, int] = field(default_factory=dict)


class RollupTally:
    """Adds up the records of one partition, one by one: what it keeps grows with users and models alone."""

    def __init__(self, partition: RecordPartition) -> None:
        self._partition = partition
        self._sums: dict[tuple[str, str, str], _Sum] = {}

    def add(self, record: UsageRecord) -> None:
        """Count a record; raise RecordInvalid, with nothing counted, for one that cannot be or is not of here."""
        _check(record, self._partition)
        group = (record.user_id, record.provider, record.model_used or record.model_asked)
        total = self._sums.setdefault(group, _Sum())
        total.records += 1
        _count(total.records_by_kind, record.kind, 1)
        _count(total.cost_by_kind, record.kind, record.cost)
        if record.kind == "request":
            _count(total.requests_by_status, record.status, 1)
        total.cost += record.cost
        total.uncollected += record.uncollected
        for number, name in enumerate(_COUNTS):
            total.counts[number] += getattr(record.counts, name)
        for number, name in enumerate(_FLAGS):
            total.flags[number] += getattr(record, name)
        _count(total.cost_by_window, window_name(record), record.cost)

    def rollups(self) -> list[Rollup]:
        """Return the totals so far, in a fixed order."""
        return [
            Rollup(
                partition=self._partition,
                user_id=user_id,
                provider=provider,
                model=model,
                records=total.records,
                records_by_kind=total.records_by_kind,
                cost_by_kind=total.cost_by_kind,
                requests_by_status=total.requests_by_status,
                cost=total.cost,
                uncollected=total.uncollected,
                counts=TokenCounts(*total.counts),
                estimated=total.flags[0],
                clamped=total.flags[1],
                cut=total.flags[2],
                cost_by_window=total.cost_by_window,
            )
            for (user_id, provider, model), total in sorted(self._sums.items())
        ]


def window_name(record: UsageRecord) -> str:
    """Return how a rollup's `cost_by_window` names a record's window."""
    return f"{record.window_kind}#{record.window_start_s}"


def rollup_pk(partition: RecordPartition) -> str:
    """Return the partition key of the rollups of a partition of records."""
    return f"{partition.project_id}#rollup#{partition.hour}#{partition.shard}"


def user_digest(user_id: str) -> str:
    """Return what the sort keys of a user's rollups begin with: of one length, however long the id."""
    return hashlib.sha256(user_id.encode()).hexdigest()[:24]


def rollup_item(rollup: Rollup) -> Item:
    """Return the DynamoDB item of a rollup: it expires with the last record that its hour can have."""
    model = hashlib.sha256(f"{rollup.provider}\0{rollup.model}".encode()).hexdigest()[:24]
    item: Item = {
        "pk": rollup_pk(rollup.partition),
        "sk": f"{user_digest(rollup.user_id)}#{model}",
        "expires_at": (rollup.partition.hour + 1) * 3_600 + RETENTION_S,
        "counts": {name: getattr(rollup.counts, name) for name in _COUNTS},
    }
    for part in Rollup.__struct_fields__:
        if part not in ("partition", "counts"):
            value = getattr(rollup, part)
            item[part] = dict(value) if isinstance(value, Mapping) else value
    return item


def rollup_from_item(item: Item) -> Rollup:
    """Return the rollup of a DynamoDB item."""
    project_id, _, hour, shard = str(item["pk"]).split("#")
    counts = cast(dict[str, int], item["counts"])
    values: dict[str, Value] = {
        part: item[part] for part in Rollup.__struct_fields__ if part not in ("partition", "counts")
    }
    return Rollup(
        partition=RecordPartition(project_id, int(hour), int(shard)),
        counts=TokenCounts(**{name: counts[name] for name in _COUNTS if name in counts}),
        **values,  # type: ignore[arg-type]  # rollup_item wrote them
    )


def _count(totals: dict[_Key, int], key: _Key, amount: int) -> None:
    totals[key] = totals.get(key, 0) + amount


def _check(record: UsageRecord, partition: RecordPartition) -> None:
    """Stored values are as they were written, and another version or hand may have written them."""
    if record.key.pk != partition.pk or record.project_id != partition.project_id:
        raise RecordInvalid(f"it belongs to another project or hour: {record.key.pk!r}")
    for name in ("user_id", "provider", "model_asked", "model_used", "window_kind"):
        if not isinstance(getattr(record, name), str):
            raise RecordInvalid(f"its {name} is no text")
    for name in ("cost", "uncollected", "window_start_s"):
        value = getattr(record, name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise RecordInvalid(f"its {name} is no whole number")
    for name in _FLAGS:
        if not isinstance(getattr(record, name), bool):
            raise RecordInvalid(f"its {name} is neither true nor false")
    if record.kind not in get_args(RecordKind) or record.status not in get_args(Status):
        raise RecordInvalid(f"its kind or status is not known: {record.kind!r}, {record.status!r}")
