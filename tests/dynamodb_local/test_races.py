"""What the races prove on the embedded DynamoDB holds on AWS's own: the same tests, run once more."""

import pytest

from tests.money import test_races

pytestmark = pytest.mark.java

globals().update({name: test for name, test in vars(test_races).items() if name.startswith("test_")})
