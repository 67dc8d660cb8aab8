"""`DynamoDB` wholly on the event loop, over the lean AWS client: for the path that every request takes."""

import asyncio
import os
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from channeling.aws.errors import AwsError, AwsRefused
from channeling.aws.json_client import JsonClient
from channeling.dynamodb import DynamoDBOperations, refusal_of
from channeling.errors import StoreUnavailable


class LeanDynamoDB(DynamoDBOperations):
    """`DynamoDB` that belongs to the event loop of its client.

    A write whose answer is lost is sent again, as botocore does: where it had been applied, its condition then
    refuses it with the item as that write left it, which its writer recognises. `randomness(n)` returns n random
    bytes.
    """

    def __init__(
        self,
        client: JsonClient,
        *,
        randomness: Callable[[int], bytes] = os.urandom,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(pause)
        self._client = client
        self._randomness = randomness

    async def _answer(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            # By this DynamoDB knows a transaction that is sent again, and does not apply it twice.
            arguments = {**arguments, "ClientRequestToken": self._randomness(16).hex()}
        try:
            body = orjson.dumps(arguments, default=_base64)
        except orjson.JSONEncodeError as error:  # half of a surrogate pair, which UTF-8 has no bytes for
            raise StoreUnavailable("the budget store takes no such text") from error
        try:
            answer = await self._client.call(operation, body)
        except AwsRefused as error:
            raise refusal_of(error.code, error.members) from error
        except AwsError as error:
            raise StoreUnavailable("the budget store did not answer") from error
        if not isinstance(answer, dict):
            raise StoreUnavailable("the budget store answered with something else")
        return answer


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    raise TypeError(f"DynamoDB takes no {type(value).__name__}")
