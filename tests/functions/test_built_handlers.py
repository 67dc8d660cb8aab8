"""The built reconcile and admin functions work on their own layers: all that they import and read is in them."""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from channeling.auth.admin_token import mint_admin_token
from channeling_cli.embedded_dynamodb import local_client
from emulator.artifact import ADMIN_FUNCTION, ADMIN_LAYERS, RECONCILE_FUNCTION, RECONCILE_LAYERS, lay_out
from emulator.handler import call_handler
from emulator.local_gateway import LocalGateway, local_gateway
from emulator.rie import running_emulator

pytestmark = [pytest.mark.sam, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
SECRET = "s" * 64


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with local_gateway({}) as running:
        yield running


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_the_reconcile_function_runs(built_for_host: Path, gateway: LocalGateway, folder: Path) -> None:
    artifact = lay_out(built_for_host, folder, RECONCILE_FUNCTION, RECONCILE_LAYERS)
    event = json.loads((ROOT / "events/reconcile.json").read_text())
    report = call_handler(artifact, gateway.environ, event)
    assert (report["budgets_failed"], report["budgets_left"]) == (0, False)


def test_the_admin_function_reads_and_writes_by_each_service_that_it_needs(
    built_for_host: Path, gateway: LocalGateway, folder: Path
) -> None:
    url = gateway.backend.dynamodb_endpoint_url
    client = local_client(url, service="secretsmanager")
    secret_id = client.create_secret(Name="admin", SecretString=SECRET)["ARN"]
    client.close()
    artifact = lay_out(built_for_host, folder, ADMIN_FUNCTION, ADMIN_LAYERS)
    environ = {**gateway.environ, "AWS_ENDPOINT_URL": url, "CHANNELING_ADMIN_SECRET_ID": secret_id}
    environ["CHANNELING_MESSAGES_URL"] = "https://gateway.example/"
    event = json.loads((ROOT / "events/budget.json").read_text())
    event |= {"rawPath": "/api/projects", "body": json.dumps({"project_id": "shop"})}
    event["requestContext"]["http"] |= {"method": "POST", "path": "/api/projects"}
    token = mint_admin_token(name="olga", secret=SECRET, now_s=time.time())
    event["headers"] |= {"authorization": f"Bearer {token}", "content-type": "application/json"}
    with tempfile.TemporaryFile() as log, running_emulator(artifact, environ, log=log) as emulator:
        answer = emulator.invoke(json.dumps(event).encode())
    assert answer.status == 201, answer
