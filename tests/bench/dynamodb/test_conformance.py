"""The benchmarks' DynamoDB answers each operation of the budget stores' own tests as moto does.

They are those very tests, run again on a door that asks both stores and insists on one answer.
"""

from tests.channeling.budgets.conftest import protocol as protocol
from tests.channeling.budgets.test_admission import *  # noqa: F403
from tests.channeling.budgets.test_store import *  # noqa: F403
