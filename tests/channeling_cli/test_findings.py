"""Each check of `channeling doctor` tells good from bad, and says what to do about the bad."""

from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from channeling.projects.project import ProjectRules, ProjectSecrets
from channeling.projects.store import SealedSecrets, StoredProject
from channeling.tables import TableNames
from channeling_cli.demo_project import DEMO_KEY
from channeling_cli.findings import (
    Finding,
    Level,
    check_clock,
    check_health_answer,
    check_private_files,
    check_project,
    check_provider_answer,
    check_tables,
    worst,
)

NOW_S = 1_800_000_000


class Described:
    """A DynamoDB client whose tables are as a test says."""

    def __init__(self, answer: Mapping[str, Any] | Exception, date_s: float | None = NOW_S) -> None:
        self._answer = answer
        self._headers = {} if date_s is None else {"date": formatdate(date_s, usegmt=True)}

    def describe_table(self, TableName: str) -> dict[str, Any]:
        if isinstance(self._answer, Exception):
            raise self._answer
        table = {"TableStatus": "ACTIVE", "KeySchema": [{"AttributeName": "pk"}, {"AttributeName": "sk"}]}
        return {"Table": table | self._answer, "ResponseMetadata": {"HTTPHeaders": self._headers}}


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "DescribeTable")


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        ({}, "ok", "active"),
        ({"TableStatus": "CREATING"}, "problem", "CREATING"),
        ({"KeySchema": [{"AttributeName": "id"}]}, "problem", "keys id"),
        (refusal("ResourceNotFoundException"), "problem", "deploy the stack again"),
        (refusal("AccessDeniedException"), "problem", "allow these credentials"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), "problem", "still running"),
    ],
)
def test_tables(answer: Mapping[str, Any] | Exception, level: Level, words: str) -> None:
    findings = check_tables(Described(answer), TableNames("p", "b", "u"))
    assert [finding.subject for finding in findings] == ["table p", "table b", "table u"]
    assert {finding.level for finding in findings} == {level}
    assert words in findings[0].message + findings[0].next_step


@pytest.mark.parametrize(
    ("date_s", "level", "words"),
    [
        (NOW_S, "ok", "agrees"),
        (NOW_S - 30, "ok", "agrees"),
        (NOW_S - 31, "problem", "31 s ahead of"),
        (NOW_S + 3600, "problem", "3600 s behind"),
        (None, "warning", "no date"),
    ],
)
def test_the_clock(date_s: float | None, level: Level, words: str) -> None:
    finding = check_clock(Described({}, date_s), TableNames("p", "b", "u"), NOW_S)
    assert (finding.level, words in finding.message) == (level, True)


def test_the_clock_of_an_unreachable_store() -> None:
    finding = check_clock(Described(refusal("AccessDeniedException")), TableNames("p", "b", "u"), NOW_S)
    assert finding.level == "warning"


@pytest.mark.parametrize(
    ("rules", "secrets", "levels"),
    [
        (ProjectRules("n"), ProjectSecrets(("h",), {"openai": "sk-1"}), ["ok", "ok", "ok"]),
        (ProjectRules("n", "disabled"), ProjectSecrets(("h",), {"openai": "sk-1"}), ["problem", "ok", "ok"]),
        (ProjectRules("n"), ProjectSecrets((), {"openai": "sk-1"}), ["ok", "problem", "ok"]),
        (ProjectRules("n"), ProjectSecrets(("h",)), ["ok", "ok", "problem"]),
        (ProjectRules("n"), ProjectSecrets(("h",), {"anthropic": DEMO_KEY}), ["ok", "ok", "warning"]),
    ],
)
def test_a_project(rules: ProjectRules, secrets: ProjectSecrets, levels: list[Level]) -> None:
    findings = check_project(StoredProject("shop", rules, SealedSecrets(), ()), secrets, " --stack prod")
    assert [finding.level for finding in findings] == levels
    for finding in findings:
        assert finding.next_step.endswith(" --stack prod") or finding.level == "ok"
        assert "sk-1" not in finding.message


def test_private_files(tmp_path: Path) -> None:
    for name, mode in (("private", 0o600), ("open", 0o640)):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(mode)
    findings = check_private_files([tmp_path / name for name in ("private", "open", "missing")])
    assert [finding.level for finding in findings] == ["ok", "problem", "problem"]
    assert findings[1].next_step == f"chmod 600 {tmp_path / 'open'}"


@pytest.mark.parametrize(
    ("status", "level"), [(200, "ok"), (403, "problem"), (502, "problem"), (None, "problem")]
)
def test_the_gateway(status: int | None, level: Level) -> None:
    assert check_health_answer("http://127.0.0.1:1", status, "refused").level == level


@pytest.mark.parametrize(
    ("status", "level"),
    [(200, "ok"), (401, "problem"), (403, "problem"), (429, "warning"), (500, "warning"), (None, "warning")],
)
def test_a_providers_answer(status: int | None, level: Level) -> None:
    assert check_provider_answer("openai", status, "timed out").level == level


def test_the_worst_of_all() -> None:
    levels: list[Level] = ["ok", "warning", "problem"]
    findings = [Finding(level, "s", "m") for level in levels]
    assert [worst(findings[:count]) for count in range(4)] == ["ok", "ok", "warning", "problem"]
