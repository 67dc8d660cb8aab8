"""Which time a report is of, as people say it: the last 7 days, or from one day to another."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from channeling_cli.amounts import duration_s

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

Since = Annotated[str, typer.Option("--since", metavar="DURATION", help="How far back: 90m, 24h, 7d.")]
First = Annotated[str | None, typer.Option("--from", metavar="DAY", help="The first day (UTC), not --since.")]
Last = Annotated[str | None, typer.Option("--to", metavar="DAY", help="The last day, included (today).")]


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From a second until before another, since the epoch."""

    from_s: int
    until_s: int


def time_range(since: str, first: str | None, last: str | None, now_s: int) -> TimeRange:
    """Return the range that was asked for; days replace `since`. Raises BadParameter."""
    if first is None and last is None:
        return TimeRange(max(0, now_s - duration_s(since, "--since")), now_s + 1)
    if first is None:
        raise typer.BadParameter("say the first day too: --from", param_hint="--to")
    until_s = now_s + 1 if last is None else _midnight_s(last, "--to", timedelta(days=1))
    from_s = _midnight_s(first, "--from", timedelta())
    if from_s >= until_s:
        raise typer.BadParameter(f"{first} is after the last day", param_hint="--from")
    return TimeRange(from_s, until_s)


def _midnight_s(text: str, option: str, later: timedelta) -> int:
    try:
        if _DAY.fullmatch(text) is None:
            raise ValueError
        midnight = datetime.fromisoformat(text).replace(tzinfo=UTC) + later
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} is no day such as 2026-11-24", param_hint=option) from error
    return int((midnight - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
