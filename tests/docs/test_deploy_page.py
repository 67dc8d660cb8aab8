"""The pages about deploying, limits and security have the template's parameters, alarms, metrics and outputs, and
their commands are AWS's."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from channeling.errors import BudgetExceeded
from channeling.metrics import NAMESPACE, EmbeddedMetrics
from channeling.settings import Settings
from channeling.usage.record import UsageRecord, record_key
from tests.docs.pages import ROOT, blocks, commands
from tests.functions.cloudformation_yaml import read_template

DEPLOY, LIMITS, SECURITY = (ROOT / "docs" / f"{name}.md" for name in ("deploy", "limits", "security"))
TEXT = DEPLOY.read_text("utf-8")
TEMPLATE = read_template(ROOT / "template.yaml")
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


def rows(text: str, header: str) -> list[list[str]]:
    """Return the cells of the table under a header."""
    table = text.split(f"| {header} |", 1)[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_parameters_are_those_of_the_template_with_their_defaults() -> None:
    shown = {row[0].strip("`"): row[1].strip("`") for row in rows(TEXT, "Parameter")}
    assert shown == {name: str(each["Default"]) or "none" for name, each in TEMPLATE["Parameters"].items()}


def test_every_parameter_that_is_given_somewhere_is_one() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    given = [
        each
        for stage in ("dev", "prod")
        for each in config[stage]["deploy"]["parameters"]["parameter_overrides"]
    ]
    for block in blocks(DEPLOY, "sh"):
        given += (
            re.findall(r"\b([A-Z]\w+=\S+)", block.text.split("--parameter-overrides", 1)[-1])
            if ("--parameter-overrides" in block.text)
            else []
        )
    assert len(given) > 8
    for each in given:
        name, _, value = each.partition("=")
        parameter = TEMPLATE["Parameters"][name]
        if "AllowedValues" in parameter:
            assert value in map(str, parameter["AllowedValues"]), each
        if "AllowedPattern" in parameter:
            assert re.fullmatch(parameter["AllowedPattern"].strip("^$"), value), each


def test_the_alarms_are_those_of_the_template() -> None:
    shown = [row[0].strip("`") for row in rows(TEXT, "Alarm")]
    assert shown == [name for name, each in RESOURCES.items() if each["Type"] == "AWS::CloudWatch::Alarm"]
    costs = (ROOT / "docs" / "costs.md").read_text("utf-8")
    assert f"| {len(shown)} alarms |" in costs


def written_metrics() -> dict[str, set[str]]:
    """Return each metric that there is, with its dimensions but the deployment."""
    lines: list[str] = []
    record = UsageRecord(
        key=record_key("shop", "ana", "day", "tozsg0uv183t4b", 1),
        project_id="shop",
        user_id="ana",
        window_kind="day",
        window_start_s=0,
        started_ms=0,
        request_id="req",
        status="failed",
        cost=1,
        uncollected=1,
        provider="anthropic",
        first_token_ms=1,
    )

    class Clock:
        def now_ms(self) -> int:
            return 1

    metrics = EmbeddedMetrics("prod", Clock(), lines.append)
    metrics.request_ended(record, settled=False)
    metrics.request_refused(BudgetExceeded("spent", retry_after_s=1, details={}), "req")
    metrics.reconciled({"holds_ended": 1, "budgets_failed": 1})
    return {
        metric["Name"]: set(directive["Dimensions"][0]) - {"Deployment"}
        for line in map(json.loads, lines)
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }


def test_the_metrics_are_those_that_are_written() -> None:
    shown = {
        name: set(re.findall(r"\w+", row[1]))
        for row in rows(TEXT, "Metric")
        for name in re.findall(r"\w+", row[0])
    }
    assert shown == written_metrics()


def test_alarms_and_dashboard_look_at_metrics_that_are_written() -> None:
    written = written_metrics()
    for name, alarm in RESOURCES.items():
        properties = alarm.get("Properties", {})
        if properties.get("Namespace") == NAMESPACE:
            dimensions = {each["Name"] for each in properties["Dimensions"]} - {"Deployment"}
            assert dimensions == written[properties["MetricName"]], name
            assert properties["Dimensions"][0]["Value"] == {"Ref": "AWS::StackName"}
    body, _ = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    assert len(widgets) == 15
    for schema, name in re.findall(
        r"SEARCH\('\{Channeling,Deployment,(\w+)\}.*?MetricName=\\\"(\w+)\\\"", body
    ):
        assert written.pop(name, {schema}) == {schema}, name
    for name in re.findall(r'"Channeling", "(\w+)"|\[".", "(\w+)", ".", "."\]', body):
        written.pop(name[0] or name[1], None)
    assert written == {}, "metrics that no widget shows"


def test_the_stack_writes_metrics_under_its_own_name() -> None:
    for function in ("MessagesFunction", "MessagesOnInstancesFunction", "ReconcileFunction"):
        variables = RESOURCES[function]["Properties"]["Environment"]["Variables"]
        assert variables["CHANNELING_METRICS_DEPLOYMENT"] == {"Ref": "AWS::StackName"}


@pytest.mark.parametrize("page", [DEPLOY, LIMITS, SECURITY], ids=lambda page: page.stem)
def test_outputs_and_resources_that_are_named_exist(page: Path) -> None:
    known = set(RESOURCES) | set(TEMPLATE["Outputs"]) | set(TEMPLATE["Parameters"])
    named = re.findall(
        r"`((?:[A-Z][a-z]+){2,}(?:Alarm|Table|Role|Queue|Function|Id|Url|Target|Settings))`",
        page.read_text("utf-8"),
    )
    assert named or page == SECURITY
    assert set(named) <= known
    assert {"ClientSettings", "Check", "DomainTarget", "DashboardUrl"} <= set(TEMPLATE["Outputs"])


@pytest.mark.parametrize("page", [DEPLOY, LIMITS, ROOT / "docs/alerts.md"], ids=lambda page: page.stem)
def test_commands_of_aws_are_aws_s(page: Path) -> None:
    """Each `aws service operation` and its flags, by AWS's own descriptions of its services."""
    session = botocore.session.get_session()
    for block in blocks(page, "sh"):
        for found in re.findall(
            r"\baws ([a-z0-9-]+ [a-z0-9-]+ .*?)(?:\)\n|\n|$)", block.text.replace("\\\n", " ")
        ):
            service, operation, *words = shlex.split(found.rstrip(")"))
            if (service, operation) == ("logs", "tail"):
                continue  # a command of the AWS CLI's own
            model = session.get_service_model(service)
            [name] = [each for each in model.operation_names if xform_name(each, "-") == operation]
            members = model.operation_model(name).input_shape.members
            flags = {xform_name(member, "-") for member in members} | {"query", "output"}
            for word in words:
                if word.startswith("--"):
                    assert word.removeprefix("--").removeprefix("no-") in flags, (
                        f"{service} {operation} {word}"
                    )


def test_the_variables_of_the_container_are_settings() -> None:
    text = LIMITS.read_text("utf-8")
    [script] = [block for block in blocks(LIMITS, "sh") if "docker run" in block.text]
    run = commands(script.text)[-1]
    passed = re.findall(r"-e (\w+)", run)
    values = {name: "value" for name in passed if name.startswith("CHANNELING_")}
    values |= {row[0].strip("`"): row[1] for row in rows(text, "Variable")}
    settings = Settings.from_environ(values)
    assert settings.max_body_bytes == 32 * 2**20
    assert settings.metrics_deployment == "the stack's name"
    assert settings.alert_event_bus == "default"
    expose = re.findall(r"^EXPOSE (\d+)$", (ROOT / "Dockerfile").read_text(), re.M)
    assert f"-p {expose[0]}:{expose[0]}" in run


def test_the_sections_of_samconfig_are_those_that_are_named() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    for stage in re.findall(r"--config-env (\w+)", TEXT):
        assert f"channeling-{stage}" == config[stage]["global"]["parameters"]["stack_name"]
