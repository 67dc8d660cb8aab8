"""The product's tables in a test's own DynamoDB, through a botocore client that the test has anyway."""

from typing import Any

from channeling.tables import TableNames, create_table_arguments


def create_tables(client: Any, names: TableNames) -> None:
    """Create the tables, none of which may be there, and wait until each can be written to."""
    for arguments in create_table_arguments(names):
        client.create_table(**arguments)
        client.get_waiter("table_exists").wait(
            TableName=arguments["TableName"], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
