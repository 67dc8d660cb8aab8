"""The door through which metrics leave: on AWS one line of JSON a request, which CloudWatch makes metrics of.

The lines are in CloudWatch's embedded metric format, so that a metric costs no call. Source: Amazon CloudWatch
User Guide, "Specification: Embedded metric format". Dimensions are few and of few values, since CloudWatch bills
each combination as a metric of its own: the deployment, the provider, the reason of a refusal. Project, model and
request are properties beside them, to be looked for in the lines; users are in neither.

AWS Lambda Powertools writes the same lines, but keeps what is to be written in dictionaries of its class: requests
that run at the same time on one event loop would fill in each other's. It also takes 42 ms of a cold start.
"""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Protocol

from channeling.clock import Clock
from channeling.errors import (
    AuthenticationFailed,
    BudgetExceeded,
    BudgetHeld,
    GatewayError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    PermissionDenied,
    PriceUnreadable,
    RateLimited,
    RequestTimedOut,
    RequestTooLarge,
    StoreUnavailable,
    UpstreamFailed,
)
from channeling.money import NANOUSD_PER_USD
from channeling.usage.record import UsageRecord

_log = logging.getLogger(__name__)

NAMESPACE = "Channeling"
# Most special first. What is of none of these is a failure of our own.
_REASONS: tuple[tuple[type[GatewayError], str], ...] = (
    (BudgetExceeded, "budget_exceeded"),
    (BudgetHeld, "budget_held"),
    (RateLimited, "rate_limited"),
    (AuthenticationFailed, "authentication_failed"),
    (PermissionDenied, "permission_denied"),
    (RequestTooLarge, "request_too_large"),
    (RequestTimedOut, "request_timed_out"),
    (InvalidRequest, "invalid_request"),
    (NotFound, "not_found"),
    (MethodNotAllowed, "method_not_allowed"),
    (StoreUnavailable, "store_unavailable"),
    (Overloaded, "overloaded"),
    (UpstreamFailed, "upstream_failed"),
    (PriceUnreadable, "price_unreadable"),
)
GATEWAY_FAILED = "gateway_failed"
_SPEND_CAP = "project_spend_cap_reached"
# The counts of a reconciler's report that say that something could not be put right.
_RECONCILE_FAILURES = ("budgets_failed", "rollups_failed", "records_unreadable")
_DEPLOYMENT, _PROVIDER, _REASON = "Deployment", "Provider", "Reason"


class Metrics(Protocol):
    """Where metrics go. Nothing is raised: no request is to suffer from being counted."""

    def request_ended(self, record: UsageRecord, *, settled: bool) -> None:
        """Count a request that money was held for; `settled` is False where the store did not take its end."""

    def request_refused(self, error: GatewayError, request_id: str) -> None:
        """Count a request that was refused before anything was held for it."""

    def hold_expired(self) -> None:
        """Count a hold that a request which died left behind, and another ended."""

    def reconciled(self, report: Mapping[str, int]) -> None:
        """Count what a run of the reconciler found."""


class NoMetrics:
    """Metrics that nobody asked for: everywhere but on AWS."""

    def request_ended(self, record: UsageRecord, *, settled: bool) -> None:
        pass

    def request_refused(self, error: GatewayError, request_id: str) -> None:
        pass

    def hold_expired(self) -> None:
        pass

    def reconciled(self, report: Mapping[str, int]) -> None:
        pass


class EmbeddedMetrics:
    """Metrics as lines in CloudWatch's embedded metric format; `write` takes a whole line with its end."""

    def __init__(self, deployment: str, clock: Clock, write: Callable[[str], object]) -> None:
        self._deployment = deployment
        self._clock = clock
        self._write = write

    def request_ended(self, record: UsageRecord, *, settled: bool) -> None:
        counts = record.counts
        by_provider: dict[str, tuple[float, str]] = {
            "Requests": (1, "Count"),
            "InputTokens": (counts.total_input_tokens, "Count"),
            "CachedInputTokens": (counts.cache_read_tokens, "Count"),
            "OutputTokens": (counts.output_tokens, "Count"),
            "CostUsd": (record.cost / NANOUSD_PER_USD, "None"),
        }
        if record.first_token_ms is not None:
            by_provider["TimeToFirstToken"] = (record.first_token_ms, "Milliseconds")
        if record.status in ("failed", "refused"):
            by_provider["ProviderFailures"] = (1, "Count")
        rare: dict[str, tuple[float, str]] = {}
        if record.uncollected > 0:
            rare["UncollectedUsd"] = (record.uncollected / NANOUSD_PER_USD, "None")
        if not settled:
            rare["Unsettled"] = (1, "Count")
        self._line(
            {(_DEPLOYMENT, _PROVIDER): by_provider, (_DEPLOYMENT,): rare},
            # A bill that another process wrote for it names none, and no dimension may be empty.
            {_PROVIDER: record.provider or "none"},
            {
                "request_id": record.request_id,
                "project_id": record.project_id,
                "model": record.model_used,
                "status": record.status,
            },
        )

    def request_refused(self, error: GatewayError, request_id: str) -> None:
        self._line(
            {(_DEPLOYMENT, _REASON): {"Refusals": (1, "Count")}},
            {_REASON: refusal_reason(error)},
            {"request_id": request_id},
        )

    def hold_expired(self) -> None:
        self._line({(_DEPLOYMENT,): {"ExpiredHolds": (1, "Count")}}, {}, {})

    def reconciled(self, report: Mapping[str, int]) -> None:
        counts: dict[str, tuple[float, str]] = {
            "ExpiredHolds": (report.get("holds_ended", 0), "Count"),
            "ReconcileFailures": (sum(report.get(name, 0) for name in _RECONCILE_FAILURES), "Count"),
        }
        self._line({(_DEPLOYMENT,): {name: value for name, value in counts.items() if value[0]}}, {}, {})

    def _line(
        self,
        metrics: Mapping[tuple[str, ...], Mapping[str, tuple[float, str]]],
        dimensions: Mapping[str, str],
        properties: Mapping[str, str],
    ) -> None:
        directives = [
            {
                "Namespace": NAMESPACE,
                "Dimensions": [list(names)],
                "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()],
            }
            for names, values in metrics.items()
            if values
        ]
        if not directives:
            return
        line: dict[str, object] = {
            "_aws": {"Timestamp": self._clock.now_ms(), "CloudWatchMetrics": directives},
            _DEPLOYMENT: self._deployment,
            **dimensions,
            **properties,
        }
        for values in metrics.values():
            line |= {name: value for name, (value, _) in values.items()}
        self._write(json.dumps(line) + "\n")


def refusal_reason(error: GatewayError) -> str:
    """Return why a request was refused, as one of a few words: a dimension, so never what others wrote."""
    if isinstance(error, BudgetExceeded) and (error.details or {}).get("error_code") == _SPEND_CAP:
        return _SPEND_CAP
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), GATEWAY_FAILED)


def metrics_of(deployment: str | None, clock: Clock) -> Metrics:
    """Return the metrics of a deployment on standard output, or none where it has no name to write them under."""
    if deployment is None:
        return NoMetrics()

    def write(line: str) -> None:
        # One write and a line's end: lines of requests that end at the same time do not run into each other.
        try:
            sys.stdout.write(line)
            sys.stdout.flush()
        except (OSError, ValueError) as error:  # closed, or cut off
            _log.warning("metrics could not be written: %s", error)

    return EmbeddedMetrics(deployment, clock, write)
