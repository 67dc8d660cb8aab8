"""Alerts are lines of the log, and on AWS events beside them; nothing that goes wrong there is raised."""

import asyncio
import json
import logging
import threading
from typing import Any

import botocore.session
import pytest
from botocore.stub import ANY, Stubber

from channeling.alert_door import EventBridgeAlerts, LoggedAlerts, alert_fields
from channeling.budgets.alert import BudgetAlert
from channeling.budgets.item import BudgetKey
from channeling.json_logs import JsonFormatter

DOLLAR = 1_000_000_000
HALF = BudgetAlert(
    BudgetKey("shop", "<b>ana\N{GRINNING FACE}", "day"),
    1_796_083_200,
    1_796_169_600,
    50,
    5 * DOLLAR,
    2_600_000_000,
)
MOST = BudgetAlert(HALF.key, HALF.window_start_s, HALF.window_end_s, 80, 5 * DOLLAR, 4 * DOLLAR)
FIELDS = {
    "alert_id": HALF.alert_id,
    "project_id": "shop",
    "user_id": "<b>ana\N{GRINNING FACE}",
    "window": "day",
    "window_start": "2026-12-01T00:00:00Z",
    "window_end": "2026-12-02T00:00:00Z",
    "percent": 50,
    "limit_usd": "5",
    "settled_usd": "2.6",
}


def client() -> Any:
    session = botocore.session.Session()
    session.set_credentials("key", "secret")
    return session.create_client("events", region_name="eu-central-1")


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(JsonFormatter().format(record)) for record in caplog.records]


async def test_a_line_says_who_has_come_to_what(caplog: pytest.LogCaptureFixture) -> None:
    await LoggedAlerts().tell([HALF, MOST])
    first, second = lines(caplog)
    assert first.items() >= {**FIELDS, "message": "budget mark reached", "level": "WARNING"}.items()
    assert (second["percent"], second["settled_usd"]) == (80, "4")


async def test_an_event_has_the_same_as_its_detail(caplog: pytest.LogCaptureFixture) -> None:
    """As EventBridge's own model takes it: botocore refuses an entry that is shaped otherwise."""
    events = client()
    entry = {
        "Source": "channeling",
        "DetailType": "Budget mark reached",
        "Detail": ANY,
        "EventBusName": "ops",
    }
    sent: list[dict[str, Any]] = []
    events.meta.events.register(
        "provide-client-params.*.*", lambda params, **_: sent.extend(params["Entries"])
    )
    with Stubber(events) as stub:
        answer = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}, {"EventId": "2"}]}
        stub.add_response("put_events", answer, {"Entries": [entry, entry]})
        await EventBridgeAlerts(lambda: events, "ops").tell([HALF, MOST])
        stub.assert_no_pending_responses()
    assert [json.loads(one["Detail"]) for one in sent] == [FIELDS, alert_fields(MOST)]
    assert [line["level"] for line in lines(caplog)] == ["WARNING", "WARNING"]


async def test_an_entry_that_fails_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    events = client()
    with Stubber(events) as stub:
        answer = {"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, {"ErrorCode": "InternalFailure"}]}
        stub.add_response("put_events", answer, {"Entries": [ANY, ANY]})
        await EventBridgeAlerts(lambda: events, "ops").tell([HALF, MOST])
    [failed] = [line for line in lines(caplog) if line["level"] == "ERROR"]
    assert (failed["percent"], failed["reason"]) == (80, "InternalFailure")


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ThrottlingException", "ResourceNotFoundException"]
)
async def test_a_refusal_is_in_the_log_and_goes_no_further(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    events = client()
    with Stubber(events) as stub:
        stub.add_client_error("put_events", code)
        await EventBridgeAlerts(lambda: events, "ops").tell([HALF])
    [failed] = [line for line in lines(caplog) if line["level"] == "ERROR"]
    assert code in failed["reason"]


async def test_a_client_that_cannot_be_made_is_no_more_harm(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise OSError("no credentials")

    await EventBridgeAlerts(broken, "ops").tell([HALF])
    assert "no credentials" in lines(caplog)[-1]["reason"]


async def test_a_bus_that_does_not_answer_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    over = threading.Event()

    class Silent:
        def put_events(self, **_: Any) -> Any:
            over.wait(10)
            return {"Entries": []}

    try:
        await asyncio.wait_for(EventBridgeAlerts(Silent, "ops", timeout_s=0.05).tell([HALF]), 5)
    finally:
        over.set()
    assert lines(caplog)[-1]["reason"] == "no answer in 0.05 seconds"


async def test_the_client_is_made_once_and_only_when_needed() -> None:
    made: list[int] = []

    class Events:
        def __init__(self) -> None:
            made.append(1)

        def put_events(self, Entries: list[Any]) -> Any:
            return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in Entries]}

    door = EventBridgeAlerts(Events, "ops")
    assert made == []
    await door.tell([HALF])
    await door.tell([MOST])
    assert made == [1]


@pytest.fixture(autouse=True)
def all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="channeling")
