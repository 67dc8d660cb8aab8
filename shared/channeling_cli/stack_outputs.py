"""Finding a deployed Channeling: the outputs of its CloudFormation stack."""

from dataclasses import dataclass
from typing import Any

from channeling.tables import TableNames
from channeling_cli.aws_clients import aws_failure
from channeling_cli.failure import CommandFailed, ExitCode

_ADMIN_OUTPUTS = ("AdminUrl", "AdminSecretId")
_OUTPUTS = ("MessagesUrl", "ProjectsTable", "BudgetsTable", "UsageTable", "KeyId")


@dataclass(frozen=True, slots=True)
class StackOutputs:
    """Where a stack's parts are."""

    messages_url: str
    tables: TableNames
    key_id: str


@dataclass(frozen=True, slots=True)
class AdminOutputs:
    """Where a stack's admin API is, and the secret in Secrets Manager that its tokens are signed with."""

    url: str
    secret_id: str


def read_stack_outputs(cloudformation: Any, stack: str) -> StackOutputs:
    """Return the outputs of a stack; raise CommandFailed when there is no such stack, or it is another's.

    Source: AWS CloudFormation API Reference, DescribeStacks (a missing stack is a ValidationError).
    """
    outputs = _outputs(cloudformation, stack, _OUTPUTS)
    return StackOutputs(
        messages_url=outputs["MessagesUrl"].rstrip("/"),
        tables=TableNames(outputs["ProjectsTable"], outputs["BudgetsTable"], outputs["UsageTable"]),
        key_id=outputs["KeyId"],
    )


def read_admin_outputs(cloudformation: Any, stack: str) -> AdminOutputs:
    """Return where a stack's admin function and its secret are; raise CommandFailed as above."""
    outputs = _outputs(cloudformation, stack, _ADMIN_OUTPUTS)
    return AdminOutputs(outputs["AdminUrl"].rstrip("/"), outputs["AdminSecretId"])


def _outputs(cloudformation: Any, stack: str, names: tuple[str, ...]) -> dict[str, str]:
    from botocore.exceptions import BotoCoreError, ClientError

    region = cloudformation.meta.region_name
    try:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ValidationError":
            raise CommandFailed(
                f"there is no stack {stack!r} in {region}",
                next_step="check --stack, --region and --profile (aws cloudformation list-stacks)",
                exit_code=ExitCode.NOT_FOUND,
            ) from error
        raise aws_failure(error, f"stack {stack!r} in {region} cannot be looked up") from error
    except BotoCoreError as error:
        raise aws_failure(error, f"stack {stack!r} cannot be looked up") from error
    outputs = {str(output["OutputKey"]): str(output["OutputValue"]) for output in found.get("Outputs", [])}
    missing = [name for name in names if name not in outputs]
    if missing:
        raise CommandFailed(
            f"stack {stack!r} ({found['StackStatus']}) has no output {', '.join(missing)}",
            next_step="name the stack that sam deploy made from Channeling's template, once its status is COMPLETE",
            exit_code=ExitCode.NOT_FOUND,
        )
    return outputs
