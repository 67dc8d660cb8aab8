"""The door to DynamoDB tries again what met a transaction, and nothing else; a bounded number of times."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.dynamodb import (
    ConditionFailed,
    ForeignValue,
    TransactionRefused,
    Update,
    from_attribute,
    to_attribute,
)
from channeling.errors import StoreUnavailable

HOLD = Update(
    "budgets",
    {"pk": "demo#ana", "sk": "day"},
    "SET committed = :one",
    "attribute_exists(pk)",
    {},
    {":one": 1},
)
CONFLICTS = ["TransactionConflictException", "ReplicatedWriteConflictException"]


class StubbedDoor:
    """The door over botocore's own client, whose answers are set, with the pauses that it would make."""

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

    def refuses(self, operation: str, code: str, times: int = 1) -> None:
        for _ in range(times):
            self.stub.add_client_error(operation, code)


@pytest.fixture
def stubbed() -> Iterator[StubbedDoor]:
    door = StubbedDoor()
    yield door
    door.door.close()


WRITES: dict[str, Callable[[BotocoreDynamoDB], Awaitable[Any]]] = {
    "update_item": lambda door: door.update(HOLD),
    "put_item": lambda door: door.put("usage", {"pk": "a", "sk": "b"}, unless_exists="pk"),
}


@pytest.mark.parametrize("code", CONFLICTS)
@pytest.mark.parametrize("operation", WRITES)
async def test_a_write_that_meets_a_transaction_is_made_after_it(
    stubbed: StubbedDoor, operation: str, code: str
) -> None:
    """As when a hold meets a revocation, which is one transaction over all kinds of a user's budget."""
    stubbed.refuses(operation, code, times=3)
    stubbed.stub.add_response(
        operation, {"Attributes": {"pk": {"S": "demo#ana"}}} if "update" in operation else {}
    )
    await WRITES[operation](stubbed.door)
    stubbed.stub.assert_no_pending_responses()
    assert len(stubbed.pauses) == 3
    assert stubbed.pauses == sorted(stubbed.pauses)


@pytest.mark.parametrize("operation", WRITES)
async def test_a_conflict_that_does_not_pass_is_the_store_s_refusal(
    stubbed: StubbedDoor, operation: str
) -> None:
    """Five pauses, under a second together, and then an error that says what it was."""
    stubbed.refuses(operation, CONFLICTS[0], times=6)
    with pytest.raises(StoreUnavailable, match="TransactionConflictException"):
        await WRITES[operation](stubbed.door)
    stubbed.stub.assert_no_pending_responses()
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
    stubbed: StubbedDoor, code: str, refusal: type[Exception]
) -> None:
    """A condition that failed is an answer; what botocore itself retries is not retried twice."""
    stubbed.refuses("update_item", code)
    with pytest.raises(refusal):
        await stubbed.door.update(HOLD)
    assert stubbed.pauses == []


async def test_a_condition_that_fails_after_a_conflict_tells_what_stood(stubbed: StubbedDoor) -> None:
    stubbed.refuses("update_item", CONFLICTS[0])
    stubbed.stub.add_client_error(
        "update_item",
        "ConditionalCheckFailedException",
        modeled_fields={"Item": {"pk": {"S": "demo#ana"}, "settled": {"N": "7"}}},
    )
    with pytest.raises(ConditionFailed) as failed:
        await stubbed.door.update(HOLD)
    assert failed.value.item == {"pk": "demo#ana", "settled": 7}


async def test_a_transaction_that_meets_another_is_its_writer_s_to_repeat(stubbed: StubbedDoor) -> None:
    """A cancelled transaction names its reasons, which its writer reads: the door does not repeat it."""
    stubbed.stub.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        modeled_fields={"CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}]},
    )
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
        ({"L": [{"N": "2.5"}, {"S": "x"}]}, [ForeignValue("N", "2.5"), "x"]),
    ],
    ids=str,
)
def test_what_others_wrote_into_an_item_does_not_make_it_unreadable(
    attribute: dict[str, Any], value: object
) -> None:
    """A set, or a number that is not whole, is met as what it is, and never written back."""
    assert from_attribute(attribute) == value


def test_a_foreign_value_is_not_written() -> None:
    with pytest.raises(TypeError, match="ForeignValue"):
        to_attribute(ForeignValue("N", "2.5"))
