"""Alerts are lines of the log, and on AWS events beside them; nothing that goes wrong there is raised."""

import asyncio
import json
import logging
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from channeling.alert_door import CAP_EVENT_TYPE, EventBridgeAlerts, LoggedAlerts, alert_fields
from channeling.aws.credentials import Credentials, FixedCredentials
from channeling.aws.endpoints import EVENTBRIDGE, endpoint_at
from channeling.aws.errors import CredentialsUnavailable
from channeling.aws.json_client import JsonClient
from channeling.budgets.alert import BudgetAlert
from channeling.budgets.item import BudgetKey
from channeling.json_logs import JsonFormatter
from channeling.projects.cap_alert import CapAlert
from tests.stand_ins.aws_transport import Answer, Broken, ScriptedTransport, Sent, answer, error
from tests.stand_ins.clock import SetClock

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


def door(*script: Answer | Exception, **options: Any) -> tuple[EventBridgeAlerts, ScriptedTransport]:
    """The door over an EventBridge whose answers are set; it is tried once."""
    transport = ScriptedTransport(script)
    client = JsonClient(
        endpoint_at(EVENTBRIDGE, "http://127.0.0.1:1", "eu-central-1"),
        FixedCredentials(Credentials("key", "secret")),
        transport,
        SetClock(),
        attempts=1,
    )
    return EventBridgeAlerts(client, "ops", **options), transport


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(JsonFormatter().format(record)) for record in caplog.records]


async def test_a_line_says_who_has_come_to_what(caplog: pytest.LogCaptureFixture) -> None:
    await LoggedAlerts().tell([HALF, MOST])
    first, second = lines(caplog)
    assert first.items() >= {**FIELDS, "message": "budget mark reached", "level": "WARNING"}.items()
    assert (second["percent"], second["settled_usd"]) == (80, "4")


async def test_an_event_has_the_same_as_its_detail(caplog: pytest.LogCaptureFixture) -> None:
    """In the shape that EventBridge's own model has, as botocore ships it."""
    alerts, transport = door(answer({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}, {"EventId": "2"}]}))
    await alerts.tell([HALF, MOST])
    [sent] = transport.sent
    assert sent.headers["x-amz-target"] == "AWSEvents.PutEvents"
    arguments = json.loads(sent.body)
    model = botocore.session.get_session().get_service_model("events").operation_model("PutEvents")
    assert not ParamValidator().validate(arguments, model.input_shape).has_errors()
    assert [json.loads(entry.pop("Detail")) for entry in arguments["Entries"]] == [FIELDS, alert_fields(MOST)]
    entry = {"Source": "channeling", "DetailType": "Budget mark reached", "EventBusName": "ops"}
    assert arguments == {"Entries": [entry, entry]}
    assert [line["level"] for line in lines(caplog)] == ["WARNING", "WARNING"]


async def test_an_entry_that_fails_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    entries = [{"EventId": "1"}, {"ErrorCode": "InternalFailure"}]
    alerts, _ = door(answer({"FailedEntryCount": 1, "Entries": entries}))
    await alerts.tell([HALF, MOST])
    [failed] = [line for line in lines(caplog) if line["level"] == "ERROR"]
    assert (failed["percent"], failed["reason"]) == (80, "InternalFailure")


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (error("AccessDeniedException"), "AccessDeniedException"),
        (error("ThrottlingException"), "ThrottlingException"),
        (error("ResourceNotFoundException"), "ResourceNotFoundException"),
        (Broken(), "did not answer"),
        (answer([]), "TypeError"),
        (answer({}), "Entries"),
    ],
)
async def test_a_failure_is_in_the_log_and_goes_no_further(
    failure: Answer | Exception, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    alerts, _ = door(failure)
    await alerts.tell([HALF])
    [failed] = [line for line in lines(caplog) if line["level"] == "ERROR"]
    assert reason in failed["reason"]


async def test_credentials_that_cannot_be_had_are_no_more_harm(caplog: pytest.LogCaptureFixture) -> None:
    class Nobody(FixedCredentials):
        async def current(self) -> Credentials:
            raise CredentialsUnavailable("no credentials")

    client = JsonClient(
        endpoint_at(EVENTBRIDGE, "http://127.0.0.1:1", "eu-central-1"),
        Nobody(Credentials("key", "secret")),
        ScriptedTransport([]),
        SetClock(),
    )
    await EventBridgeAlerts(client, "ops").tell([HALF])
    assert "no credentials" in lines(caplog)[-1]["reason"]


async def test_a_bus_that_does_not_answer_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    async def never(_: Sent) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    transport = ScriptedTransport(never)
    client = JsonClient(
        endpoint_at(EVENTBRIDGE, "http://127.0.0.1:1", "eu-central-1"),
        FixedCredentials(Credentials("key", "secret")),
        transport,
        SetClock(),
    )
    await asyncio.wait_for(EventBridgeAlerts(client, "ops", timeout_s=0.05).tell([HALF]), 60)
    assert len(transport.sent) == 1
    assert lines(caplog)[-1]["reason"] == "no answer in 0.05 seconds"


@pytest.fixture(autouse=True)
def all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="channeling")


async def test_a_spend_cap_is_an_event_of_its_own_type() -> None:
    alerts, transport = door(answer({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}))
    cap = CapAlert("shop", 1_796_083_200, 1_798_761_600, 500 * DOLLAR, 501 * DOLLAR)
    await alerts.tell([cap])
    [entry] = json.loads(transport.sent[0].body)["Entries"]
    assert entry["DetailType"] == CAP_EVENT_TYPE
    assert json.loads(entry["Detail"]) == {
        "alert_id": cap.alert_id,
        "project_id": "shop",
        "month_start": "2026-12-01T00:00:00Z",
        "month_end": "2027-01-01T00:00:00Z",
        "cap_usd": "500",
        "spent_usd": "501",
    }
