"""The admin function, as Lambda loads it: events of a function URL in, whole answers out, its secret from AWS's."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from channeling.auth.admin_token import mint_admin_token
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import ENVIRONMENT, EmbeddedDynamoDB, local_client

ROOT = Path(__file__).parents[2]
SECRET = "s" * 64
_INVOKE = """
import json, sys
import botocore.session
services, create_client = set(), botocore.session.Session.create_client
def recorded(session, service, *arguments, **more):
    services.add(service)
    return create_client(session, service, *arguments, **more)
botocore.session.Session.create_client = recorded
import app
for event in json.load(sys.stdin):
    print(json.dumps(app.handler(event, None)))
loaded = {name.split(".")[0] for name in sys.modules}
print(json.dumps(sorted(services)))
assert not {"boto3", "cryptography", "moto", "channeling_cli", "typer", "rich", "uvicorn"} & loaded, loaded
"""


def _event(
    method: str, path: str, *, token: str | None, query: str = "", body: object = None
) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events/budget.json").read_text())
    event |= {"rawPath": path, "rawQueryString": query}
    event["requestContext"]["http"] |= {"method": method, "path": path}
    del event["headers"]["x-api-key"]
    if token is not None:
        event["headers"]["authorization"] = f"Bearer {token}"
    if body is not None:
        event["body"] = json.dumps(body)
        event["headers"]["content-type"] = "application/json"
    return event


@pytest.fixture
def environ(embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames) -> dict[str, str]:
    """The function's variables, on an AWS that is moto's."""
    url = embedded_dynamodb.endpoint_url
    kms = local_client(url, service="kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    secrets_manager = local_client(url, service="secretsmanager")
    secret_id = secrets_manager.create_secret(Name=f"{tables.projects}-admin", SecretString=SECRET)["ARN"]
    kms.close()
    secrets_manager.close()
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT / "functions/admin"), str(ROOT / "shared")]),
        **ENVIRONMENT,
        "AWS_ENDPOINT_URL": url,
        "CHANNELING_PROJECTS_TABLE": tables.projects,
        "CHANNELING_BUDGETS_TABLE": tables.budgets,
        "CHANNELING_USAGE_TABLE": tables.usage,
        "CHANNELING_KMS_KEY_ID": key_id,
        "CHANNELING_ADMIN_SECRET_ID": secret_id,
        "CHANNELING_MESSAGES_URL": "https://gateway.example/",
    }


def _invoke(environ: dict[str, str], *events: dict[str, Any]) -> list[dict[str, Any]]:
    ran = subprocess.run(
        [sys.executable, "-c", _INVOKE],
        input=json.dumps(events),
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert SECRET not in ran.stderr + ran.stdout
    *answers, services = [json.loads(line) for line in ran.stdout.splitlines()]
    # The layer's botocore is cut down to these when it is built.
    assert services == (ROOT / "layers/admin-deps/aws-services.txt").read_text().split()
    return answers


def test_events_are_answered_by_the_admin_api(environ: dict[str, str]) -> None:
    token = mint_admin_token(name="olga", secret=SECRET, now_s=time.time())
    wrong = mint_admin_token(name="olga", secret="w" * 64, now_s=time.time())
    made, refused, listed, minted, exported, docs, missing = _invoke(
        environ,
        _event("POST", "/api/projects", token=token, body={"project_id": "shop"}),
        _event("GET", "/api/projects", token=wrong),
        _event("GET", "/api/projects", token=token),
        _event("POST", "/api/projects/shop/tokens", token=token, body={"user_id": "ana", "budget_usd": "1"}),
        _event("GET", "/api/projects/shop/export", token=token, query="format=csv"),
        _event("GET", "/docs", token=None),
        _event("GET", "/api/projects/shop%2Fx", token=token),
    )
    assert (made["statusCode"], refused["statusCode"], missing["statusCode"]) == (201, 401, 404)
    assert [each["project_id"] for each in json.loads(listed["body"])["projects"]] == ["shop"]
    assert json.loads(minted["body"])["base_url"] == "https://gateway.example"
    assert exported["body"].startswith("request_id,started_at,")
    assert docs["headers"]["content-security-policy"].startswith("default-src 'self'")
    assert exported["isBase64Encoded"] is False


def test_without_its_secret_nobody_gets_in(environ: dict[str, str]) -> None:
    token = mint_admin_token(name="olga", secret=SECRET, now_s=time.time())
    gone = environ | {"CHANNELING_ADMIN_SECRET_ID": "no-such-secret"}
    [answer] = _invoke(gone, _event("GET", "/api/projects", token=token))
    assert answer["statusCode"] == 529
