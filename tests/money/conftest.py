"""The budget protocol, and a running gateway, on the embedded DynamoDB."""

from tests.channeling.budgets.conftest import protocol
from tests.channeling.gateway.conftest import gateway, standing_gateway, standing_upstream, upstream

__all__ = ["gateway", "protocol", "standing_gateway", "standing_upstream", "upstream"]
