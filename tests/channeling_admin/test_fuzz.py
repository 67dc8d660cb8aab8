"""Whatever a signed-in caller sends, no call fails inside: generated from the API's own description."""

import asyncio
from collections import Counter
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from channeling.auth.admin_token import mint_admin_token
from channeling.operations.projects import create_project
from channeling.operations.stores import open_stores
from channeling.projects.key_file_cipher import KeyFileCipher
from channeling.projects.project import ProjectRules
from channeling.settings import DEFAULT_BASE_URLS
from channeling.tables import TableNames
from channeling_admin.admin import Admin
from channeling_admin.admin_secret import FixedSecret
from channeling_admin.app import create_admin_app
from channeling_admin.sign_in_rate import SignInRate
from simulation.memory_dynamodb import MemoryDynamoDB
from tests.channeling_admin.conftest import ADMIN_SECRET, NOW_S, TESTER, ProviderDouble, Randomness
from tests.stand_ins.clock import SetClock

EXAMPLES = 25


def _app() -> FastAPI:
    """Return an admin API in memory with a project "shop"."""
    clock, randomness = SetClock(NOW_S), Randomness()
    stores = open_stores(
        MemoryDynamoDB(), TableNames.with_prefix("fuzz"), KeyFileCipher(b"k" * 32), clock, randomness
    )
    asyncio.run(create_project(stores, TESTER, ProjectRules("Shop"), project_id="shop"))
    return create_admin_app(
        Admin(
            stores=stores,
            upstream=ProviderDouble(),
            base_urls=DEFAULT_BASE_URLS,
            secret=FixedSecret(ADMIN_SECRET),
            sign_in_rate=SignInRate(clock),
            clock=clock,
            randomness=randomness,
        )
    )


OPERATIONS = [
    found.ok() for found in schemathesis.openapi.from_asgi("/openapi.json", _app()).get_all_operations()
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_no_call_fails_inside(operation: Any) -> None:
    token = mint_admin_token(name="olga", secret=ADMIN_SECRET, now_s=NOW_S)
    statuses: Counter[int] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), is_of_shop=st.booleans())
    def call(case: Any, is_of_shop: bool) -> None:
        # Half of the calls are of the project that is there, so that they come past its look-up.
        if is_of_shop and "project" in (case.path_parameters or {}):
            case.path_parameters["project"] = "shop"
        response = case.call(headers={"authorization": f"Bearer {token}"})
        statuses[response.status_code] += 1
        assert response.status_code < 500, response.text
        assert response.status_code not in (401, 403), response.text

    call()
    assert statuses, "nothing was called"
