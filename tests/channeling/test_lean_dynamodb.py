"""The lean door sends the very requests that botocore sends, and reads the same out of the answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import botocore.session
import orjson
import pytest
from botocore.awsrequest import AWSResponse

from channeling.aws.credentials import Credentials, FixedCredentials
from channeling.aws.endpoints import DYNAMODB, endpoint_at
from channeling.aws.json_client import JsonClient
from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.dynamodb import DynamoDB, Item, TransactionRefused, Update
from channeling.errors import StoreUnavailable
from channeling.lean_dynamodb import LeanDynamoDB
from tests.stand_ins.aws_transport import Answer, Broken, ScriptedTransport, answer, error
from tests.stand_ins.clock import SetClock

ITEM: Item = {
    "pk": "demo#ana\N{GRINNING FACE}",
    "sk": "day",
    "settled": 10**20,
    "debt": -7,
    "sealed": b"\x00\xff" * 20,
    "live": True,
    "ended": None,
    "holds": {"a.b": 1, "": {"x": [False, 2, "\x00"]}},
}
WIRE: dict[str, Any] = {
    "pk": {"S": "demo#ana\N{GRINNING FACE}"},
    "sk": {"S": "day"},
    "settled": {"N": "100000000000000000000"},
    "debt": {"N": "-7"},
    "sealed": {"B": "AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/w=="},
    "live": {"BOOL": True},
    "ended": {"NULL": True},
    "holds": {
        "M": {"a.b": {"N": "1"}, "": {"M": {"x": {"L": [{"BOOL": False}, {"N": "2"}, {"S": "\x00"}]}}}}
    },
}
KEY: Item = {"pk": "demo#ana", "sk": "day"}
UPDATE = Update(
    "budgets", KEY, "SET #a = :a", "attribute_exists(pk)", {"#a": "a"}, {":a": {"b": b"\x01", "n": [1, None]}}
)
BARE = Update("budgets", KEY, "REMOVE holds")
CALLS: dict[str, tuple[Callable[[DynamoDB], Awaitable[Any]], dict[str, Any]]] = {
    "get": (lambda door: door.get("t", KEY), {"Item": WIRE}),
    "get nothing": (lambda door: door.get("t", KEY), {}),
    "put": (lambda door: door.put("t", ITEM), {}),
    "put unless": (lambda door: door.put("t", ITEM, unless_exists="pk"), {}),
    "update": (lambda door: door.update(UPDATE), {"Attributes": WIRE}),
    "update bare": (lambda door: door.update(BARE), {"Attributes": WIRE}),
    "delete": (lambda door: door.delete("t", KEY), {"Attributes": WIRE}),
    "delete nothing": (lambda door: door.delete("t", KEY), {}),
    "query": (lambda door: door.query("t", ("pk", "a")), {"Items": [WIRE, WIRE], "Count": 2}),
    "query some": (
        lambda door: door.query(
            "t",
            ("user", "a"),
            index="by_user",
            sort_between=("at", "1", "2"),
            limit=7,
            consistent=False,
            descending=True,
        ),
        {"Items": []},
    ),
    "scan": (
        lambda door: door.scan_page("t", after=None, limit=5),
        {"Items": [WIRE], "LastEvaluatedKey": WIRE},
    ),
    "scan on": (lambda door: door.scan_page("t", after=KEY, limit=5), {"Items": []}),
    "transact": (lambda door: door.transact([UPDATE, BARE]), {}),
}


def lean(transport: ScriptedTransport) -> LeanDynamoDB:
    async def no_pause(_: float) -> None:
        await asyncio.sleep(0)

    client = JsonClient(
        endpoint_at(DYNAMODB, "http://127.0.0.1:1", "eu-west-1"),
        FixedCredentials(Credentials("a", "b")),
        transport,
        SetClock(),
        sleep=no_pause,
    )
    return LeanDynamoDB(client)


class Wiretapped:
    """botocore's door, whose requests are taken off the wire and answered here."""

    def __init__(self, members: dict[str, Any]) -> None:
        client = botocore.session.Session().create_client(
            "dynamodb", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        client.meta.events.register("before-send.dynamodb", self._answer)
        self._content = orjson.dumps(members)
        self.door = BotocoreDynamoDB(client, threads=1)
        self.sent: list[tuple[str, Any]] = []

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        self.sent.append((request.headers["X-Amz-Target"].decode(), orjson.loads(request.body)))
        return BufferedResponse(self._content)


class BufferedResponse(AWSResponse):  # type: ignore[misc]  # botocore has no types
    def __init__(self, content: bytes) -> None:
        super().__init__("", 200, {}, None)
        self._content = content


@pytest.mark.parametrize("name", CALLS)
async def test_requests_and_what_is_read_are_those_of_botocore(name: str) -> None:
    call, members = CALLS[name]
    theirs = Wiretapped(members)
    try:
        their_result = await call(theirs.door)
    finally:
        theirs.door.close()
    transport = ScriptedTransport([answer(members)])
    our_result = await call(lean(transport))
    ours = [(sent.headers["x-amz-target"], orjson.loads(sent.body)) for sent in transport.sent]
    for _, arguments in (*ours, *theirs.sent):
        if "TransactItems" in arguments:
            assert len(arguments.pop("ClientRequestToken")) in (32, 36)
    assert ours == theirs.sent
    assert our_result == their_result
    if name in ("get", "update", "delete"):
        assert our_result == ITEM


async def test_a_query_reads_all_pages_and_asks_for_no_more_than_its_limit() -> None:
    pages = [
        answer({"Items": [WIRE] * 3, "LastEvaluatedKey": {"pk": {"S": "3"}, "b": {"B": "AP8="}}}),
        answer({"Items": [], "LastEvaluatedKey": {"pk": {"S": "4"}}}),
        answer({"Items": [WIRE] * 2, "LastEvaluatedKey": {"pk": {"S": "5"}}}),
    ]
    transport = ScriptedTransport(pages)
    assert len(await lean(transport).query("t", ("pk", "a"), limit=5)) == 5
    asked = [orjson.loads(sent.body) for sent in transport.sent]
    assert [one["Limit"] for one in asked] == [5, 2, 2]
    starts = [one.get("ExclusiveStartKey") for one in asked]
    assert starts == [None, {"pk": {"S": "3"}, "b": {"B": "AP8="}}, {"pk": {"S": "4"}}]


async def test_a_transaction_that_is_sent_again_is_the_same_transaction() -> None:
    """DynamoDB knows it by its token, and another transaction has another."""
    transport = ScriptedTransport([Broken(), Answer(500, b""), answer({}), answer({})])
    door = lean(transport)
    await door.transact([UPDATE])
    await door.transact([UPDATE])
    tokens = [orjson.loads(sent.body)["ClientRequestToken"] for sent in transport.sent]
    assert tokens[0] == tokens[1] == tokens[2] != tokens[3]


async def test_a_transaction_without_reasons_is_refused_all_the_same() -> None:
    with pytest.raises(TransactionRefused) as refused:
        await lean(ScriptedTransport([error("TransactionCanceledException")])).transact([UPDATE])
    assert refused.value.reasons == ()


@pytest.mark.parametrize(
    "failures",
    [[Broken()] * 3, [Answer(503, b"")] * 3, [answer([])], [answer(None)], [Answer(403, b"no")]],
    ids=str,
)
async def test_whatever_is_no_answer_is_the_store_s_failure(failures: list[Answer | Exception]) -> None:
    with pytest.raises(StoreUnavailable):
        await lean(ScriptedTransport(failures)).get("t", KEY)


async def test_text_that_has_no_bytes_is_refused_and_not_sent() -> None:
    transport = ScriptedTransport([])
    with pytest.raises(StoreUnavailable, match="no such text"):
        await lean(transport).put("t", {"pk": "\ud800"})
    assert transport.sent == []
