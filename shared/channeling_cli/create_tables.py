"""Making the tables where no CloudFormation stack does: for a server on one machine.

Source: Amazon DynamoDB API Reference, CreateTable (an existing table is ResourceInUseException) and DescribeTable
(which is eventually consistent: a table may not be found just after it was made).
"""

import asyncio
from collections.abc import Awaitable, Callable

import orjson

from channeling.aws.errors import AwsRefused
from channeling.aws.json_client import JsonClient
from channeling.tables import TableNames, create_table_arguments
from channeling_cli.failure import CommandFailed, ExitCode

_PAUSE_S = 1.0
_LOOKS = 60


async def create_tables(
    client: JsonClient, names: TableNames, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> list[str]:
    """Create the tables that are missing and return their names; wait until each can be written to.

    Raises AwsError, and CommandFailed for a table that cannot be used a minute later.
    """
    created: list[str] = []
    for arguments in create_table_arguments(names):
        try:
            await client.call("CreateTable", orjson.dumps(arguments))
        except AwsRefused as error:
            if error.code != "ResourceInUseException":
                raise
        else:
            created.append(arguments["TableName"])
    for name in created:
        await _wait_until_active(client, name, sleep)
    return created


async def _wait_until_active(
    client: JsonClient, name: str, sleep: Callable[[float], Awaitable[None]]
) -> None:
    for look in range(_LOOKS):
        if look:
            await sleep(_PAUSE_S)
        if await _is_active(client, name):
            return
    raise CommandFailed(
        f"DynamoDB is still making the table {name}",
        next_step="start again in a few minutes",
        exit_code=ExitCode.UNREACHABLE,
    )


async def _is_active(client: JsonClient, name: str) -> bool:
    try:
        answer = await client.call("DescribeTable", orjson.dumps({"TableName": name}))
    except AwsRefused as error:
        if error.code != "ResourceNotFoundException":
            raise
        return False
    return bool(answer["Table"]["TableStatus"] == "ACTIVE")
