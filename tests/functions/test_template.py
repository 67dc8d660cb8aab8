"""template.yaml, the layers' locks and the events say what the code says: tables, variables, rights, packages."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from channeling.alert_door import EVENT_SOURCE
from channeling.auth.admin_token import MIN_SECRET_CHARACTERS
from channeling.projects.month_spend import MonthSpend, month_spend_attributes
from channeling.reconcile.scheduled import ONLY_PROJECTS
from channeling.settings import Settings
from channeling.tables import TableNames, create_table_arguments
from channeling.usage import rollup_progress
from channeling.usage.period_totals import PROGRESS_PARTITION
from channeling.usage.record import record_key
from channeling.usage.rollup import rollup_pk
from emulator.artifact import FUNCTION, LAYERS
from lambda_asgi.scope import LambdaContext, http_request
from tests.functions.cloudformation_yaml import read_template

ROOT = Path(__file__).parents[2]
EVENTS = sorted(
    path for path in (ROOT / "events").glob("*.json") if path.name not in ("env.json", "reconcile.json")
)
TEMPLATE = read_template(ROOT / "template.yaml")
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
TABLES = {"ProjectsTable": "projects", "BudgetsTable": "budgets", "UsageTable": "usage"}
FUNCTION_PROPERTIES = RESOURCES[FUNCTION]["Properties"]
EVENT_BUS = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"
VARIABLES: dict[str, Any] = FUNCTION_PROPERTIES["Environment"]["Variables"]

MONTH_SPEND = tuple(month_spend_attributes(MonthSpend(0, 0, 0, 0, 0, 0)))

RECONCILE: dict[str, Any] = RESOURCES["ReconcileFunction"]["Properties"]


def _sorted(attributes: list[dict[str, str]]) -> list[dict[str, str]]:
    return sorted(attributes, key=lambda attribute: attribute["AttributeName"])


@pytest.mark.parametrize(("resource", "name"), TABLES.items())
def test_each_table_is_the_one_that_the_code_uses(resource: str, name: str) -> None:
    [expected] = [
        arguments
        for arguments in create_table_arguments(TableNames("projects", "budgets", "usage"))
        if arguments.pop("TableName") == name
    ]
    properties = RESOURCES[resource]["Properties"]
    assert _sorted(properties["AttributeDefinitions"]) == _sorted(expected.pop("AttributeDefinitions"))
    expected.pop("AttributeDefinitions", None)
    assert {key: properties.get(key) for key in expected} == expected
    assert ("GlobalSecondaryIndexes" in properties) == ("GlobalSecondaryIndexes" in expected)


@pytest.mark.parametrize("resource", TABLES)
def test_no_table_is_lost_by_mistake(resource: str) -> None:
    table = RESOURCES[resource]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert table["Properties"]["DeletionProtectionEnabled"] is True
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["Properties"]["SSESpecification"] == {"SSEEnabled": True}


def test_only_usage_records_expire() -> None:
    times_to_live = {name: RESOURCES[name]["Properties"].get("TimeToLiveSpecification") for name in TABLES}
    assert times_to_live == {
        "ProjectsTable": None,
        "BudgetsTable": None,
        "UsageTable": {"AttributeName": "expires_at", "Enabled": True},
    }


def test_the_key_rotates_and_stays() -> None:
    key = RESOURCES["SecretsKey"]
    assert key["Properties"]["EnableKeyRotation"] is True
    assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_the_functions_variables_are_settings_and_fit_lambda() -> None:
    resolved = {
        name: value
        if isinstance(value, str)
        else TEMPLATE["Parameters"].get(value.get("Ref"), {}).get("Default", name)
        for name, value in VARIABLES.items()
    }
    settings = Settings.from_environ(resolved)
    assert settings.kms_key_id == "CHANNELING_KMS_KEY_ID"
    assert settings.max_request_s == FUNCTION_PROPERTIES["Timeout"] == 900
    assert settings.max_body_bytes == 6 * 2**20
    assert EVENT_BUS.endswith(f"event-bus/{settings.alert_event_bus}")
    assert VARIABLES["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/bootstrap"
    # What a variable of the template is not known by would be lost without a word.
    documented = (ROOT / "shared/channeling/settings.py").read_text()
    known = set(re.findall(r"CHANNELING_[A-Z_]+", documented))
    assert {name for name in VARIABLES if name.startswith("CHANNELING_")} <= known


def test_the_function_streams_and_is_public() -> None:
    assert FUNCTION_PROPERTIES["FunctionUrlConfig"] == {"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"}
    assert FUNCTION_PROPERTIES["Runtime"] == "python3.13"
    assert FUNCTION_PROPERTIES["Handler"] == "app.app"
    assert [layer["Ref"] for layer in FUNCTION_PROPERTIES["Layers"]] == list(LAYERS)


def _rights(role: str) -> list[tuple[str, str | list[str], dict[str, Any] | None]]:
    tracing, policy = RESOURCES[role]["Properties"]["Policies"]
    assert tracing["Fn::If"][0] == "Traces"
    return [
        (_named(statement["Resource"]), statement["Action"], statement.get("Condition"))
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def _named(resource: dict[str, Any]) -> str:
    [(function, value)] = resource.items()
    return str(value[0] if function == "Fn::GetAtt" else value)


def _items_named(*partitions: str) -> dict[str, Any]:
    return {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(partitions)}}


def test_the_function_may_do_what_a_request_needs_and_no_more() -> None:
    own_blobs = {"Null": {"kms:EncryptionContext:project": "false"}}
    assert _rights("MessagesRole") == [
        ("MessagesLogGroup", ["logs:CreateLogStream", "logs:PutLogEvents"], None),
        ("ProjectsTable", "dynamodb:Query", None),
        ("BudgetsTable", ["dynamodb:GetItem", "dynamodb:UpdateItem"], None),
        ("UsageTable", "dynamodb:PutItem", None),
        ("UsageTable", "dynamodb:UpdateItem", _items_named("dirty#?")),
        ("UsageTable", "dynamodb:GetItem", _items_named("rollups", "dirty#?")),
        ("UsageTable", "dynamodb:Query", None),
        (EVENT_BUS, "events:PutEvents", {"StringEquals": {"events:source": EVENT_SOURCE}}),
        ("SecretsKey", "kms:Decrypt", own_blobs),
    ]


def test_reconciling_is_scheduled_and_gives_holds_the_time_that_requests_get() -> None:
    assert RECONCILE["Events"] == {
        "EveryFiveMinutes": {"Type": "Schedule", "Properties": {"Schedule": "rate(5 minutes)"}},
        "EveryMinute": {
            "Type": "Schedule",
            "Properties": {"Schedule": "rate(1 minute)", "Input": json.dumps({"only": ONLY_PROJECTS})},
        },
    }
    variables = RECONCILE["Environment"]["Variables"]
    assert variables.items() <= VARIABLES.items()
    assert Settings.from_environ({name: str(value) for name, value in variables.items()}).max_request_s == 900
    # Two runs at once are harmless, and no use: each ends before the next begins.
    assert RECONCILE["Timeout"] < 5 * 60


def test_the_reconcile_function_may_do_what_it_does_and_no_more() -> None:
    assert _rights("ReconcileRole") == [
        ("ReconcileLogGroup", ["logs:CreateLogStream", "logs:PutLogEvents"], None),
        ("BudgetsTable", ["dynamodb:Scan", "dynamodb:GetItem", "dynamodb:UpdateItem"], None),
        ("UsageTable", "dynamodb:PutItem", None),
        ("UsageTable", ["dynamodb:GetItem", "dynamodb:Query"], None),
        (
            "UsageTable",
            "dynamodb:UpdateItem",
            _items_named("*#rollup#*", "rollups", "*#totals#*", "totals", "dirty#?", "remade#?"),
        ),
        ("ProjectsTable", ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"], None),
        (
            "ProjectsTable",
            "dynamodb:UpdateItem",
            {"ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", *MONTH_SPEND, "told"]}},
        ),
        (EVENT_BUS, "events:PutEvents", {"StringEquals": {"events:source": EVENT_SOURCE}}),
        ("ProjectsTable", "dynamodb:DeleteItem", None),
        ("FailedRunsQueue", "sqs:SendMessage", None),
    ]


def test_the_admin_function_may_do_what_operators_do_and_no_more() -> None:
    own_blobs = {"Null": {"kms:EncryptionContext:project": "false"}}
    assert _rights("AdminRole") == [
        ("AdminLogGroup", ["logs:CreateLogStream", "logs:PutLogEvents"], None),
        ("ProjectsTable", ["dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem"], None),
        ("ProjectsTable", "dynamodb:DeleteItem", None),
        ("BudgetsTable", ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"], None),
        ("UsageTable", ["dynamodb:GetItem", "dynamodb:Query"], None),
        ("UsageTable", "dynamodb:PutItem", None),
        ("UsageTable", "dynamodb:UpdateItem", _items_named("dirty#?")),
        ("SecretsKey", ["kms:Encrypt", "kms:Decrypt"], own_blobs),
        ("AdminSecret", "secretsmanager:GetSecretValue", None),
    ]


def test_the_admin_function_is_the_handler_that_there_is_and_its_secret_is_made_by_aws() -> None:
    admin = RESOURCES["AdminFunction"]["Properties"]
    assert (admin["CodeUri"], admin["Handler"]) == ("functions/admin", "app.app")
    # Exports are streamed.
    assert admin["FunctionUrlConfig"] == {"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"}
    assert [layer["Ref"] for layer in admin["Layers"]] == [
        "RuntimeLayer",
        "AdminDependenciesLayer",
        "CoreLayer",
        "AdminLayer",
    ]
    variables: dict[str, Any] = dict(admin["Environment"]["Variables"])
    assert variables.pop("AWS_LAMBDA_EXEC_WRAPPER") == "/opt/bootstrap"
    assert variables["CHANNELING_ADMIN_SECRET_ID"] == {"Ref": "AdminSecret"}
    documented = (ROOT / "shared/channeling/settings.py").read_text()
    documented += (ROOT / "shared/channeling_admin/function.py").read_text()
    assert set(variables) <= set(re.findall(r"CHANNELING_[A-Z_]+", documented))
    secret = RESOURCES["AdminSecret"]["Properties"]["GenerateSecretString"]
    assert secret["PasswordLength"] >= MIN_SECRET_CHARACTERS


def test_no_right_to_change_items_reaches_a_record() -> None:
    record = record_key("dirty", "rollups", "day", "tozsg0uv183t4b", 1_795_499_712)
    partition = record.partition
    changed = {
        "MessagesRole": ["dirty#0"],
        "AdminRole": ["dirty#0"],
        "ReconcileRole": [
            "dirty#0",
            "remade#0",
            rollup_pk(partition),
            rollup_progress.PARTITION,
            "shop#totals#day",
            PROGRESS_PARTITION,
        ],
    }
    for role, own in changed.items():
        [patterns] = [
            condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
            for table, action, condition in _rights(role)
            if (table, action) == ("UsageTable", "dynamodb:UpdateItem") and condition
        ]
        assert not any(fnmatchcase(record.pk, pattern) for pattern in patterns)
        assert all(any(fnmatchcase(pk, pattern) for pattern in patterns) for pk in own)


def test_every_parameter_can_be_left_out_and_is_explained() -> None:
    for name, parameter in TEMPLATE["Parameters"].items():
        assert parameter["Description"].endswith("."), name
        assert "Default" in parameter, name
        assert {"AllowedValues", "AllowedPattern", "MinValue"} & set(parameter), name
    assert TEMPLATE["Parameters"]["Architecture"]["Default"] == "arm64"


def test_the_outputs_are_those_that_the_command_line_reads() -> None:
    of_the_messages_api = {"MessagesUrl", "ProjectsTable", "BudgetsTable", "UsageTable", "KeyId"}
    to_be_pasted = {"ClientSettings", "Check", "DomainTarget", "DashboardUrl"}
    assert set(TEMPLATE["Outputs"]) == of_the_messages_api | {"AdminUrl", "AdminSecretId"} | to_be_pasted


def _pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9_.-]+)==([^ ;]+)", lock.read_text(), re.MULTILINE))


def test_the_admin_function_gets_the_versions_that_are_tested_here() -> None:
    lock = ROOT / "layers/admin-deps/requirements.txt"
    pins = _pins(lock)
    assert {"fastapi", "httptools", "certifi", "orjson", "botocore", "pydantic"} <= set(pins)
    assert not {"boto3", "cryptography", "uvicorn", "typer", "rich"} & set(pins)
    assert pins.items() <= _pins(ROOT / "requirements/dev.lock").items()
    assert lock.read_text().count("==") == len(pins)
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=[a-z])", lock.read_text()))


def test_lambda_gets_the_versions_that_are_tested_here_and_only_what_it_needs() -> None:
    lock = ROOT / "layers/messages-deps/requirements.txt"
    pins, tested = _pins(lock), _pins(ROOT / "requirements/run.lock")
    assert {"starlette", "httptools", "certifi", "orjson", "msgspec"} <= set(pins)
    forbidden = {"boto3", "botocore", "cryptography", "fastapi", "genai-prices", "httpx", "pydantic", "rich"}
    assert not forbidden & set(pins)
    assert pins.items() <= tested.items()
    assert lock.read_text().count("==") == len(pins)
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=[a-z])", lock.read_text()))


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_each_event_is_one_that_a_function_url_sends(path: Path) -> None:
    event = json.loads(path.read_text())
    request = http_request(path.read_bytes(), LambdaContext("id", 1, "arn", None), {})
    assert request.scope["path"] == event["requestContext"]["http"]["path"]
    headers = dict(request.scope["headers"])
    assert headers[b"host"].decode() == event["requestContext"]["domainName"]
    assert int(headers.get(b"content-length", b"0")) == len(request.body)
    assert headers[b"user-agent"].decode() == event["requestContext"]["http"]["userAgent"]
    context = event["requestContext"]
    assert {
        "accountId",
        "apiId",
        "domainPrefix",
        "requestId",
        "routeKey",
        "stage",
        "time",
        "timeEpoch",
    } <= set(context)


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_no_event_holds_a_usable_token(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"eyJ[\w-]+\.|sk-|hk_live_|AKIA", text)
    credentials = [
        value for name, value in json.loads(text)["headers"].items() if name in ("x-api-key", "authorization")
    ]
    assert credentials in ([], ["{{TOKEN}}"], ["Bearer {{TOKEN}}"])


def test_the_variables_for_sam_local_are_the_functions() -> None:
    # `sam local invoke` takes no notice of a variable that the template does not name.
    overrides = json.loads((ROOT / "events/env.json").read_text())
    assert set(overrides) == {FUNCTION}
    assert set(overrides[FUNCTION]) <= set(VARIABLES)
