"""Making the tables where no CloudFormation stack does: on one machine and in tests."""

from typing import Any

from channeling.tables import TableNames, create_table_arguments


def create_tables(client: Any, names: TableNames) -> list[str]:
    """Create the tables that are missing and return their names; wait until each can be written to.

    `client` is botocore's low-level DynamoDB client. What it raises is passed on, but for "exists already".
    """
    created = []
    for arguments in create_table_arguments(names):
        try:
            client.create_table(**arguments)
        except client.exceptions.ResourceInUseException:
            continue
        created.append(arguments["TableName"])
    for name in created:
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return created
