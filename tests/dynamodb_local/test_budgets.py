"""What the budget tests prove on the embedded DynamoDB holds on AWS's own: the same tests, run once more."""

import pytest

from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from tests.channeling.budgets import test_admission, test_recovery, test_settlement

pytestmark = pytest.mark.java

for module in (test_admission, test_recovery, test_settlement):
    of_module = {name: test for name, test in vars(module).items() if name.startswith("test_")}
    assert not of_module.keys() & globals().keys(), "two tests of one name: one of them would not run"
    globals().update(of_module)


def test_the_store_is_dynamodb_local(embedded_dynamodb: EmbeddedDynamoDB) -> None:
    """DynamoDB Local answers with a server header of its own; moto's server says Werkzeug."""
    client = embedded_dynamodb.client()
    headers = client.list_tables()["ResponseMetadata"]["HTTPHeaders"]
    client.close()
    assert headers["server"].startswith("Jetty")
