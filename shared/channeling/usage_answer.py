"""What a user is told of their own use: the body of GET /v1/usage, and Claude Code's form of a spend cap. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from msgspec import Struct, field

from channeling.budget_answer import BudgetState, iso_time
from channeling.errors import InvalidRequest
from channeling.money import dollars
from channeling.usage.rollup import Rollup
from channeling.usage.token_counts import TokenCounts
from channeling.window_kind import WindowKind

USUAL_DAYS = 7
MAX_DAYS = 31
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_HOUR_S = 3_600
_NANOUSD_PER_CENT = 10_000_000
_GROUPS: Mapping[WindowKind, str] = {"hour": "hourly", "day": "daily", "week": "weekly", "month": "monthly"}
_COUNTS = TokenCounts.__struct_fields__


class Days(Struct, frozen=True):
    """A stretch of days in UTC, both ends within it."""

    first: date
    last: date

    @property
    def each(self) -> list[date]:
        """All of them, in order."""
        return [self.first + timedelta(number) for number in range((self.last - self.first).days + 1)]

    @property
    def from_hour(self) -> int:
        """The first hour, since the epoch."""
        return _hour_of(self.first)

    @property
    def until_hour(self) -> int:
        """The hour after the last one."""
        return _hour_of(self.last) + 24


def days_asked_for(query: Mapping[str, str], now_s: int) -> Days:
    """Return the days that `from` and `to` (YYYY-MM-DD, both included) name: without them the last seven.

    Raises InvalidRequest that names the parameter.
    """
    today = datetime.fromtimestamp(now_s, UTC).date()
    last = _date(query, "to") or today
    first = _date(query, "from") or date.fromordinal(max(1, last.toordinal() - USUAL_DAYS + 1))
    if first > last:
        raise InvalidRequest(f"from: {first} is after {last}, the day that it goes to")
    if (last - first).days >= MAX_DAYS:
        raise InvalidRequest(f"from: at most {MAX_DAYS} days can be asked for at once")
    return Days(first, last)


class _Figures(Struct):
    requests: int = 0
    cost: int = 0
    adjusted: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))

    def add(self, rollup: Rollup) -> None:
        of_requests = rollup.cost_by_kind.get("request", 0)
        self.requests += rollup.records_by_kind.get("request", 0)
        self.cost += rollup.cost
        self.adjusted += rollup.cost - of_requests
        for name in _COUNTS:
            self.counts[name] += getattr(rollup.counts, name)

    def body(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "cost_usd": dollars(self.cost),
            "adjusted_usd": dollars(self.adjusted),
            **self.counts,
        }


class UsageTally:
    """Adds up one user's rollups by day and by model. Money is in dollars, as decimal text; days are of UTC."""

    def __init__(self, days: Days) -> None:
        self._days = days
        self._total = _Figures()
        self._by_day: dict[date, _Figures] = {}
        self._by_model: dict[tuple[str, str], _Figures] = {}

    def add(self, rollup: Rollup) -> None:
        """Count a rollup of the user's."""
        day = datetime.fromtimestamp(rollup.partition.hour * _HOUR_S, UTC).date()
        self._total.add(rollup)
        self._by_day.setdefault(day, _Figures()).add(rollup)
        self._by_model.setdefault((rollup.provider, rollup.model), _Figures()).add(rollup)

    def body(self) -> dict[str, Any]:
        """Return the body of GET /v1/usage: every day, the dearest models first.

        `cost_usd` is what was taken from budgets; `adjusted_usd` is the part of it that operators gave or took,
        and not requests. A model is null where records name none (adjustments, requests whose process died).
        """
        return {
            "from": self._days.first.isoformat(),
            "to": self._days.last.isoformat(),
            "total": self._total.body(),
            "by_day": [
                {"day": day.isoformat()} | self._by_day.get(day, _Figures()).body() for day in self._days.each
            ],
            "by_model": [
                {"provider": provider or None, "model": model or None} | figures.body()
                for (provider, model), figures in _dearest_first(self._by_model.items())
            ],
        }


def claude_code_usage(state: BudgetState) -> dict[str, Any]:
    """Return the body of GET /api/oauth/usage, from which Claude Code shows dollars in /usage and its status line.

    Source: the protocol page of `claude gateway` (`@anthropic-ai/claude-code` 2.1.330): cents, whole percents, and
    the same second as in `anthropic-ratelimit-unified-overage-reset`. It has no word for an hour.
    """
    settled, limit = state.window.settled, state.limit
    percent = settled * 100 // limit if limit > 0 else 100
    return {
        "extra_usage": {
            "is_enabled": True,
            "monthly_limit": _cents(limit),
            "used_credits": settled // _NANOUSD_PER_CENT,
            "utilization": percent,
            "currency": "USD",
        },
        "limits": [
            {
                "kind": "spend",
                "group": _GROUPS[state.kind],
                "percent": percent,
                "resets_at": iso_time(state.window.end_s),
                "severity": _severity(percent),
                "is_active": True,
            }
        ],
    }


def _severity(percent: int) -> str:
    # The thresholds of `budget_headers`, with which clients pair these figures.
    if percent >= 95:
        return "critical"
    return "warning" if percent >= 75 else "normal"


def _cents(amount_nanousd: int) -> int | float:
    whole, rest = divmod(amount_nanousd, _NANOUSD_PER_CENT)
    return whole + rest / _NANOUSD_PER_CENT if rest else whole


def _dearest_first(
    figures: Iterable[tuple[tuple[str, str], _Figures]],
) -> Sequence[tuple[tuple[str, str], _Figures]]:
    return sorted(figures, key=lambda named: (-named[1].cost, named[0]))


def _hour_of(day: date) -> int:
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * 24


def _date(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        if _DAY.fullmatch(text) is None:  # `fromisoformat` takes more forms than we name
            raise ValueError
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"{name}: must be a day such as 2026-11-24") from error
