"""The budget claim is read exactly, with chucky's forms of a time, and every malformed one is refused by name."""

from datetime import UTC, datetime
from typing import Any

import pytest

from channeling.auth.budget_claim import BudgetClaim, read_budget
from channeling.errors import AuthenticationFailed
from tests.channeling.auth.token_parts import good_budget

START_S = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp())


def test_reads_limit_window_and_start() -> None:
    assert read_budget(good_budget(), None) == BudgetClaim(5_000_000_000, "day", START_S)


@pytest.mark.parametrize("window", ["hour", "day", "week", "month"])
def test_every_window(window: str) -> None:
    assert read_budget(good_budget(window=window), None).window == window


@pytest.mark.parametrize(("ai", "nanousd"), [(0, 0), (1, 1_000), (10**12, 10**15)])
def test_limits_in_nanodollars(ai: int, nanousd: int) -> None:
    assert read_budget(good_budget(ai=ai), None).limit_nanousd == nanousd


def test_compute_is_not_required_and_not_looked_at() -> None:
    for compute in (None, -1, "much", [True]):
        assert read_budget(good_budget(compute=compute), None).limit_nanousd == 5_000_000_000


def test_project_ceiling_is_inclusive() -> None:
    assert read_budget(good_budget(ai=7), 7).limit_nanousd == 7_000
    with pytest.raises(AuthenticationFailed, match="more than the 7 that this project allows"):
        read_budget(good_budget(ai=8), 7)
    with pytest.raises(AuthenticationFailed, match="this project allows"):
        read_budget(good_budget(ai=1), 0)


@pytest.mark.parametrize(
    ("text", "seconds_after"),
    [
        ("2026-09-01T00:00:00Z", 0),
        ("2026-09-01t00:00:00z", 0),
        ("2026-09-01T00:00:00+00:00Z", 0),  # chucky-sdk, from an aware datetime in UTC
        ("2026-09-01T02:00:00.000001+02:00Z", 0),  # chucky-sdk, from an aware datetime elsewhere
        ("2026-09-01T00:00:00.999999999Z", 0),
        ("2026-09-01T00:00:00.5+00:00Z", 0),
        ("2026-09-01T00:00:00-00:00", 0),
        ("2026-08-31T14:30:00-09:30", 0),
        ("2026-09-01T05:45:01+05:45", 1),
        ("2026-08-31T23:59:60Z", 0),  # a leap second
    ],
)
def test_forms_of_the_same_time(text: str, seconds_after: int) -> None:
    assert read_budget(good_budget(windowStart=text), None).window_start_s == START_S + seconds_after


@pytest.mark.parametrize(
    ("text", "start_s"), [("1970-01-01T00:00:00Z", 0), ("9999-12-31T23:59:59Z", 253_402_300_799)]
)
def test_first_and_last_time(text: str, start_s: int) -> None:
    assert read_budget(good_budget(windowStart=text), None).window_start_s == start_s


@pytest.mark.parametrize(
    "start",
    [
        None,
        1_790_000_000,
        "",
        "now",
        "2026-09-01",
        "2026-09-01Z",
        "2026-09-01T00:00:00",
        "2026-09-01 00:00:00Z",
        "2026-09-01T00:00Z",
        "20260901T000000Z",
        "2026-09-01T00:00:00.Z",
        "2026-09-01T00:00:00ZZ",
        "2026-09-01T00:00:00+0000",
        "2026-09-01T00:00:00+24:00",
        "2026-09-01T00:00:00+01:60",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-09-01T24:00:00Z",
        "2026-09-01T00:60:00Z",
        "2026-09-01T00:00:61Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "٢٠٢٦-09-01T00:00:00Z",
        "2026-09-01T00:00:00Z\n",
        "\ud800",
        "2026-09-01T00:00:00." + "9" * 7_000 + "X",
    ],
)
def test_malformed_window_start(start: Any) -> None:
    with pytest.raises(AuthenticationFailed, match=r"budget\.windowStart"):
        read_budget(good_budget(windowStart=start), None)


@pytest.mark.parametrize(
    "ai", [None, -1, 10**12 + 1, 10**400, 5.0, 0.5, 1e400, True, False, "5000000", [5], {}]
)
def test_malformed_ai(ai: Any) -> None:
    with pytest.raises(AuthenticationFailed, match=r"budget\.ai"):
        read_budget(good_budget(ai=ai), None)


@pytest.mark.parametrize("window", [None, "", "Day", "year", "days", "minute", 1, ["day"], {}, True])
def test_unknown_window(window: Any) -> None:
    with pytest.raises(AuthenticationFailed, match=r"budget\.window must be one of hour, day, week, month"):
        read_budget(good_budget(window=window), None)


@pytest.mark.parametrize("claim", [None, [], "5", 5, True])
def test_no_budget(claim: Any) -> None:
    with pytest.raises(AuthenticationFailed, match="has no budget"):
        read_budget(claim, None)
