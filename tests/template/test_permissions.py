"""Each function's role allows every call that the function makes, and no kind of call that it does not make.

The functions are started with the variables that the template gives them, on tables that CloudFormation (moto's)
made of the template; what they ask of AWS is read from the wire.
"""

import gc
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from channeling.app import create_app_from_environment
from channeling.auth.admin_token import mint_admin_token
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.windows import tile
from channeling.projects.month_spend import SPEND_SORT_KEY, MonthSpend, month_spend_attributes
from channeling.reconcile.scheduled import scheduled_handler
from channeling.tables import TableNames, create_table_arguments
from channeling_admin.function import admin_app
from channeling_cli.embedded_dynamodb import start_embedded_dynamodb
from tests.stand_ins.anthropic_script import Script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.template.deployed_stack import STACK, TEMPLATE, DeployedStack, deploy
from tests.template.recording_aws import AwsCall, RecordingAws, calls_in
from tests.template.role import Statement, statements_of

MODEL = "claude-sonnet-4-5"
PROJECT = "shop"
ROLES = {"messages": "MessagesRole", "reconcile": "ReconcileRole", "admin": "AdminRole"}
# What Lambda itself does with a role, and no code of the function's.
LAMBDAS_OWN = {"WriteOwnLogs", "KeepFailedRuns"}

Calls = dict[str, list[AwsCall]]


@dataclass
class Lived:
    """What each function asked of AWS and wrote on standard output."""

    calls: Calls
    written: dict[str, str]


@pytest.fixture(scope="module")
def stack() -> Iterator[DeployedStack]:
    """A stack with an AWS of its own, whose tables nobody else sees."""
    store = start_embedded_dynamodb()
    yield deploy(store)
    store.close()


@pytest.fixture(scope="module")
def lived(stack: DeployedStack) -> Lived:
    """What the functions did in a life with most of what can happen in one."""
    with AnthropicUpstream() as upstream, warnings.catch_warnings():
        # Nobody closes the connections of a function on Lambda: they end with its process.
        warnings.simplefilter("ignore", ResourceWarning)
        upstream.script = Script(usage={"input_tokens": 1_000}, final_usage={"output_tokens": 40_000})
        life = _Life(stack, upstream.base_url)
        life.operators_begin()
        life.users_ask()
        life.users_leave_holds_behind()
        life.operators_go_on()
        life.reconciler_runs()
        life.end()
        gc.collect()
    return Lived(life.calls, {name: output.getvalue() for name, output in life.written.items()})


@pytest.fixture
def calls(lived: Lived) -> Calls:
    return lived.calls


class _Life:
    """What happens in a deployment, in order; each function's calls are kept apart."""

    def __init__(self, stack: DeployedStack, upstream_url: str) -> None:
        self.calls: Calls = {name: [] for name in ROLES}
        self.written = {name: StringIO() for name in ROLES}
        self._stack = stack
        self._client: Any = stack.store.client()
        self._upstream_url = upstream_url
        self._admin_token = mint_admin_token(name="olga", secret="s" * 64, now_s=time.time())

    def operators_begin(self) -> None:
        with self._admin() as ask:
            ask("POST", "/api/projects", {"project_id": PROJECT, "monthly_cap_usd": "100"})
            ask("PUT", f"/api/projects/{PROJECT}/keys/anthropic", {"key": "sk-ant-of-the-project"})
            ask("POST", "/api/projects", {"project_id": "old"})
            ask("DELETE", "/api/projects/old?grace_days=0")
            self._token = ask(
                "POST", f"/api/projects/{PROJECT}/tokens", {"user_id": "ana", "budget_usd": "1"}
            )["token"]

    def users_ask(self) -> None:
        with self._messages() as client:
            for stream in (False, True):
                assert _post(client, stream=stream).status_code == 200
            assert client.get("/v1/budget").status_code == 200
            assert client.get("/v1/usage").status_code == 200
            assert client.get("/v1/models").status_code == 200

    def users_leave_holds_behind(self) -> None:
        """A request that died three hours ago is ended by the next of its user's."""
        self._leave_hold("ana")
        with self._messages() as client:
            _post(client, stream=True)

    def operators_go_on(self) -> None:
        user = f"/api/projects/{PROJECT}/user"
        price = {"model": MODEL, "provider": "anthropic", "input": "3", "output": "15"}
        why = {"reason": "a test"}
        on_day = why | {"window": "day"}
        # An hour: without a time, a month is looked at in thousands of reads.
        now = datetime.now(UTC)
        time_range = urlencode({"from": (now - timedelta(hours=1)).isoformat(), "until": now.isoformat()})
        self._leave_adjustment("ana")
        with self._admin() as ask:
            ask("GET", "/api/session")
            ask("GET", "/api/projects")
            ask("GET", f"/api/projects/{PROJECT}")
            ask("PATCH", f"/api/projects/{PROJECT}", {"name": "Shop"})
            for prices in ("/api/prices", f"/api/projects/{PROJECT}/prices"):
                made = ask("PUT", prices, price)
                ask("GET", prices)
                ask("DELETE", f"{prices}/{made['price_id']}")
            added = ask("POST", f"/api/projects/{PROJECT}/secrets")
            ask("GET", f"/api/projects/{PROJECT}/secrets")
            ask("DELETE", f"/api/projects/{PROJECT}/secrets/{added['fingerprint']}")
            ask("GET", f"/api/projects/{PROJECT}/users?{time_range}")
            ask("GET", f"{user}?user=ana&{time_range}")
            ask("POST", f"{user}/adjust?user=ana", on_day | {"credit_usd": "0.1"})
            ask("POST", f"{user}/raise?user=ana", on_day | {"amount_usd": "5"})
            ask("POST", f"{user}/reset?user=ana", on_day)
            ask("POST", f"{user}/revoke?user=ana", why)
            ask("GET", f"/api/projects/{PROJECT}/usage?{time_range}")
            ask("GET", f"/api/projects/{PROJECT}/records?{time_range}")
            ask("GET", f"/api/projects/{PROJECT}/export?format=csv&{time_range}")
            ask("GET", f"/api/projects/{PROJECT}/audit?{time_range}")
            ask("GET", f"/api/audit?{time_range}")
            ask("POST", f"/api/projects/{PROJECT}/keys/anthropic/test")
            ask("DELETE", f"/api/projects/{PROJECT}/keys/anthropic")

    def reconciler_runs(self) -> None:
        self._leave_hold("ana")
        self._leave_month_added_up()
        with self._recorded("reconcile", "ReconcileFunction") as environ:
            handler = scheduled_handler(environ)
            for event in ({}, {"only": "projects"}):
                handler(event, _Context())

    def end(self) -> None:
        self._client.close()

    @contextmanager
    def _recorded(self, name: str, function: str) -> Iterator[dict[str, str]]:
        with RecordingAws(self._stack.store.endpoint_url) as aws, pytest.MonkeyPatch.context() as patched:
            environ = self._stack.environ(function, aws.url)
            environ |= {"CHANNELING_ANTHROPIC_BASE_URL": self._upstream_url}
            for variable in [each for each in os.environ if each.startswith(("AWS_", "CHANNELING_"))]:
                patched.delenv(variable)
            for variable, value in environ.items():
                patched.setenv(variable, value)
            with redirect_stdout(self.written[name]):
                yield environ
            self.calls[name] += aws.calls

    @contextmanager
    def _messages(self) -> Iterator[TestClient]:
        with (
            self._recorded("messages", "MessagesFunction") as environ,
            TestClient(create_app_from_environment(environ), headers={"x-api-key": self._token}) as client,
        ):
            yield client

    @contextmanager
    def _admin(self) -> Iterator[Callable[..., Any]]:
        with self._recorded("admin", "AdminFunction") as environ:
            client = TestClient(admin_app(environ), base_url="https://admin.example")

            def ask(method: str, path: str, body: object = None) -> Any:
                headers = {"authorization": f"Bearer {self._admin_token}"}
                answer = client.request(method, path, json=body, headers=headers)
                assert answer.status_code < 300, (method, path, answer.text)
                is_json = answer.headers.get("content-type", "").startswith("application/json")
                return answer.json() if is_json and answer.content else None

            yield ask

    def _leave_hold(self, user: str) -> None:
        """Of a request that died three hours ago."""
        self._change_budget(
            user,
            "SET holds.#hold = :amount ADD committed :amount",
            {"#hold": _id_of_three_hours_ago()},
            {":amount": {"N": "1000"}},
        )

    def _leave_adjustment(self, user: str) -> None:
        """Of an operator whose process died three hours ago, before it was recorded."""
        budget = self._change_budget(user, "SET origin = origin", {}, {})
        stored = {
            "id": {"S": _id_of_three_hours_ago()},
            "amount": {"N": "-1000"},
            "window_start": budget["window_start"],
            "kind": {"S": "adjustment"},
            "actor": {"S": "oscar"},
            "reason": {"S": "a test"},
        }
        self._change_budget(user, "SET adjustment = :order", {}, {":order": {"M": stored}})

    def _leave_month_added_up(self) -> None:
        """So that the reconciler need not read each hour of it, and finds the project's cap reached."""
        now_s = int(time.time())
        month = tile("month", 0, now_s)
        spend = MonthSpend(month.start_s, month.end_s, 0, now_s * 1000, now_s // 3600 - 2, 200 * 10**9)
        item = {name: {"N": str(value)} for name, value in month_spend_attributes(spend).items()}
        self._client.put_item(
            TableName=self._stack.names["ProjectsTable"],
            Item={"pk": {"S": PROJECT}, "sk": {"S": SPEND_SORT_KEY}, **item},
        )

    def _change_budget(
        self, user: str, change: str, names: dict[str, str], values: dict[str, Any]
    ) -> dict[str, Any]:
        given = {"ExpressionAttributeNames": names} if names else {}
        changed: dict[str, Any] = self._client.update_item(
            TableName=self._stack.names["BudgetsTable"],
            Key={"pk": {"S": f"{PROJECT}#{user}"}, "sk": {"S": "day"}},
            UpdateExpression=change,
            ReturnValues="ALL_NEW",
            **given,
            **({"ExpressionAttributeValues": values} if values else {}),
        )["Attributes"]
        return changed


def _id_of_three_hours_ago() -> str:
    return new_hold_id(int(time.time()) - 3 * 3600, os.urandom)


class _Context:
    def get_remaining_time_in_millis(self) -> int:
        return 240_000


def _post(client: TestClient, *, stream: bool) -> Any:
    body = {
        "model": MODEL,
        "max_tokens": 64,
        "stream": stream,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    return client.post("/v1/messages", json=body)


def statements(stack: DeployedStack, function: str) -> list[Statement]:
    return statements_of(TEMPLATE["Resources"][ROLES[function]], stack.names)


@pytest.mark.parametrize("function", ROLES)
def test_nothing_is_missing(stack: DeployedStack, calls: Calls, function: str) -> None:
    allowed = statements(stack, function)
    refused = [call for call in calls[function] if not any(each.allows(call) for each in allowed)]
    assert refused == []
    assert len(calls[function]) > 10


@pytest.mark.parametrize("function", ROLES)
def test_nothing_is_there_for_nothing(stack: DeployedStack, calls: Calls, function: str) -> None:
    unused = {
        (each.sid, action)
        for each in statements(stack, function)
        for action in each.actions
        if each.sid not in LAMBDAS_OWN
        and not any(call.action == action and each.allows(call) for call in calls[function])
    }
    assert unused == set()


@pytest.mark.parametrize(
    ("function", "target", "body"),
    [
        ("messages", "DynamoDB_20120810.Query", {"TableName": "UsageTable", "IndexName": "by_user"}),
        (
            "messages",
            "DynamoDB_20120810.DeleteItem",
            {"TableName": "BudgetsTable", "Key": {"pk": {"S": "a"}}},
        ),
        (
            "messages",
            "DynamoDB_20120810.UpdateItem",
            {
                "TableName": "UsageTable",
                "Key": {"pk": {"S": "shop#498752#3"}},
                "UpdateExpression": "SET cost = :c",
            },
        ),
        (
            "reconcile",
            "DynamoDB_20120810.UpdateItem",
            {
                "TableName": "ProjectsTable",
                "Key": {"pk": {"S": "shop"}},
                "UpdateExpression": "SET #r = :r",
                "ExpressionAttributeNames": {"#r": "rules"},
            },
        ),
        (
            "admin",
            "DynamoDB_20120810.TransactWriteItems",
            {
                "TransactItems": [
                    {"Delete": {"TableName": "UsageTable", "Key": {"pk": {"S": "shop#498752#3"}}}}
                ]
            },
        ),
        ("messages", "TrentService.Decrypt", {"KeyId": "SecretsKey"}),
        (
            "messages",
            "TrentService.Encrypt",
            {"KeyId": "SecretsKey", "EncryptionContext": {"project": "shop"}},
        ),
        ("messages", "secretsmanager.GetSecretValue", {"SecretId": "AdminSecret"}),
        (
            "reconcile",
            "TrentService.Decrypt",
            {"KeyId": "SecretsKey", "EncryptionContext": {"project": "shop"}},
        ),
        (
            "messages",
            "AWSEvents.PutEvents",
            {"Entries": [{"EventBusName": "default", "Source": "aws.health"}]},
        ),
    ],
)
def test_what_no_function_does_is_refused(function: str, target: str, body: dict[str, Any]) -> None:
    names = {name: name for name in TEMPLATE["Resources"]}
    allowed = statements_of(TEMPLATE["Resources"][ROLES[function]], names)
    [call] = calls_in(target, body)
    assert not any(each.allows(call) for each in allowed)


def test_cloudformation_makes_the_tables_that_the_code_would_make(stack: DeployedStack) -> None:
    names = [stack.names[name] for name in ("ProjectsTable", "BudgetsTable", "UsageTable")]
    client = stack.store.client()
    try:
        for expected in create_table_arguments(TableNames(*names)):
            table = client.describe_table(TableName=expected["TableName"])["Table"]
            assert table["KeySchema"] == expected["KeySchema"]
            assert table["BillingModeSummary"]["BillingMode"] == expected["BillingMode"]
            assert table["DeletionProtectionEnabled"] is True
            made, wanted = (each.get("GlobalSecondaryIndexes", []) for each in (table, expected))
            assert [index["IndexName"] for index in made] == [index["IndexName"] for index in wanted]
    finally:
        client.close()


@pytest.mark.parametrize(
    ("function", "metrics"),
    [
        ("messages", {"Requests", "CostUsd", "UncollectedUsd", "Refusals", "ExpiredHolds"}),
        ("reconcile", {"ExpiredHolds"}),
    ],
)
def test_functions_write_their_metrics_under_the_stack_s_name(
    lived: Lived, function: str, metrics: set[str]
) -> None:
    lines = [json.loads(line) for line in lived.written[function].splitlines()]
    assert {line["Deployment"] for line in lines} == {STACK}
    assert metrics <= {name for line in lines for name in line}
