"""The tables that are missing are made, each is waited for, and what DynamoDB says against it is passed on."""

from typing import Any

import botocore.session
import orjson
import pytest
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator

from channeling.aws.credentials import Credentials, FixedCredentials
from channeling.aws.endpoints import DYNAMODB, endpoint_at
from channeling.aws.errors import AwsRefused, AwsUnanswered
from channeling.aws.json_client import JsonClient
from channeling.tables import TableNames
from channeling_cli.create_tables import create_tables
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.lean_store import open_lean_store
from tests.stand_ins.aws_transport import Answer, Broken, ScriptedTransport, Sent, answer, error
from tests.stand_ins.clock import SetClock

NAMES = TableNames.with_prefix("some")
EXISTS = "ResourceInUseException"


class Rig:
    """A client over answers that are set, with the pauses that are made."""

    def __init__(self, script: Any) -> None:
        self.transport = ScriptedTransport(script)
        self.pauses: list[float] = []
        self.client = JsonClient(
            endpoint_at(DYNAMODB, "http://127.0.0.1:8000", "us-east-1"),
            FixedCredentials(Credentials("AKEY", "secret")),
            self.transport,
            SetClock(1_795_521_036),
            attempts=1,
        )

    async def create(self) -> list[str]:
        return await create_tables(self.client, NAMES, sleep=self._sleep)

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Each operation and its table."""
        return [(sent.operation, orjson.loads(sent.body)["TableName"]) for sent in self.transport.sent]

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


def status(of: str) -> Answer:
    return answer({"Table": {"TableStatus": of}})


async def test_tables_are_created_once_and_written_to_at_once(
    embedded_dynamodb: EmbeddedDynamoDB, tables: TableNames, dynamodb_client: Any
) -> None:
    store = open_lean_store(embedded_dynamodb.endpoint_url)
    try:
        assert await create_tables(store.tables_client, tables) == []
        more = TableNames(tables.projects, tables.budgets, f"{tables.usage}-more")
        assert await create_tables(store.tables_client, more) == [more.usage]
        await store.dynamodb.put(more.usage, {"pk": "a", "sk": "b"})
    finally:
        await store.aclose()
    made, model = (
        dynamodb_client.describe_table(TableName=name)["Table"] for name in (more.usage, tables.usage)
    )
    for member in ("KeySchema", "AttributeDefinitions", "BillingModeSummary"):
        assert made[member] == model[member]
    assert [index["IndexName"] for index in made["GlobalSecondaryIndexes"]] == ["by_user"]


async def test_what_is_sent_is_what_botocore_would_send() -> None:
    rig = Rig(lambda sent: answer({}) if sent.operation == "CreateTable" else status("ACTIVE"))
    await rig.create()
    service = botocore.session.Session().get_service_model("dynamodb")
    serializer = create_serializer("json")
    for sent in rig.transport.sent:
        operation = service.operation_model(sent.operation)
        members = orjson.loads(sent.body)
        assert not ParamValidator().validate(members, operation.input_shape).has_errors()
        request = serializer.serialize_to_request(members, operation)
        assert orjson.loads(request["body"]) == members
        assert request["headers"]["X-Amz-Target"] == sent.headers["x-amz-target"]
        assert request["headers"]["Content-Type"] == sent.headers["content-type"]


async def test_only_what_was_made_is_waited_for_until_it_is_active() -> None:
    looks = iter([error("ResourceNotFoundException"), status("CREATING"), status("ACTIVE")])

    def script(sent: Sent) -> Answer:
        if sent.operation == "DescribeTable":
            return next(looks)
        return answer({}) if orjson.loads(sent.body)["TableName"] == NAMES.budgets else error(EXISTS)

    rig = Rig(script)
    assert await rig.create() == [NAMES.budgets]
    assert rig.asked == [
        *(("CreateTable", name) for name in (NAMES.projects, NAMES.budgets, NAMES.usage)),
        *[("DescribeTable", NAMES.budgets)] * 3,
    ]
    assert rig.pauses == [1.0, 1.0]


async def test_a_table_that_never_becomes_active_is_named() -> None:
    rig = Rig(lambda sent: answer({}) if sent.operation == "CreateTable" else status("CREATING"))
    with pytest.raises(CommandFailed, match=NAMES.projects) as failed:
        await rig.create()
    assert failed.value.exit_code == ExitCode.UNREACHABLE
    assert len(rig.pauses) == 59


@pytest.mark.parametrize(
    ("script", "raised"),
    [
        ([error("AccessDeniedException")], AwsRefused),
        ([Broken()], AwsUnanswered),
        ([answer({}), answer({}), answer({}), error("AccessDeniedException")], AwsRefused),
    ],
)
async def test_what_else_dynamodb_says_is_passed_on(script: list[Any], raised: type[Exception]) -> None:
    rig = Rig(script)
    with pytest.raises(raised):
        await rig.create()
    assert len(rig.transport.sent) == len(script), "and nothing more is asked"
