"""`channeling whoami`: which store, account and project commands work on, and in whose name."""

from typing import Any

from channeling_cli.aws_clients import aws_client, aws_failure
from channeling_cli.deployment import Deployment, open_deployment
from channeling_cli.failure import CommandFailed
from channeling_cli.operator_name import operator_name
from channeling_cli.options import AsJson, InProject, Profile, Region, Stack, Target
from channeling_cli.output import print_facts, print_json


def whoami(
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Say which store, account and project commands with these options work on, and who you are in audit logs."""
    target = Target(stack, region, profile)
    with open_deployment(target) as deployment:
        facts = _facts(deployment, project)
    if as_json:
        print_json(facts)
        return
    shown = [
        (name.replace("_", " "), ", ".join(value) if isinstance(value, list) else str(value))
        for name, value in facts.items()
        if name != "deployment" and value is not None
    ]
    print_facts(facts["deployment"][0].upper() + facts["deployment"][1:], shown)


def _facts(deployment: Deployment, project: str | None) -> dict[str, Any]:
    local = deployment.local
    try:
        name: str | None = operator_name(None)
    except CommandFailed:
        name = None
    tables = deployment.tables
    return {
        "deployment": deployment.label,
        "project_id": project or (None if local is None else local.project_id),
        "base_url": deployment.base_url,
        "store": deployment.dynamodb_client.meta.endpoint_url,
        "tables": [tables.projects, tables.budgets, tables.usage],
        "operator": name,
        **(_account(deployment) if local is None else {"server_process_id": local.process_id}),
    }


def _account(deployment: Deployment) -> dict[str, Any]:
    """Return the AWS identity of these commands (AWS STS API Reference, GetCallerIdentity: needs no permission)."""
    from botocore.exceptions import BotoCoreError, ClientError

    target = deployment.target
    sts = aws_client("sts", region=target.region, profile=target.profile)
    try:
        identity = sts.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise aws_failure(error, "the AWS account cannot be told") from error
    finally:
        sts.close()
    return {
        "account": identity["Account"],
        "identity": identity["Arn"],
        "region": deployment.dynamodb_client.meta.region_name,
    }
