"""What the tests of rollups prove on the embedded DynamoDB holds on AWS's own: the same tests, run once more."""

import pytest

from tests.channeling.reconcile import test_hourly_rollups
from tests.channeling.reconcile.test_hourly_rollups import hours
from tests.channeling.usage import test_store
from tests.channeling.usage.test_store import usage

__all__ = ["hours", "usage"]

pytestmark = pytest.mark.java

for module in (test_hourly_rollups, test_store):
    # Those on a store in memory would prove the same thing twice.
    of_module = {
        name: test
        for name, test in vars(module).items()
        if name.startswith("test_") and "in_memory" not in test.__annotations__
    }
    assert not of_module.keys() & globals().keys(), "two tests of one name: one of them would not run"
    globals().update(of_module)
