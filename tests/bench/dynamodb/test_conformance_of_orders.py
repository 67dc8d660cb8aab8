"""As test_conformance.py, the tests of what operators order and of how holds end: no request of a benchmark does
more, so that these run with the larger counts."""

import pytest

from tests.channeling.budgets.conftest import protocol as protocol
from tests.channeling.budgets.test_operations import *  # noqa: F403
from tests.channeling.budgets.test_settlement import *  # noqa: F403

pytestmark = pytest.mark.long
