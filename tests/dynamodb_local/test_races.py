"""What the races prove on the embedded DynamoDB holds on AWS's own: the same tests, run once more."""

import pytest

from tests.money import test_races as races
from tests.money import test_races_of_operators as races_of_operators

pytestmark = pytest.mark.java

for module in (races, races_of_operators):
    of_module = {name: test for name, test in vars(module).items() if name.startswith("test_")}
    assert not of_module.keys() & globals().keys(), "two tests of one name: one of them would not run"
    globals().update(of_module)
