"""`DynamoDB` over botocore's low-level client: for whoever has botocore anyway, such as the command line."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from channeling.dynamodb import DynamoDBOperations, refusal_of
from channeling.errors import StoreUnavailable


class BotocoreDynamoDB(DynamoDBOperations):
    """`DynamoDB` over botocore's client, which threads may share; each call on a worker thread, from any loop."""

    def __init__(
        self,
        client: Any,
        *,
        threads: int = 64,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(pause)
        self._client = client
        self._operations = {
            "GetItem": client.get_item,
            "PutItem": client.put_item,
            "UpdateItem": client.update_item,
            "DeleteItem": client.delete_item,
            "Query": client.query,
            "Scan": client.scan,
            "TransactWriteItems": client.transact_write_items,
        }
        self._executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="dynamodb")

    def close(self) -> None:
        """Stop the worker threads; calls under way finish."""
        self._executor.shutdown(wait=False)
        self._client.close()

    async def _answer(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, _answer_of, self._operations[operation], arguments)


def _answer_of(operation: Callable[..., dict[str, Any]], arguments: dict[str, Any]) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return operation(**arguments)
    except ClientError as error:
        raise refusal_of(error.response.get("Error", {}).get("Code", ""), error.response) from error
    except BotoCoreError as error:
        raise StoreUnavailable("the budget store did not answer") from error
