"""The admin function on the runtime layer, as Lambda runs it: events of a function URL in, streams out."""

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from channeling.auth.admin_token import mint_admin_token
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import ENVIRONMENT, EmbeddedDynamoDB, local_client
from tests.layers.runtime.runtime_api_stand_in import RuntimeApiStandIn

ROOT = Path(__file__).parents[2]
SECRET = "s" * 64
# What Lambda would load as `app`; before each event it is written down what it asked AWS for and what it loaded.
_RECORDED = """
import json, os, sys
import botocore.session
services, create_client = set(), botocore.session.Session.create_client
def recorded(session, service, *arguments, **more):
    services.add(service)
    return create_client(session, service, *arguments, **more)
botocore.session.Session.create_client = recorded
import app as function
async def app(scope, receive, send):
    loaded = {name.split(".")[0] for name in sys.modules}
    with open(os.environ["REPORT"], "w") as file:
        json.dump({"services": sorted(services), "loaded": sorted(loaded)}, file)
    await function.app(scope, receive, send)
"""
_NEVER_LOADED = {"boto3", "cryptography", "moto", "channeling_cli", "typer", "rich", "uvicorn"}


@dataclass(frozen=True)
class Answer:
    """A streamed answer: what came before its body, and the body."""

    prelude: dict[str, Any]
    body: str

    @property
    def status(self) -> int:
        return int(self.prelude["statusCode"])


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
def environ(embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, tmp_path: Path) -> dict[str, str]:
    """The function's variables, on an AWS that is moto's."""
    (tmp_path / "recorded.py").write_text(_RECORDED)
    folders = [tmp_path, ROOT / "functions/admin", ROOT / "shared", ROOT / "layers/runtime"]
    url = embedded_dynamodb.endpoint_url
    kms = local_client(url, service="kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    secrets_manager = local_client(url, service="secretsmanager")
    secret_id = secrets_manager.create_secret(Name=f"{tables.projects}-admin", SecretString=SECRET)["ARN"]
    kms.close()
    secrets_manager.close()
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "REPORT": str(tmp_path / "report.json"),
        "_HANDLER": "recorded.app",
        **ENVIRONMENT,
        "AWS_ENDPOINT_URL": url,
        "CHANNELING_PROJECTS_TABLE": tables.projects,
        "CHANNELING_BUDGETS_TABLE": tables.budgets,
        "CHANNELING_USAGE_TABLE": tables.usage,
        "CHANNELING_KMS_KEY_ID": key_id,
        "CHANNELING_ADMIN_SECRET_ID": secret_id,
        "CHANNELING_MESSAGES_URL": "https://gateway.example/",
    }


async def _invoke(environ: dict[str, str], *events: dict[str, Any]) -> list[Answer]:
    """Run the function until it has answered these events, and see what it did beside that."""
    runtime_api = RuntimeApiStandIn()
    address = await runtime_api.start()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "lambda_asgi"),
        env=environ | {"AWS_LAMBDA_RUNTIME_API": address},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed = asyncio.create_task(process.communicate())
    try:
        answers = []
        async with asyncio.timeout(100):
            for event in events:
                invocation = runtime_api.invoke(event)
                over = asyncio.create_task(invocation.over.wait())
                await asyncio.wait((over, printed), return_when=asyncio.FIRST_COMPLETED)
                assert over.done(), printed.result()[0].decode()
                answers.append(Answer(await invocation.prelude(), (await invocation.body()).decode()))
            process.terminate()
            output = (await printed)[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
        await printed
        await runtime_api.close()
    assert process.returncode == 0, output
    assert SECRET not in output
    _check_what_it_did(environ)
    return answers


def _check_what_it_did(environ: dict[str, str]) -> None:
    report = json.loads(Path(environ["REPORT"]).read_text())
    # The layer's botocore is cut down to these when it is built.
    assert report["services"] == (ROOT / "layers/admin-deps/aws-services.txt").read_text().split()
    assert not _NEVER_LOADED & set(report["loaded"])


async def test_events_are_answered_by_the_admin_api(environ: dict[str, str]) -> None:
    token = mint_admin_token(name="olga", secret=SECRET, now_s=time.time())
    wrong = mint_admin_token(name="olga", secret="w" * 64, now_s=time.time())
    made, refused, listed, minted, exported, docs, missing = await _invoke(
        environ,
        _event("POST", "/api/projects", token=token, body={"project_id": "shop"}),
        _event("GET", "/api/projects", token=wrong),
        _event("GET", "/api/projects", token=token),
        _event("POST", "/api/projects/shop/tokens", token=token, body={"user_id": "ana", "budget_usd": "1"}),
        _event("GET", "/api/projects/shop/export", token=token, query="format=csv"),
        _event("GET", "/docs", token=None),
        _event("GET", "/api/projects/shop%2Fx", token=token),
    )
    assert (made.status, refused.status, missing.status) == (201, 401, 404)
    assert [each["project_id"] for each in json.loads(listed.body)["projects"]] == ["shop"]
    assert json.loads(minted.body)["base_url"] == "https://gateway.example"
    assert exported.body.startswith("request_id,started_at,")
    assert docs.prelude["headers"]["content-security-policy"].startswith("default-src 'self'")


async def test_without_its_secret_nobody_gets_in(environ: dict[str, str]) -> None:
    token = mint_admin_token(name="olga", secret=SECRET, now_s=time.time())
    gone = environ | {"CHANNELING_ADMIN_SECRET_ID": "no-such-secret"}
    [answer] = await _invoke(gone, _event("GET", "/api/projects", token=token))
    assert answer.status == 529
