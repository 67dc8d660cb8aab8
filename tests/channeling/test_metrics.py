"""Metrics are lines that CloudWatch's embedded metric format allows, of few dimensions; nobody's request fails."""

import io
import json
import sys
from typing import Any

import pytest
from msgspec.structs import replace

from channeling.errors import (
    AuthenticationFailed,
    BudgetExceeded,
    BudgetHeld,
    GatewayError,
    InvalidRequest,
    Overloaded,
    RateLimited,
    StoreUnavailable,
)
from channeling.metrics import EmbeddedMetrics, NoMetrics, metrics_of, refusal_reason
from channeling.usage.record import UsageRecord, record_key
from channeling.usage.token_counts import TokenCounts

NOW_MS = 1_795_534_200_123
RECORD = UsageRecord(
    key=record_key("shop", "ana", "day", "tozsg0uv183t4b", 1_795_499_712),
    project_id="shop",
    user_id="ana",
    window_kind="day",
    window_start_s=1_795_478_400,
    started_ms=1_795_499_712_000,
    request_id="req_1",
    status="ok",
    cost=12_345_678,
    provider="anthropic",
    model_used="claude-sonnet-4-5",
    counts=TokenCounts(input_tokens=10, cache_read_tokens=90, cache_write_5m_tokens=5, output_tokens=7),
    first_token_ms=321,
)


class FixedClock:
    def now_ms(self) -> int:
        return NOW_MS


def written(record: UsageRecord, *, settled: bool = True) -> dict[str, Any]:
    lines: list[str] = []
    EmbeddedMetrics("prod", FixedClock(), lines.append).request_ended(record, settled=settled)
    [line] = lines
    return embedded(line)


def embedded(line: str) -> dict[str, Any]:
    """Return a line that is valid by the format's specification; its directives name what the line has."""
    assert line.endswith("\n")
    assert line.count("\n") == 1
    values: dict[str, Any] = json.loads(line)
    assert values["_aws"]["Timestamp"] == NOW_MS
    assert values["_aws"]["CloudWatchMetrics"]
    for directive in values["_aws"]["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert directive["Namespace"] == "Channeling"
        for names in directive["Dimensions"]:
            assert len(names) <= 30
            for name in names:
                assert isinstance(values[name], str)
                assert 1 <= len(values[name]) <= 1024
        assert 1 <= len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert metric["Unit"] in ("Count", "Milliseconds", "None")
            assert isinstance(values[metric["Name"]], int | float)
    return values


def metrics(values: dict[str, Any]) -> dict[tuple[str, ...], set[str]]:
    return {
        tuple(directive["Dimensions"][0]): {metric["Name"] for metric in directive["Metrics"]}
        for directive in values["_aws"]["CloudWatchMetrics"]
    }


def test_a_request_is_one_line() -> None:
    values = written(RECORD)
    assert metrics(values) == {
        ("Deployment", "Provider"): {
            "Requests",
            "InputTokens",
            "CachedInputTokens",
            "OutputTokens",
            "CostUsd",
            "TimeToFirstToken",
        }
    }
    del values["_aws"]
    assert values == {
        "Deployment": "prod",
        "Provider": "anthropic",
        "Requests": 1,
        "InputTokens": 105,
        "CachedInputTokens": 90,
        "OutputTokens": 7,
        "CostUsd": 0.012345678,
        "TimeToFirstToken": 321,
        "request_id": "req_1",
        "project_id": "shop",
        "model": "claude-sonnet-4-5",
        "status": "ok",
    }


def test_what_is_rare_is_there_only_when_it_happens() -> None:
    values = written(replace(RECORD, uncollected=2_000_000_000, first_token_ms=None), settled=False)
    assert metrics(values)[("Deployment",)] == {"UncollectedUsd", "Unsettled"}
    assert values["UncollectedUsd"] == 2
    assert "TimeToFirstToken" not in values


@pytest.mark.parametrize("status", ["failed", "refused"])
def test_a_provider_that_fails_is_counted(status: Any) -> None:
    assert written(replace(RECORD, status=status))["ProviderFailures"] == 1


def test_a_bill_that_another_process_wrote_has_no_empty_dimension() -> None:
    assert written(replace(RECORD, provider="", status="reclaimed"))["Provider"] == "none"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            BudgetExceeded("spent", retry_after_s=1, details={"error_code": "budget_exceeded"}),
            "budget_exceeded",
        ),
        (
            BudgetExceeded("cap", retry_after_s=1, details={"error_code": "project_spend_cap_reached"}),
            "project_spend_cap_reached",
        ),
        (BudgetHeld("held", retry_after_s=1), "budget_held"),
        (RateLimited("slow", retry_after_s=1), "rate_limited"),
        (StoreUnavailable("down"), "store_unavailable"),
        (Overloaded("busy"), "overloaded"),
        (AuthenticationFailed("who?"), "authentication_failed"),
        (GatewayError("ours"), "gateway_failed"),
        # What others wrote is no dimension.
        (InvalidRequest("no", details={"error_code": "user-4711"}), "invalid_request"),
        (BudgetExceeded("no", retry_after_s=1, details={"error_code": "x"}), "budget_exceeded"),
    ],
)
def test_a_refusal_is_counted_by_its_reason(error: GatewayError, reason: str) -> None:
    assert refusal_reason(error) == reason
    lines: list[str] = []
    EmbeddedMetrics("prod", FixedClock(), lines.append).request_refused(error, "req_2")
    [values] = map(embedded, lines)
    assert metrics(values) == {("Deployment", "Reason"): {"Refusals"}}
    assert (values["Reason"], values["request_id"]) == (reason, "req_2")


def test_every_error_has_a_reason_of_its_own() -> None:
    def below(kind: type[GatewayError]) -> set[type[GatewayError]]:
        return {kind}.union(*map(below, kind.__subclasses__()))

    own = {kind for kind in below(GatewayError) if kind.__module__ == "channeling.errors"} - {GatewayError}
    reasons = {refusal_reason(kind.__new__(kind)) for kind in own - {BudgetExceeded}}
    assert len(reasons) == len(own) - 1
    assert "gateway_failed" not in reasons


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"holds_ended": 0, "budgets_failed": 0, "budgets_left": False}, None),
        ({"holds_ended": 3}, {"ExpiredHolds": 3}),
        (
            {"budgets_failed": 1, "rollups_failed": 2, "records_unreadable": 4, "holds_ended": 1},
            {"ExpiredHolds": 1, "ReconcileFailures": 7},
        ),
        ({}, None),
    ],
)
def test_a_run_of_the_reconciler_says_what_it_found(
    report: dict[str, int], expected: dict[str, int] | None
) -> None:
    lines: list[str] = []
    EmbeddedMetrics("prod", FixedClock(), lines.append).reconciled(report)
    if expected is None:
        assert lines == []
        return
    [values] = map(embedded, lines)
    assert values.items() >= expected.items()
    assert metrics(values) == {("Deployment",): set(expected)}


def test_there_are_none_without_a_name() -> None:
    assert isinstance(metrics_of(None, FixedClock()), NoMetrics)


def test_lines_go_to_standard_output_in_one_piece(capsys: pytest.CaptureFixture[str]) -> None:
    metrics_of("prod", FixedClock()).hold_expired()
    assert embedded(capsys.readouterr().out)["ExpiredHolds"] == 1


def test_a_closed_output_is_said_and_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    metrics_of("prod", FixedClock()).hold_expired()
    assert "metrics could not be written" in caplog.text
