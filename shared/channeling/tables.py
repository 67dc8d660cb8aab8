"""The DynamoDB tables, as CreateTable arguments: `template.yaml` declares the same (a test compares them).

projects  pk project id ("*" for global prices)   sk "project" | "secrets" | "price#<id>"
budgets   pk "<project>#<user>"                   sk window kind
usage     pk "<project>#<hour>#<shard>"           sk record id          index by_user: user_key, sk
          pk "<project>#rollup#<hour>#<shard>", "rollups", "dirty#<shard>", "reconcile": usage/rollup*.py,
          usage/late_hours.py, reconcile/checkpoint.py
"""

from typing import Any

from msgspec import Struct

USAGE_BY_USER = "by_user"


class TableNames(Struct, frozen=True):
    """The names of this deployment's tables."""

    projects: str
    budgets: str
    usage: str

    @classmethod
    def with_prefix(cls, prefix: str) -> "TableNames":
        """Return the names that the tables have on one machine and in tests."""
        return cls(f"{prefix}-projects", f"{prefix}-budgets", f"{prefix}-usage")


def create_table_arguments(names: TableNames) -> list[dict[str, Any]]:
    """Return one set of CreateTable arguments per table.

    Source: Amazon DynamoDB API Reference, CreateTable.
    """
    usage = _table(names.usage, extra_attributes=("user_key",))
    usage["GlobalSecondaryIndexes"] = [
        {
            "IndexName": USAGE_BY_USER,
            "KeySchema": [
                {"AttributeName": "user_key", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ]
    return [_table(names.projects), _table(names.budgets), usage]


def _table(name: str, extra_attributes: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": "S"}
            for attribute in ("pk", "sk", *extra_attributes)
        ],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    }
