"""A project's use over a time: totals, series, and by user, model and provider, all from one reading of rollups."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Literal

from msgspec import Struct

from channeling.operations.projects import read_project
from channeling.operations.stores import Stores
from channeling.projects.errors import ProjectInvalid
from channeling.usage.totals import NOTHING, Numbers, Rows, Totals, UseOf, added

MAX_RANGE_S = 400 * 86_400
HOUR_S, DAY_S = 3_600, 86_400

__all__ = ["Bucket", "Selection", "Totals", "UsageReport", "hours_between", "read_usage"]

Bucket = Literal["hour", "day"]


class Selection(Struct, frozen=True):
    """Which use is meant: all of a project, or that of one user, model (as it was used) or provider."""

    user_id: str | None = None
    model: str | None = None
    provider: str | None = None

    def of(self, rows: Rows) -> Rows:
        """Return those rows that are meant."""
        if self.user_id is None and self.model is None and self.provider is None:
            return rows
        return {use: numbers for use, numbers in rows.items() if self._has(use)}

    def _has(self, use: UseOf) -> bool:
        return (
            self.user_id in (None, use.user_id)
            and self.model in (None, use.model)
            and self.provider in (None, use.provider)
        )


class UsageReport(Struct, frozen=True):
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

    `check_time` is called now and then and may raise. Raises ProjectMissing, ProjectInvalid (a range that is
    empty or over 400 days) and StoreUnavailable.
    """
    from_hour, until_hour = hours_between(from_s, until_s)
    stored = await read_project(stores, project_id)
    born_hour = None if stored.created_at_ms is None else stored.created_at_ms // (HOUR_S * 1_000)
    length_s = HOUR_S if bucket == "hour" else DAY_S
    uses: Rows = {}
    series: dict[int, Numbers] = {}
    reading = stores.totals.read(
        project_id, from_hour, until_hour, by=bucket, user_id=selection.user_id, born_hour=born_hour
    )
    async with aclosing(reading) as found:
        async for hour, rows in found:
            check_time()
            start_s = hour * HOUR_S // length_s * length_s
            chosen = selection.of(rows)
            for use, numbers in chosen.items():
                uses[use] = added(uses[use], numbers) if use in uses else numbers
            if chosen:
                series[start_s] = _sum((series.get(start_s, NOTHING), *chosen.values()))
    return UsageReport(
        from_s=from_hour * HOUR_S,
        until_s=until_hour * HOUR_S,
        bucket=bucket,
        totals=Totals.of(_sum(uses.values())),
        series={start_s: Totals.of(numbers) for start_s, numbers in sorted(series.items())},
        by_user=_dearest_first(uses, lambda use: use.user_id),
        by_model=_dearest_first(uses, lambda use: f"{use.provider}/{use.model}" if use.model else ""),
        by_provider=_dearest_first(uses, lambda use: use.provider),
    )


def hours_between(from_s: int, until_s: int) -> tuple[int, int]:
    """Return the hours (since the epoch) of a range: the first, and the one after the last.

    Raises ProjectInvalid.
    """
    if not 0 <= from_s < until_s or until_s - from_s > MAX_RANGE_S:
        raise ProjectInvalid(f"a range begins before it ends and spans at most {MAX_RANGE_S // DAY_S} days")
    return from_s // HOUR_S, -(-until_s // HOUR_S)


def _sum(all_numbers: Iterable[Numbers]) -> Numbers:
    return tuple(map(sum, zip(NOTHING, *all_numbers, strict=True)))


def _dearest_first(uses: Rows, name_of: Callable[[UseOf], str]) -> dict[str, Totals]:
    sums: dict[str, Numbers] = {}
    for use, numbers in uses.items():
        name = name_of(use)
        sums[name] = added(sums.get(name, NOTHING), numbers)
    named = {name: Totals.of(numbers) for name, numbers in sums.items()}
    return dict(sorted(named.items(), key=lambda entry: (-entry[1].cost, entry[0])))
