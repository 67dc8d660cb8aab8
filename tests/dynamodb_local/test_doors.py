"""Both doors do the same on AWS's own DynamoDB Local too: the same tests, run once more."""

import pytest

from tests.channeling.test_dynamodb_doors import *  # noqa: F403
from tests.channeling.test_dynamodb_doors import doors, writer

__all__ = ["doors", "writer"]

pytestmark = pytest.mark.java
