"""The template breaks no rule of checkov's but those that are listed, each with the reason why it is meant so."""

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.fetched_tools import checkov

ROOT = Path(__file__).parents[2]
EXCEPTIONS: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "checkov_exceptions.toml").read_text()
)["exception"]

pytestmark = pytest.mark.sam


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template that an auditor would not sign."""
    text = (ROOT / "template.yaml").read_text()
    path = tmp_path_factory.mktemp("worse") / "worse.yaml"
    text = text.replace("PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false", 1)
    path.write_text(text.replace("EnableKeyRotation: true", "EnableKeyRotation: false"))
    return path


@pytest.fixture(scope="module")
def found(worse: Path) -> list[dict[str, Any]]:
    """What checkov says of the template and of the worse one: it takes seconds to start, so both at once."""
    ran = subprocess.run(
        [
            str(checkov()),
            *("--file", str(ROOT / "template.yaml"), str(worse)),
            *("--framework", "cloudformation", "--output", "json", "--skip-download"),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(worse.parent)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.stdout.startswith("{"), ran.stderr
    said = json.loads(ran.stdout)
    assert said["summary"]["parsing_errors"] == 0
    results: list[dict[str, Any]] = said["results"]["passed_checks"] + said["results"]["failed_checks"]
    return results


def rules(found: list[dict[str, Any]], file: str, result: str) -> set[tuple[str, str]]:
    return {
        (each["check_id"], each["resource"].rpartition(".")[2])
        for each in found
        if each["file_path"].endswith(f"/{file}") and each["check_result"]["result"] == result
    }


def test_what_breaks_a_rule_is_listed_with_its_reason(found: list[dict[str, Any]]) -> None:
    listed = {(each["rule"], resource) for each in EXCEPTIONS for resource in each["resources"]}
    assert rules(found, "template.yaml", "FAILED") == listed
    assert len(rules(found, "template.yaml", "PASSED")) > 50
    assert all(len(each["reason"]) > 30 for each in EXCEPTIONS)


def test_what_an_auditor_would_not_sign_is_found(found: list[dict[str, Any]]) -> None:
    worse = rules(found, "worse.yaml", "FAILED")
    assert {("CKV_AWS_28", "ProjectsTable"), ("CKV_AWS_7", "SecretsKey")} <= worse
