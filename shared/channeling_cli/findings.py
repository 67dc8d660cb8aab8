"""What `channeling doctor` looks at: each check is one small question, answered with what to do if it fails."""

import email.utils
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from channeling.projects.project import ProjectSecrets
from channeling.projects.store import StoredProject
from channeling.tables import TableNames
from channeling_cli.demo_project import DEMO_KEY

Level = Literal["ok", "warning", "problem"]

# Tokens may be at most this far ahead of the gateway's clock.
MAX_CLOCK_SKEW_S = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one check."""

    level: Level
    subject: str
    message: str
    next_step: str = ""


def check_tables(client: Any, tables: TableNames) -> list[Finding]:
    """Ask DynamoDB for each table."""
    from botocore.exceptions import BotoCoreError, ClientError

    findings = []
    for name in (tables.projects, tables.budgets, tables.usage):
        try:
            table = client.describe_table(TableName=name)["Table"]
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            step = (
                "deploy the stack again, or restart the server, which makes its tables"
                if code == "ResourceNotFoundException"
                else "allow these credentials to use the stack's tables"
            )
            findings.append(Finding("problem", f"table {name}", f"DynamoDB answered {code}", step))
        except BotoCoreError as error:
            step = "is the server still running? Otherwise check the network"
            findings.append(Finding("problem", f"table {name}", str(error), step))
        else:
            keys = [key["AttributeName"] for key in table["KeySchema"]]
            if table["TableStatus"] == "ACTIVE" and keys == ["pk", "sk"]:
                findings.append(Finding("ok", f"table {name}", "active"))
            else:
                state = f"status {table['TableStatus']}, keys {', '.join(keys)}"
                step = "wait until it is ACTIVE; its keys must be pk and sk, as the template makes them"
                findings.append(Finding("problem", f"table {name}", state, step))
    return findings


def check_clock(client: Any, tables: TableNames, now_s: float) -> Finding:
    """Compare this machine's clock with the Date header of an answer of DynamoDB (whole seconds, RFC 9110)."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = client.describe_table(TableName=tables.projects)
        date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
        skew_s = round(now_s - email.utils.parsedate_to_datetime(date).timestamp())
    except (BotoCoreError, ClientError, KeyError, ValueError):
        return Finding("warning", "clock", "could not be compared: DynamoDB sent no date", "check it by hand")
    if abs(skew_s) <= MAX_CLOCK_SKEW_S // 2:
        return Finding("ok", "clock", "agrees with DynamoDB's")
    message = f"{abs(skew_s)} s {'ahead of' if skew_s > 0 else 'behind'} DynamoDB's"
    step = (
        "set this machine's clock by NTP: tokens minted here may be refused as not yet valid, or expire early"
    )
    return Finding("problem", "clock", message, step)


def check_project(stored: StoredProject, opened: ProjectSecrets, flags: str) -> list[Finding]:
    """Look at what a project lacks."""
    project_id = stored.project_id
    findings = []
    if stored.rules.status == "active":
        findings.append(Finding("ok", f"project {project_id}", "active"))
    else:
        step = f"channeling project set {project_id} --status active{flags}"
        findings.append(
            Finding("problem", f"project {project_id}", "disabled: every request gets a 403", step)
        )
    if opened.hmac_secrets:
        count = len(opened.hmac_secrets)
        findings.append(Finding("ok", "HMAC secrets", f"{count} active, decrypted"))
    else:
        step = f"channeling secret add --project {project_id}{flags}"
        findings.append(Finding("problem", "HMAC secrets", "none: no token is accepted", step))
    step = f"channeling key set anthropic --project {project_id}{flags}"
    if not opened.provider_keys:
        findings.append(Finding("problem", "provider keys", "none: no model can answer", step))
    elif DEMO_KEY in opened.provider_keys.values():
        findings.append(Finding("warning", "provider keys", "none: the built-in demo answers", step))
    else:
        findings.append(Finding("ok", "provider keys", ", ".join(sorted(opened.provider_keys))))
    return findings


def check_private_files(paths: Sequence[Path]) -> list[Finding]:
    """Look whether others may read this machine's files."""
    findings = []
    for path in paths:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError as error:
            findings.append(Finding("problem", str(path), str(error.strerror), "restart the server"))
            continue
        if mode & 0o077:
            findings.append(Finding("problem", str(path), "others may read it", f"chmod 600 {path}"))
        else:
            findings.append(Finding("ok", str(path), "private"))
    return findings


def check_health_answer(base_url: str, status: int | None, failure: str) -> Finding:
    """Judge the answer of the gateway's /healthz; `status` is None when there was none."""
    if status == 200:
        return Finding("ok", "gateway", f"{base_url} answers")
    message = f"{base_url} does not answer: {failure}" if status is None else f"{base_url} answered {status}"
    return Finding("problem", "gateway", message, "look at the server's terminal, or at the function's log")


def check_provider_answer(provider: str, status: int | None, failure: str) -> Finding:
    """Judge a provider's answer to a free request with the project's key."""
    subject = f"{provider} key"
    match status:
        case None:
            return Finding(
                "warning", subject, f"could not be tried: {failure}", "check the network, or --offline"
            )
        case 401 | 403:
            step = f"set a valid one: channeling key set {provider}"
            return Finding("problem", subject, f"{provider} refuses it ({status})", step)
        case _ if 200 <= status < 300:
            return Finding("ok", subject, f"{provider} takes it")
        case _:
            return Finding("warning", subject, f"{provider} answered {status}", "try again later")


def worst(findings: Sequence[Finding]) -> Level:
    """Return the gravest level there is."""
    levels: Mapping[Level, int] = {"ok": 0, "warning": 1, "problem": 2}
    return max((finding.level for finding in findings), key=levels.__getitem__, default="ok")
