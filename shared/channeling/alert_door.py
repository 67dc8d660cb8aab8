"""The door through which marks of budgets, and spend caps, are told: a line in the log, on AWS an event beside it.

It never raises and takes a few seconds at most: whoever asked for an answer has it already, or is not to wait.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any, Protocol

from channeling.aws.clients import AwsClients
from channeling.aws.endpoints import EVENTBRIDGE
from channeling.aws.json_client import JsonClient
from channeling.budget_answer import iso_time
from channeling.budgets.alert import BudgetAlert
from channeling.money import dollars
from channeling.projects.cap_alert import CapAlert

EVENT_SOURCE = "channeling"
EVENT_TYPE = "Budget mark reached"
CAP_EVENT_TYPE = "Project spend cap reached"
TIMEOUT_S = 4.0

_log = logging.getLogger("channeling.alerts")


Alert = BudgetAlert | CapAlert


class AlertDoor(Protocol):
    """Where alerts go."""

    async def tell(self, alerts: Sequence[Alert]) -> None:
        """Tell of marks that were passed and caps that were reached; a failure is in the log alone."""


class LoggedAlerts:
    """Alerts as lines of the log."""

    async def tell(self, alerts: Sequence[Alert]) -> None:
        for alert in alerts:
            _log.warning(_event_type(alert).lower(), extra={"fields": alert_fields(alert)})


class EventBridgeAlerts:
    """Alerts as lines of the log and as events on an EventBridge bus.

    Source: EventBridge API Reference, PutEvents (an answer of 200 may still say that entries failed).
    """

    def __init__(self, client: JsonClient, bus: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._client = client
        self._bus = bus
        self._timeout_s = timeout_s
        self._logged = LoggedAlerts()

    async def tell(self, alerts: Sequence[Alert]) -> None:
        await self._logged.tell(alerts)
        fields = [alert_fields(alert) for alert in alerts]
        entries = [
            {
                "Source": EVENT_SOURCE,
                "DetailType": _event_type(alert),
                "Detail": json.dumps(detail),
                "EventBusName": self._bus,
            }
            for alert, detail in zip(alerts, fields, strict=True)
        ]
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._client.call("PutEvents", json.dumps({"Entries": entries}).encode())
            reasons = [str(result.get("ErrorCode", "")) for result in answer["Entries"]]
        except TimeoutError:
            reasons = [f"no answer in {self._timeout_s:g} seconds"] * len(entries)
        except Exception as error:  # whatever it is, the request that passed the mark is not to suffer
            reasons = [repr(error)] * len(entries)
        for detail, reason in zip(fields, reasons, strict=False):
            if reason:
                _log.error("a budget event was not sent", extra={"fields": {**detail, "reason": reason}})


def event_bus_alerts(aws: AwsClients, bus: str | None) -> AlertDoor:
    """Return the door of a deployment: to this EventBridge bus, or without one to the log alone."""
    if bus is None:
        return LoggedAlerts()
    # All of it within the time that the door gives it.
    return EventBridgeAlerts(aws.client(EVENTBRIDGE, attempts=2, read_timeout_s=1.0), bus)


def _event_type(alert: Alert) -> str:
    return EVENT_TYPE if isinstance(alert, BudgetAlert) else CAP_EVENT_TYPE


def alert_fields(alert: Alert) -> dict[str, Any]:
    """Return an alert as the detail of an event and the fields of a log line: dollars as text, times ISO 8601."""
    if isinstance(alert, CapAlert):
        return {
            "alert_id": alert.alert_id,
            "project_id": alert.project_id,
            "month_start": iso_time(alert.start_s),
            "month_end": iso_time(alert.end_s),
            "cap_usd": dollars(alert.cap),
            "spent_usd": dollars(alert.spent),
        }
    return {
        "alert_id": alert.alert_id,
        "project_id": alert.key.project_id,
        "user_id": alert.key.user_id,
        "window": alert.key.kind,
        "window_start": iso_time(alert.window_start_s),
        "window_end": iso_time(alert.window_end_s),
        "percent": alert.percent,
        "limit_usd": dollars(alert.limit),
        "settled_usd": dollars(alert.settled),
    }
