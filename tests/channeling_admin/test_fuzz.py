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
from channeling.budgets.decide import HoldAsk
from channeling.budgets.item import BudgetKey
from channeling.budgets.windows import first_window
from channeling.operations.projects import create_project
from channeling.operations.provider_keys import set_key
from channeling.operations.stores import Stores, open_stores
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

EXAMPLES = 50
# What there is, by the names of parameters.
KNOWN = {
    "project": "shop",
    "user": "ana",
    "provider": "openai",
    "from": "2026-11-24T00:00:00Z",
    "until": "2026-11-25T00:00:00Z",
}


def _app() -> FastAPI:
    """Return an admin API in memory with a project "shop"."""
    clock, randomness = SetClock(NOW_S), Randomness()
    stores = open_stores(
        MemoryDynamoDB(), TableNames.with_prefix("fuzz"), KeyFileCipher(b"k" * 32), clock, randomness
    )
    asyncio.run(_fill(stores))
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


async def _fill(stores: Stores) -> None:
    await create_project(stores, TESTER, ProjectRules("Shop"), project_id="shop")
    await set_key(stores, TESTER, "shop", "openai", "sk-of-this-test")
    ask = HoldAsk(
        key=BudgetKey("shop", "ana", "day"),
        hold_id=stores.new_order_id(),
        limit=10**9,
        token_window_start_s=NOW_S,
        issued_at_ms=NOW_S * 1_000,
        max_concurrent=10,
        hold_lifetime_s=960,
        enforcement="elastic",
    )
    await stores.budgets.create(ask, 1, first_window("day", NOW_S, NOW_S))


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
    @given(case=operation.as_strategy(), known=st.sets(st.sampled_from(sorted(KNOWN)), min_size=2))
    def call(case: Any, known: set[str]) -> None:
        # Most calls are of the project that is there, so that they come past its look-up.
        for place in (case.path_parameters or {}, case.query or {}):
            place.update({name: KNOWN[name] for name in known if name in place})
        response = case.call(headers={"authorization": f"Bearer {token}"})
        statuses[response.status_code] += 1
        assert response.status_code < 500, response.text
        assert response.status_code not in (401, 403), response.text

    call()
    assert statuses, "nothing was called"
