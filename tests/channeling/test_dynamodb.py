"""The door to DynamoDB tries again what met a transaction, and nothing else; a bounded number of times."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol

import botocore.session
import pytest
from botocore import xform_name
from botocore.stub import Stubber

from channeling.aws.credentials import Credentials, FixedCredentials
from channeling.aws.endpoints import DYNAMODB, endpoint_at
from channeling.aws.json_client import JsonClient
from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.dynamodb import (
    ConditionFailed,
    DynamoDB,
    DynamoDBOperations,
    ForeignValue,
    TransactionRefused,
    Update,
    from_attribute,
    to_attribute,
    to_item,
)
from channeling.errors import StoreUnavailable
from channeling.lean_dynamodb import LeanDynamoDB
from tests.stand_ins.aws_transport import Answer, ScriptedTransport, Sent, answer
from tests.stand_ins.clock import SetClock

HOLD = Update(
    "budgets",
    {"pk": "demo#ana", "sk": "day"},
    "SET committed = :one",
    "attribute_exists(pk)",
    {},
    {":one": 1},
)
CONFLICTS = ["TransactionConflictException", "ReplicatedWriteConflictException"]


class Stubbed(Protocol):
    """A door whose answers are set, with the pauses that it would make."""

    door: DynamoDBOperations
    pauses: list[float]

    def answers(self, operation: str, members: dict[str, Any]) -> None: ...
    def refuses(self, operation: str, code: str, times: int = 1, **members: Any) -> None: ...
    def is_used_up(self) -> bool: ...
    def close(self) -> None: ...


class StubbedBotocore:
    """The door over botocore's own client."""

    def __init__(self) -> None:
        session = botocore.session.get_session()
        client = session.create_client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        self.stub = Stubber(client)
        self.stub.activate()
        self.pauses: list[float] = []
        self.door = BotocoreDynamoDB(client, threads=1, pause=self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def answers(self, operation: str, members: dict[str, Any]) -> None:
        self.stub.add_response(xform_name(operation), members)

    def refuses(self, operation: str, code: str, times: int = 1, **members: Any) -> None:
        for _ in range(times):
            self.stub.add_client_error(xform_name(operation), code, modeled_fields=members)

    def is_used_up(self) -> bool:
        self.stub.assert_no_pending_responses()
        return True

    def close(self) -> None:
        self.door.close()


class StubbedLean:
    """The lean door over answers as they come over the wire."""

    def __init__(self) -> None:
        self.script: list[tuple[str, Answer]] = []
        self.pauses: list[float] = []
        client = JsonClient(
            endpoint_at(DYNAMODB, "http://127.0.0.1:1", "us-east-1"),
            FixedCredentials(Credentials("a", "b")),
            ScriptedTransport(self._next),
            SetClock(),
        )
        self.door = LeanDynamoDB(client, pause=self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def _next(self, sent: Sent) -> Answer:
        operation, given = self.script.pop(0)
        assert sent.operation == operation
        return given

    def answers(self, operation: str, members: dict[str, Any]) -> None:
        self.script.append((operation, answer(members)))

    def refuses(self, operation: str, code: str, times: int = 1, **members: Any) -> None:
        kind = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}"}
        self.script += [(operation, answer({**kind, **members}, 400))] * times

    def is_used_up(self) -> bool:
        return not self.script

    def close(self) -> None:
        pass


@pytest.fixture(params=[StubbedBotocore, StubbedLean])
def stubbed(request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    door: Stubbed = request.param()
    yield door
    door.close()


WRITES: dict[str, Callable[[DynamoDB], Awaitable[Any]]] = {
    "UpdateItem": lambda door: door.update(HOLD),
    "PutItem": lambda door: door.put("usage", {"pk": "a", "sk": "b"}, unless_exists="pk"),
}


@pytest.mark.parametrize("code", CONFLICTS)
@pytest.mark.parametrize("operation", WRITES)
async def test_a_write_that_meets_a_transaction_is_made_after_it(
    stubbed: Stubbed, operation: str, code: str
) -> None:
    """As when a hold meets a revocation, which is one transaction over all kinds of a user's budget."""
    stubbed.refuses(operation, code, times=3)
    stubbed.answers(operation, {"Attributes": {"pk": {"S": "demo#ana"}}} if operation == "UpdateItem" else {})
    await WRITES[operation](stubbed.door)
    assert stubbed.is_used_up()
    assert len(stubbed.pauses) == 3
    assert stubbed.pauses == sorted(stubbed.pauses)


@pytest.mark.parametrize("operation", WRITES)
async def test_a_conflict_that_does_not_pass_is_the_store_s_refusal(stubbed: Stubbed, operation: str) -> None:
    """Five pauses, under a second together, and then an error that says what it was."""
    stubbed.refuses(operation, CONFLICTS[0], times=6)
    with pytest.raises(StoreUnavailable, match="TransactionConflictException"):
        await WRITES[operation](stubbed.door)
    assert stubbed.is_used_up()
    assert len(stubbed.pauses) == 5
    assert 0.5 < sum(stubbed.pauses) < 1


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("ConditionalCheckFailedException", ConditionFailed),
        ("ResourceNotFoundException", StoreUnavailable),
        ("ValidationException", StoreUnavailable),
        ("AccessDeniedException", StoreUnavailable),
    ],
)
async def test_other_refusals_are_not_tried_again(
    stubbed: Stubbed, code: str, refusal: type[Exception]
) -> None:
    """A condition that failed is an answer; what the client itself retries is not retried twice."""
    stubbed.refuses("UpdateItem", code)
    with pytest.raises(refusal):
        await stubbed.door.update(HOLD)
    assert stubbed.is_used_up()
    assert stubbed.pauses == []


async def test_a_condition_that_fails_after_a_conflict_tells_what_stood(stubbed: Stubbed) -> None:
    stubbed.refuses("UpdateItem", CONFLICTS[0])
    item = {"pk": {"S": "demo#ana"}, "settled": {"N": "7"}}
    stubbed.refuses("UpdateItem", "ConditionalCheckFailedException", Item=item)
    with pytest.raises(ConditionFailed) as failed:
        await stubbed.door.update(HOLD)
    assert failed.value.item == {"pk": "demo#ana", "settled": 7}


async def test_a_condition_that_fails_on_nothing_tells_that(stubbed: Stubbed) -> None:
    stubbed.refuses("UpdateItem", "ConditionalCheckFailedException")
    with pytest.raises(ConditionFailed) as failed:
        await stubbed.door.update(HOLD)
    assert failed.value.item is None


async def test_a_transaction_that_meets_another_is_its_writer_s_to_repeat(stubbed: Stubbed) -> None:
    """A cancelled transaction names its reasons, which its writer reads: the door does not repeat it."""
    reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    stubbed.refuses("TransactWriteItems", "TransactionCanceledException", CancellationReasons=reasons)
    with pytest.raises(TransactionRefused) as refused:
        await stubbed.door.transact([HOLD, HOLD])
    assert refused.value.reasons == ("TransactionConflict", "None")
    assert stubbed.pauses == []


def test_botocore_still_has_these_names() -> None:
    """The names are those of the service's own model, as botocore ships it."""
    model = botocore.session.get_session().get_service_model("dynamodb")
    for operation in ("UpdateItem", "PutItem"):
        names = {shape.name for shape in model.operation_model(operation).error_shapes}
        assert set(CONFLICTS) <= names


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ({"N": "7"}, 7),
        ({"N": "-12"}, -12),
        ({"N": "9" * 38}, int("9" * 38)),
        ({"N": "2.5"}, ForeignValue("N", "2.5")),
        ({"N": "-0.5"}, ForeignValue("N", "-0.5")),
        ({"N": "1E-130"}, ForeignValue("N", "1E-130")),
        ({"SS": ["a"]}, ForeignValue("SS", "['a']")),
        ({"B": b"\x00\xff"}, b"\x00\xff"),
        ({"B": "AP8="}, b"\x00\xff"),
        ({"L": [{"N": "2.5"}, {"S": "x"}]}, [ForeignValue("N", "2.5"), "x"]),
    ],
    ids=str,
)
def test_what_others_wrote_into_an_item_does_not_make_it_unreadable(
    attribute: dict[str, Any], value: object
) -> None:
    """A set, or a number that is not whole, is met as what it is, and never written back."""
    assert from_attribute(attribute) == value
    assert to_item({"a": attribute, "b": {"M": {"c": attribute}}}) == {"a": value, "b": {"c": value}}


def test_a_foreign_value_is_not_written() -> None:
    with pytest.raises(TypeError, match="ForeignValue"):
        to_attribute(ForeignValue("N", "2.5"))
