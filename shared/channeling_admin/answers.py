"""What the admin API answers with: money as decimal strings of dollars, times as ISO 8601 in UTC, no secret."""

from collections.abc import Mapping
from typing import Any

from channeling.budgets.item import BudgetItem, WindowState
from channeling.money import dollars
from channeling.operations.audit_log import AuditEntry
from channeling.operations.prices import PriceView
from channeling.operations.projects import ProjectView
from channeling.operations.usage import Totals, UsageReport
from channeling.operations.users import UserView
from channeling.projects.project import ProjectRules
from channeling.usage.record import UsageRecord
from channeling.usage.token_counts import TokenCounts
from channeling_admin.amounts import time_text

_COUNTS = TokenCounts.__struct_fields__


def rules_answer(project_id: str, rules: ProjectRules) -> dict[str, Any]:
    """Return a project's rules."""
    return {
        "project_id": project_id,
        "name": rules.name,
        "status": rules.status,
        "enforcement": rules.enforcement,
        "aliases": dict(rules.aliases),
        "max_concurrent": rules.max_concurrent,
        "max_ai_usd": _microusd(rules.max_ai_microusd),
        "monthly_cap_usd": _microusd(rules.monthly_cap_microusd),
        "allow_unbounded_tools": rules.allow_unbounded_tools,
        "base_urls": dict(rules.base_urls),
        "openrouter_native_anthropic": rules.openrouter_native_anthropic,
        "delete_at": None if rules.delete_at_ms is None else time_text(rules.delete_at_ms / 1_000),
    }


def project_answer(view: ProjectView) -> dict[str, Any]:
    """Return a project."""
    spend = view.month_spend
    return {
        **rules_answer(view.project_id, view.rules),
        "created_at": None if view.created_at_ms is None else time_text(view.created_at_ms / 1_000),
        "secret_fingerprints": list(view.secret_fingerprints),
        "provider_keys": list(view.providers_with_key),
        "custom_prices": view.custom_prices,
        "month": None
        if spend is None
        else {
            "spent_usd": dollars(spend.total_nanousd),
            "starts_at": time_text(spend.start_s),
            "ends_at": time_text(spend.end_s),
            "as_of": time_text(spend.as_of_ms / 1_000),
        },
        "spend_cap_reached": view.is_cap_reached,
    }


def price_answer(view: PriceView) -> dict[str, Any]:
    """Return a custom price; one that cannot be read says why."""
    if view.price is None:
        return {"price_id": view.price_id, "unreadable": view.reason}
    written = dict(view.price.to_item())
    valid_from = written.pop("valid_from", None)
    return {
        "price_id": view.price_id,
        **written,
        "valid_from": time_text(valid_from) if isinstance(valid_from, int) else None,
    }


def user_answer(view: UserView, now_s: int) -> dict[str, Any]:
    """Return a user's budgets as they stand."""
    revoked_ms = view.revoked_before_ms
    return {
        "user_id": view.user_id,
        "revoked_before": None if revoked_ms is None else time_text(revoked_ms / 1_000),
        "budgets": [
            budget_answer(kind, item, item.window, now_s)
            for kind, item in view.budgets.items()
            if item.window
        ],
    }


def budget_answer(kind: str, item: BudgetItem, window: WindowState, now_s: int) -> dict[str, Any]:
    """Return one window of a user."""
    pending = item.adjustment
    # What the newest token said; an older one of the same user may say another.
    limit = None if item.token_limit is None else item.token_limit + item.live_raise()
    return {
        "window": kind,
        "limit_usd": None if limit is None else dollars(limit),
        "settled_usd": dollars(window.settled),
        "held_usd": dollars(window.held),
        "raise_usd": dollars(item.live_raise()),
        "running_requests": len(window.holds),
        "starts_at": time_text(window.start_s),
        "ends_at": time_text(window.end_s),
        "resets_in_s": max(0, window.end_s - now_s),
        "has_ended": window.end_s <= now_s,
        "pending_adjustment_usd": None if pending is None else dollars(pending.amount),
    }


def totals_answer(totals: Totals) -> dict[str, Any]:
    """Return sums."""
    return {
        "cost_usd": dollars(totals.cost),
        "adjusted_usd": dollars(totals.adjusted),
        "uncollected_usd": dollars(totals.uncollected),
        "requests": totals.requests,
        "refused": totals.refused,
        "failed": totals.failed,
        "cancelled": totals.cancelled,
        "reclaimed": totals.reclaimed,
        "estimated": totals.estimated,
        "clamped": totals.clamped,
        "cut": totals.cut,
        **totals.tokens,
    }


def usage_answer(report: UsageReport, limit: int) -> dict[str, Any]:
    """Return a report; of each breakdown the dearest `limit`, and how many there are."""
    return {
        "from": time_text(report.from_s),
        "until": time_text(report.until_s),
        "bucket": report.bucket,
        "totals": totals_answer(report.totals),
        "series": [
            {"start": time_text(start), **totals_answer(each)} for start, each in report.series.items()
        ],
        "by_user": _named("user_id", report.by_user, limit),
        "by_model": _named("model", report.by_model, limit),
        "by_provider": _named("provider", report.by_provider, limit),
        "users": len(report.by_user),
        "models": len(report.by_model),
    }


def record_answer(record: UsageRecord) -> dict[str, Any]:
    """Return a usage record."""
    return {
        "request_id": record.request_id,
        "started_at": time_text(record.started_ms // 1_000),
        "started_ms": record.started_ms,
        "kind": record.kind,
        "status": record.status,
        "user_id": record.user_id,
        "provider": record.provider,
        "model_asked": record.model_asked,
        "model_used": record.model_used,
        "cost_usd": dollars(record.cost),
        "uncollected_usd": dollars(record.uncollected),
        **{name: getattr(record.counts, name) for name in _COUNTS},
        "duration_ms": record.duration_ms,
        "first_token_ms": record.first_token_ms,
        "stop_reason": record.stop_reason,
        "streamed": record.streamed,
        "estimated": record.estimated,
        "clamped": record.clamped,
        "cut": record.cut,
        "price_source": record.price_source,
        "window": record.window_kind,
        "window_start": time_text(record.window_start_s),
        "actor": record.actor,
        "reason": record.reason,
    }


def audit_answer(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry of the audit log."""
    return {
        "entry_id": entry.entry_id,
        "at": time_text(entry.at_ms / 1_000),
        "actor": entry.actor,
        "via": entry.via,
        "action": entry.action,
        "project_id": entry.project_id,
        "target": entry.target,
        "details": dict(entry.details),
        "outcome": entry.outcome,
        "reason": entry.reason,
    }


def _named(what: str, named: Mapping[str, Totals], limit: int) -> list[dict[str, Any]]:
    return [{what: name, **totals_answer(totals)} for name, totals in list(named.items())[:limit]]


def _microusd(amount: int | None) -> str | None:
    return None if amount is None else dollars(amount * 1_000)
