"""Commands find a stack by its outputs, on moto's CloudFormation, and use its tables and its KMS key."""

import json
import time
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from moto import mock_aws

from channeling.auth.admin_token import verify_admin_token
from channeling.tables import TableNames
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.secret_input import fingerprint
from channeling_cli.stack_outputs import StackOutputs, read_stack_outputs
from tests.channeling_cli.conftest import Run
from tests.stand_ins.dynamodb_tables import create_tables

TABLES = TableNames("prod-projects", "prod-budgets", "prod-usage")
REGION = "eu-central-1"
URL = "https://abc.lambda-url.eu-central-1.on.aws"


def template(**outputs: str) -> str:
    """A stack of one free resource with the outputs that the product's template has."""
    return json.dumps(
        {
            "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
    )


def client(service: str) -> Any:
    return botocore.session.Session().create_client(service, region_name=REGION)


@pytest.fixture
def stack(no_aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A deployed stack named `prod`, in an AWS account of this test's own; yields its key id."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        kms, dynamodb, cloudformation = client("kms"), client("dynamodb"), client("cloudformation")
        key_id = kms.create_key()["KeyMetadata"]["KeyId"]
        create_tables(dynamodb, TABLES)
        body = template(
            MessagesUrl=f"{URL}/",
            ProjectsTable=TABLES.projects,
            BudgetsTable=TABLES.budgets,
            UsageTable=TABLES.usage,
            KeyId=key_id,
        )
        cloudformation.create_stack(StackName="prod", TemplateBody=body)
        cloudformation.create_stack(StackName="other", TemplateBody=template(MessagesUrl=URL))
        for each in (kms, dynamodb, cloudformation):
            each.close()
        yield key_id


def test_the_outputs_name_every_part(stack: str) -> None:
    cloudformation = client("cloudformation")
    assert read_stack_outputs(cloudformation, "prod") == StackOutputs(URL, TABLES, stack)
    cloudformation.close()


def test_a_project_from_creation_to_token_on_a_stack(run: Run, stack: str) -> None:
    on_stack = ("--stack", "prod", "--region", REGION)
    created = run("project", "create", "shop", *on_stack, "--json")
    assert created.code == 0, created.err
    secret = json.loads(created.out)["hmac_secret"]
    assert json.loads(created.out)["base_url"] == URL
    keyed = run("key", "set", "anthropic", "--project", "shop", *on_stack, stdin="sk-ant-of-the-stack")
    assert keyed.code == 0, keyed.err
    minted = run("token", "mint", "--user", "ana", "--budget", "5", "--project", "shop", *on_stack)
    assert minted.code == 0, minted.err
    shown = json.loads(run("project", "show", "shop", *on_stack, "--json").out)
    assert shown["hmac_secret_fingerprints"] == [fingerprint(secret)]
    assert shown["provider_keys"] == ["anthropic"]
    dynamodb = client("dynamodb")
    items = dynamodb.query(
        TableName=TABLES.projects,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "shop"}},
    )["Items"]
    dynamodb.close()
    assert secret not in str(items)
    assert "sk-ant-of-the-stack" not in str(items)


def test_prices_users_and_usage_of_a_stack(run: Run, stack: str) -> None:
    """The commands of an operator's day, on AWS's own services."""
    on_stack = ("--project", "shop", "--stack", "prod", "--region", REGION)
    assert run("project", "create", "shop", *on_stack[2:]).code == 0
    made = run("price", "set", "claude-*", "--input", "1", "--output", "2", *on_stack, "--json")
    assert made.code == 0, made.err
    price_id = json.loads(made.out)["price_id"]
    assert price_id in run("price", "list", *on_stack).out
    assert run("price", "remove", price_id, "--yes", *on_stack).code == 0
    usage = json.loads(run("usage", "show", "--since", "1h", *on_stack, "--json").out)
    assert usage["totals"]["requests"] == 0
    assert json.loads(run("user", "list", "--since", "1h", *on_stack, "--json").out)["users"] == []
    assert run("usage", "export", "--since", "1h", *on_stack).out == ""
    assert "shop" in run("project", "list", *on_stack[2:]).out
    deleted = run("project", "delete", "shop", "--yes", *on_stack[2:], "--json")
    assert json.loads(deleted.out)["status"] == "disabled"
    assert run("project", "restore", "shop", *on_stack[2:]).code == 0


def test_whoami_on_a_stack_names_the_account(run: Run, stack: str) -> None:
    on_stack = ("--stack", "prod", "--region", REGION)
    answer = json.loads(run("whoami", *on_stack, "--json").out)
    assert answer["account"] == "123456789012"
    assert (answer["region"], answer["base_url"], answer["project_id"]) == (REGION, URL, None)
    assert answer["identity"].startswith("arn:aws:")
    assert answer["tables"] == [TABLES.projects, TABLES.budgets, TABLES.usage]


def test_the_dashboard_of_a_stack_is_found_and_signed_in_to(run: Run, stack: str) -> None:
    """By the secret in Secrets Manager; a stack from before the admin function says what it lacks."""
    secrets_manager, cloudformation = client("secretsmanager"), client("cloudformation")
    secret = "s" * 64
    arn = secrets_manager.create_secret(Name="admin", SecretString=secret)["ARN"]
    outputs = cloudformation.describe_stacks(StackName="prod")["Stacks"][0]["Outputs"]
    values = {output["OutputKey"]: output["OutputValue"] for output in outputs}
    lacking = run("dashboard", "--stack", "prod", "--region", REGION, "--print")
    assert lacking.code == 3
    assert "AdminUrl, AdminSecretId" in lacking.err
    body = template(**values, AdminUrl="https://admin.example.com/", AdminSecretId=arn)
    cloudformation.update_stack(StackName="prod", TemplateBody=body)
    for each in (secrets_manager, cloudformation):
        each.close()
    ended = run("dashboard", "--stack", "prod", "--region", REGION, "--json")
    assert ended.code == 0, ended.err
    answer = json.loads(ended.out)
    assert answer["dashboard_url"] == "https://admin.example.com/"
    assert verify_admin_token(answer["admin_token"], [secret], now_s=time.time()).role == "operator"
    assert secret not in ended.out + ended.err


def test_doctor_looks_at_a_stacks_parts(run: Run, stack: str) -> None:
    on_stack = ("--stack", "prod", "--region", REGION)
    run("project", "create", "shop", *on_stack)
    ended = run("doctor", "--offline", "--project", "shop", *on_stack, "--json")
    findings = {finding["subject"]: finding for finding in json.loads(ended.out)["findings"]}
    for table in (TABLES.projects, TABLES.budgets, TABLES.usage):
        assert findings[f"table {table}"]["level"] == "ok"
    assert findings["HMAC secrets"]["level"] == "ok"
    assert findings["provider keys"]["next_step"].endswith(f"--project shop --stack prod --region {REGION}")
    assert ended.code == ExitCode.UNHEALTHY


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--stack", "missing", "--region", REGION), 3, "no stack 'missing' in eu-central-1"),
        (("--stack", "prod", "--region", "us-west-2"), 3, "no stack 'prod' in us-west-2"),
        (("--stack", "other", "--region", REGION), 3, "ProjectsTable, BudgetsTable, UsageTable, KeyId"),
        (("--stack", "prod"), 1, "no AWS region is set"),
        (("--stack", "prod", "--region", REGION, "--profile", "nobody"), 1, "nobody"),
        (("--stack", "prod", "--region", "no region"), 1, "region"),
    ],
)
def test_a_stack_that_cannot_be_found_is_said(
    run: Run, stack: str, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ended = run("project", "show", "shop", *arguments)
    assert ended.code == code, ended.err
    assert words in ended.err
    assert "next:" in ended.err or code == 1


def test_a_stacks_project_has_to_be_named(run: Run, stack: str) -> None:
    ended = run("project", "show", "--stack", "prod", "--region", REGION)
    assert ended.code == ExitCode.USAGE
    assert "--project ID" in ended.err


def test_missing_credentials_are_said_with_what_to_do(run: Run, no_aws: None) -> None:
    ended = run("project", "show", "shop", "--stack", "prod", "--region", REGION)
    assert ended.code == ExitCode.UNREACHABLE
    assert "aws sso login" in ended.err


def test_what_aws_refuses_is_said_in_its_words() -> None:
    class Refusing:
        class meta:
            region_name = REGION

        def describe_stacks(self, **_: Any) -> Any:
            from botocore.exceptions import ClientError

            raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "DescribeStacks")

    with pytest.raises(CommandFailed, match="ExpiredToken: expired") as failed:
        read_stack_outputs(Refusing(), "prod")
    assert "sign in again" in failed.value.next_step
