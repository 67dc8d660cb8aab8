"""The stack of template.yaml as far as moto makes one: its tables, key, queue and logs, by CloudFormation, and with
them the functions' environments."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from channeling_cli.embedded_dynamodb import ENVIRONMENT, EmbeddedDynamoDB, local_client
from tests.functions.cloudformation_yaml import read_template

TEMPLATE: dict[str, Any] = read_template(Path(__file__).parents[2] / "template.yaml")
# What moto's CloudFormation can make of the template.
_MADE = ("AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::SQS::Queue", "AWS::Logs::LogGroup")
_TABLES = ("ProjectsTable", "BudgetsTable", "UsageTable")
STACK = "channeling"


@dataclass(frozen=True)
class DeployedStack:
    """A stack on an embedded AWS: the names that its resources have, by their names in the template."""

    store: EmbeddedDynamoDB
    names: Mapping[str, str]

    def environ(self, function: str, endpoint_url: str) -> dict[str, str]:
        """Return a function's variables with their values, and where its AWS is."""
        variables = TEMPLATE["Resources"][function]["Properties"]["Environment"]["Variables"]
        return (
            ENVIRONMENT
            | {"AWS_ENDPOINT_URL": endpoint_url}
            | {name: text for name, value in variables.items() if (text := self._text(value)) is not None}
        )

    def _text(self, value: Any) -> str | None:
        if isinstance(value, str):
            return value
        [(function, argument)] = value.items()
        name = argument[0] if function == "Fn::GetAtt" else argument
        if function not in ("Ref", "Fn::GetAtt"):
            return None
        if name == "AWS::StackName":
            return STACK
        if name in TEMPLATE["Parameters"]:
            return str(TEMPLATE["Parameters"][name]["Default"])
        return self.names[name]


def deploy(store: EmbeddedDynamoDB) -> DeployedStack:
    """Have moto's CloudFormation make what it can of the template, and make the admin secret beside it."""
    template = {
        "AWSTemplateFormatVersion": TEMPLATE["AWSTemplateFormatVersion"],
        "Parameters": TEMPLATE["Parameters"],
        "Conditions": TEMPLATE["Conditions"],
        "Resources": {name: each for name, each in TEMPLATE["Resources"].items() if each["Type"] in _MADE},
        "Outputs": {name: each for name, each in TEMPLATE["Outputs"].items() if name in (*_TABLES, "KeyId")},
    }
    cloudformation = local_client(store.endpoint_url, service="cloudformation")
    secrets_manager = local_client(store.endpoint_url, service="secretsmanager")
    try:
        cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(template))
        [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        secret = TEMPLATE["Resources"]["AdminSecret"]["Properties"]["GenerateSecretString"]
        made = secrets_manager.create_secret(Name="admin", SecretString="s" * secret["PasswordLength"])
    finally:
        cloudformation.close()
        secrets_manager.close()
    return DeployedStack(
        store,
        {name: outputs[name] for name in _TABLES}
        | {"SecretsKey": outputs["KeyId"], "AdminSecret": made["ARN"]}
        | {
            name: name
            for name, each in TEMPLATE["Resources"].items()
            if each["Type"] == "AWS::Logs::LogGroup"
        }
        | {"FailedRunsQueue": "FailedRunsQueue"},
    )
