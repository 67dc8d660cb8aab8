"""The embedded DynamoDB answers like DynamoDB, serves one request at a time, and ends with its parent."""

import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.dynamodb import ConditionFailed, Update
from channeling.tables import TableNames
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB, OneAtATime, local_client

KEY = {"pk": {"S": "shop#ana"}, "sk": {"S": "day"}}


def test_of_many_threads_exactly_the_limit_is_admitted(dynamodb_client: Any, tables: TableNames) -> None:
    def admit(_: int) -> bool:
        try:
            dynamodb_client.update_item(
                TableName=tables.budgets,
                Key=KEY,
                UpdateExpression="SET committed = if_not_exists(committed, :zero) + :one",
                ConditionExpression="attribute_not_exists(committed) OR committed < :limit",
                ExpressionAttributeValues={":zero": {"N": "0"}, ":one": {"N": "1"}, ":limit": {"N": "10"}},
            )
        except dynamodb_client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(admit, range(48))) == 10
    item = dynamodb_client.get_item(TableName=tables.budgets, Key=KEY)["Item"]
    assert item["committed"] == {"N": "10"}


def test_no_two_requests_are_inside_at_once() -> None:
    both_inside = threading.Barrier(2)

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            both_inside.wait(timeout=0.05)
        except threading.BrokenBarrierError:
            return [environ["wsgi.input"].read(), b" alone"]
        return [b"together"]

    def request(body: bytes) -> list[bytes]:
        environ = {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body + b"next request")}
        return list(one_at_a_time(environ, lambda *_: None))

    one_at_a_time = OneAtATime(application)
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(request, [b"a", b"bc"])) == [[b"a", b" alone"], [b"bc", b" alone"]]


async def test_the_door_round_trips_items_and_shows_what_refused_a_condition(
    dynamodb: BotocoreDynamoDB, tables: TableNames
) -> None:
    item = {
        "pk": "shop",
        "sk": "project",
        "n": 3,
        "blob": b"\x00\xff",
        "list": ["a", None, True],
        "map": {"k": 1},
    }
    await dynamodb.put(tables.projects, item, unless_exists="pk")
    assert await dynamodb.get(tables.projects, {"pk": "shop", "sk": "project"}) == item
    assert await dynamodb.query(tables.projects, ("pk", "shop")) == [item]
    with pytest.raises(ConditionFailed) as put_refused:
        await dynamodb.put(tables.projects, {"pk": "shop", "sk": "project"}, unless_exists="pk")
    with pytest.raises(ConditionFailed) as update_refused:
        await dynamodb.update(
            Update(
                tables.projects,
                {"pk": "shop", "sk": "project"},
                "SET n = :new",
                condition="n = :old",
                values={":new": 4, ":old": 2},
            )
        )
    assert put_refused.value.item == update_refused.value.item == item


def test_a_client_of_this_machine_needs_nothing_of_the_users_aws_configuration(
    embedded_dynamodb: EmbeddedDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "missing-here")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = local_client(embedded_dynamodb.endpoint_url)
    assert "TableNames" in client.list_tables()
    client.close()


def test_the_child_ends_when_its_parents_end_of_the_pipe_closes() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "channeling_cli.embedded_dynamodb", "--port", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["port"] > 0
        child.stdin.close()
        assert child.wait(timeout=10) == 0


def test_a_port_in_use_is_named(embedded_dynamodb: EmbeddedDynamoDB) -> None:
    port = embedded_dynamodb.endpoint_url.rpartition(":")[2]
    ended = subprocess.run(
        [sys.executable, "-m", "channeling_cli.embedded_dynamodb", "--port", port],
        input=b"",
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert port.encode() in ended.stderr
    assert ended.stdout == b""
