"""The budget protocol on the embedded DynamoDB."""

from tests.channeling.budgets.conftest import protocol

__all__ = ["protocol"]
