"""The door through which marks of budgets are told: a line in the log, and on AWS an event beside it.

It never raises and takes a few seconds at most: whoever asked for an answer has it already, or is not to wait.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any, Protocol

from channeling.aws.json_client import JsonClient
from channeling.budget_answer import iso_time
from channeling.budgets.alert import BudgetAlert
from channeling.money import dollars

EVENT_SOURCE = "channeling"
EVENT_TYPE = "Budget mark reached"
TIMEOUT_S = 4.0

_log = logging.getLogger("channeling.alerts")


class AlertDoor(Protocol):
    """Where alerts go."""

    async def tell(self, alerts: Sequence[BudgetAlert]) -> None:
        """Tell of marks that were passed; a failure is in the log alone."""


class LoggedAlerts:
    """Alerts as lines of the log."""

    async def tell(self, alerts: Sequence[BudgetAlert]) -> None:
        for alert in alerts:
            _log.warning("budget mark reached", extra={"fields": alert_fields(alert)})


class EventBridgeAlerts:
    """Alerts as lines of the log and as events on an EventBridge bus.

    Source: EventBridge API Reference, PutEvents (an answer of 200 may still say that entries failed).
    """

    def __init__(self, client: JsonClient, bus: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._client = client
        self._bus = bus
        self._timeout_s = timeout_s
        self._logged = LoggedAlerts()

    async def tell(self, alerts: Sequence[BudgetAlert]) -> None:
        await self._logged.tell(alerts)
        fields = [alert_fields(alert) for alert in alerts]
        entries = [
            {
                "Source": EVENT_SOURCE,
                "DetailType": EVENT_TYPE,
                "Detail": json.dumps(detail),
                "EventBusName": self._bus,
            }
            for detail in fields
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


def alert_fields(alert: BudgetAlert) -> dict[str, Any]:
    """Return an alert as the detail of an event and the fields of a log line: dollars as text, times ISO 8601."""
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
