"""A project's use over a time: totals, series, and by user, model and provider, all from one reading of rollups."""

from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, fields
from typing import Literal

from channeling.operations.projects import read_project
from channeling.operations.stores import Stores
from channeling.projects.errors import ProjectInvalid
from channeling.usage.rollup import Rollup
from channeling.usage.token_counts import TokenCounts

MAX_RANGE_S = 400 * 86_400
HOUR_S, DAY_S = 3_600, 86_400
_COUNTS = tuple(count.name for count in fields(TokenCounts))

Bucket = Literal["hour", "day"]


@dataclass(slots=True)
class Totals:
    """Sums of usage records. Money in nanodollars: `cost` is what budgets were charged, `adjusted` what operators
    gave back or charged beside it (with a sign), `uncollected` what providers billed beyond it."""

    requests: int = 0
    cost: int = 0
    adjusted: int = 0
    uncollected: int = 0
    refused: int = 0
    failed: int = 0
    cancelled: int = 0
    reclaimed: int = 0
    estimated: int = 0
    clamped: int = 0
    cut: int = 0
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))

    def add(self, rollup: Rollup) -> None:
        """Add a rollup."""
        self.requests += rollup.records_by_kind.get("request", 0)
        charged = rollup.cost_by_kind.get("request", 0) + rollup.cost_by_kind.get("correction", 0)
        self.cost += charged
        self.adjusted += rollup.cost - charged
        self.uncollected += rollup.uncollected
        self.refused += rollup.requests_by_status.get("refused", 0)
        self.failed += rollup.requests_by_status.get("failed", 0)
        self.cancelled += rollup.requests_by_status.get("cancelled", 0)
        self.reclaimed += rollup.requests_by_status.get("reclaimed", 0)
        self.estimated += rollup.estimated
        self.clamped += rollup.clamped
        self.cut += rollup.cut
        for name in _COUNTS:
            self.tokens[name] += getattr(rollup.counts, name)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which use is meant: all of a project, or that of one user, model (as it was used) or provider."""

    user_id: str | None = None
    model: str | None = None
    provider: str | None = None

    def has(self, rollup: Rollup) -> bool:
        """Tell whether a rollup is meant."""
        return (
            self.user_id in (None, rollup.user_id)
            and self.model in (None, rollup.model)
            and self.provider in (None, rollup.provider)
        )


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The use from `from_s` to before `until_s` (whole hours). Series by the start of each bucket that has any; the
    others by name, the dearest first. A model is named "provider/model"; "" is what names none."""

    from_s: int
    until_s: int
    bucket: Bucket
    totals: Totals
    series: Mapping[int, Totals]
    by_user: Mapping[str, Totals]
    by_model: Mapping[str, Totals]
    by_provider: Mapping[str, Totals]


@dataclass(slots=True)
class _Sums:
    totals: Totals = field(default_factory=Totals)
    series: dict[int, Totals] = field(default_factory=dict)
    by_user: dict[str, Totals] = field(default_factory=dict)
    by_model: dict[str, Totals] = field(default_factory=dict)
    by_provider: dict[str, Totals] = field(default_factory=dict)


async def read_usage(
    stores: Stores,
    project_id: str,
    from_s: int,
    until_s: int,
    *,
    bucket: Bucket = "day",
    selection: Selection = Selection(),
    check_time: Callable[[], None] = lambda: None,
) -> UsageReport:
    """Return what a project used from the hour of `from_s` on, until the end of the hour before `until_s`.

    `check_time` is called for each rollup and may raise. Raises ProjectMissing, ProjectInvalid (a range that is
    empty or over 400 days) and StoreUnavailable.
    """
    from_hour, until_hour = hours_between(from_s, until_s)
    await read_project(stores, project_id)
    length_s = HOUR_S if bucket == "hour" else DAY_S
    sums = _Sums()
    reading = stores.rollups.read(project_id, from_hour, until_hour, user_id=selection.user_id)
    async with aclosing(reading) as rollups:
        async for rollup in rollups:
            check_time()
            if selection.has(rollup):
                _add(sums, rollup, rollup.partition.hour * HOUR_S // length_s * length_s)
    return UsageReport(
        from_s=from_hour * HOUR_S,
        until_s=until_hour * HOUR_S,
        bucket=bucket,
        totals=sums.totals,
        series=dict(sorted(sums.series.items())),
        by_user=_dearest_first(sums.by_user),
        by_model=_dearest_first(sums.by_model),
        by_provider=_dearest_first(sums.by_provider),
    )


def hours_between(from_s: int, until_s: int) -> tuple[int, int]:
    """Return the hours (since the epoch) of a range: the first, and the one after the last.

    Raises ProjectInvalid.
    """
    if not 0 <= from_s < until_s or until_s - from_s > MAX_RANGE_S:
        raise ProjectInvalid(f"a range begins before it ends and spans at most {MAX_RANGE_S // DAY_S} days")
    return from_s // HOUR_S, -(-until_s // HOUR_S)


def _add(sums: _Sums, rollup: Rollup, start_s: int) -> None:
    model = f"{rollup.provider}/{rollup.model}" if rollup.model else ""
    sums.totals.add(rollup)
    sums.series.setdefault(start_s, Totals()).add(rollup)
    sums.by_user.setdefault(rollup.user_id, Totals()).add(rollup)
    sums.by_model.setdefault(model, Totals()).add(rollup)
    sums.by_provider.setdefault(rollup.provider, Totals()).add(rollup)


def _dearest_first(named: Mapping[str, Totals]) -> dict[str, Totals]:
    return dict(sorted(named.items(), key=lambda entry: (-entry[1].cost, entry[0])))
