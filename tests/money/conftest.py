"""The budget protocol, and a running gateway, on the embedded DynamoDB."""

from tests.channeling.budgets.conftest import protocol
from tests.channeling.gateway.conftest import gateway, standing_gateway, standing_upstream, upstream
from tests.money.books import books

__all__ = ["books", "gateway", "protocol", "standing_gateway", "standing_upstream", "upstream"]
