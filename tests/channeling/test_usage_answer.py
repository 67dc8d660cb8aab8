"""A user's own figures add up by day and by model, in dollars; Claude Code gets cents and whole percents."""

from datetime import date
from typing import Any

import pytest

from channeling.budget_answer import BudgetState
from channeling.budgets.item import WindowState
from channeling.errors import InvalidRequest
from channeling.usage.record import RecordPartition, UsageRecord, record_key
from channeling.usage.rollup import Rollup, RollupTally
from channeling.usage.token_counts import TokenCounts
from channeling.usage_answer import Days, UsageTally, claude_code_usage, days_asked_for
from channeling.window_kind import WindowKind

DOLLAR = 1_000_000_000
NOW_S = 1_796_126_399  # 2026-12-01T11:59:59Z
MIDNIGHT_S = 1_796_083_200
END_S = MIDNIGHT_S + 86_400


def rollups(started_s: int, **changes: Any) -> list[Rollup]:
    key = record_key("demo", "ana", "day", "tozsg0uv183t4b", started_s)
    values: dict[str, Any] = {
        "provider": "anthropic",
        "model_used": "claude-haiku-4-5",
        "cost": DOLLAR,
        "counts": TokenCounts(input_tokens=10, cache_read_tokens=5, output_tokens=3),
    } | changes
    record = UsageRecord(key, "demo", "ana", "day", MIDNIGHT_S, started_s * 1000, "req", "ok", **values)
    tally = RollupTally(RecordPartition("demo", started_s // 3600, key.partition.shard))
    tally.add(record)
    return tally.rollups()


def test_days_and_models_add_up_to_the_total() -> None:
    """Adjustments are in the cost, and said apart; a day without use is there; the dearest model is first."""
    tally = UsageTally(Days(date(2026, 11, 30), date(2026, 12, 2)))
    for rollup in [
        *rollups(MIDNIGHT_S - 1),
        *rollups(MIDNIGHT_S),
        *rollups(MIDNIGHT_S + 7, cost=5 * DOLLAR, model_used="gpt-5.2", provider="openai"),
        *rollups(
            MIDNIGHT_S + 9,
            kind="adjustment",
            cost=-DOLLAR // 2,
            provider="",
            model_used="",
            counts=TokenCounts(),
        ),
    ]:
        tally.add(rollup)
    body = tally.body()
    assert (body["from"], body["to"]) == ("2026-11-30", "2026-12-02")
    assert body["total"] == {
        "requests": 3,
        "cost_usd": "6.5",
        "adjusted_usd": "-0.5",
        "input_tokens": 30,
        "cache_read_tokens": 15,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "output_tokens": 9,
        "thinking_tokens": 0,
        "web_search_requests": 0,
        "web_fetch_requests": 0,
    }
    assert [(day["day"], day["requests"], day["cost_usd"]) for day in body["by_day"]] == [
        ("2026-11-30", 1, "1"),
        ("2026-12-01", 2, "5.5"),
        ("2026-12-02", 0, "0"),
    ]
    assert [(entry["provider"], entry["model"], entry["cost_usd"]) for entry in body["by_model"]] == [
        ("openai", "gpt-5.2", "5"),
        ("anthropic", "claude-haiku-4-5", "2"),
        (None, None, "-0.5"),
    ]


@pytest.mark.parametrize(
    ("query", "first", "last", "hours"),
    [
        ({}, "2026-11-25", "2026-12-01", 168),
        ({"from": "2026-12-01"}, "2026-12-01", "2026-12-01", 24),
        ({"to": "2026-11-07"}, "2026-11-01", "2026-11-07", 168),
        ({"from": "2026-10-01", "to": "2026-10-31"}, "2026-10-01", "2026-10-31", 31 * 24),
        ({"to": "0001-01-03"}, "0001-01-01", "0001-01-03", 72),
        ({"from": "9999-12-31", "to": "9999-12-31"}, "9999-12-31", "9999-12-31", 24),
    ],
)
def test_days_that_can_be_asked_for(query: dict[str, str], first: str, last: str, hours: int) -> None:
    days = days_asked_for(query, NOW_S)
    assert (days.first.isoformat(), days.last.isoformat()) == (first, last)
    assert days.until_hour - days.from_hour == hours
    assert len(days.each) * 24 == hours


def test_a_day_begins_at_midnight_in_utc() -> None:
    days = days_asked_for({"from": "2026-12-01"}, NOW_S)
    assert days.from_hour * 3600 == MIDNIGHT_S


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"from": "yesterday"}, "from: must be a day such as"),
        ({"from": ""}, "from: must be a day"),
        ({"to": "2026-13-01"}, "to: must be a day"),
        ({"to": "2026-W48-1"}, "to: must be a day"),
        ({"to": "20261201"}, "to: must be a day"),
        ({"from": "２０２６-１２-０１"}, "from: must be a day"),
        ({"from": "2026-12-02"}, "from: 2026-12-02 is after 2026-12-01"),
        ({"from": "2026-10-31"}, "at most 31 days"),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "at most 31 days"),
    ],
)
def test_other_days_are_refused_by_name(query: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        days_asked_for(query, NOW_S)


@pytest.mark.parametrize(
    ("settled", "limit", "percent", "severity"),
    [
        (0, 5 * DOLLAR, 0, "normal"),
        (3_749_999_999, 5 * DOLLAR, 74, "normal"),
        (3_750_000_000, 5 * DOLLAR, 75, "warning"),
        (4_750_000_000, 5 * DOLLAR, 95, "critical"),
        (4_999_999_999, 5 * DOLLAR, 99, "critical"),
        (5 * DOLLAR, 5 * DOLLAR, 100, "critical"),
        (6 * DOLLAR, 5 * DOLLAR, 120, "critical"),
        (0, 0, 100, "critical"),
    ],
)
def test_what_claude_code_shows(settled: int, limit: int, percent: int, severity: str) -> None:
    """Cents rounded down, and below 100 percent while anything is left."""
    state = BudgetState("month", limit, WindowState(MIDNIGHT_S, END_S, settled + 7, settled, {"h": 7}))
    assert claude_code_usage(state) == {
        "extra_usage": {
            "is_enabled": True,
            "monthly_limit": limit // 10_000_000,
            "used_credits": settled // 10_000_000,
            "utilization": percent,
            "currency": "USD",
        },
        "limits": [
            {
                "kind": "spend",
                "group": "monthly",
                "percent": percent,
                "resets_at": "2026-12-02T00:00:00Z",
                "severity": severity,
                "is_active": True,
            }
        ],
    }


@pytest.mark.parametrize(
    ("kind", "group"), [("hour", "hourly"), ("day", "daily"), ("week", "weekly"), ("month", "monthly")]
)
def test_the_period_is_named(kind: WindowKind, group: str) -> None:
    state = BudgetState(kind, 15_000_000, WindowState(MIDNIGHT_S, END_S, 0, 0, {}))
    usage = claude_code_usage(state)
    assert usage["limits"][0]["group"] == group
    assert usage["extra_usage"]["monthly_limit"] == 1.5
