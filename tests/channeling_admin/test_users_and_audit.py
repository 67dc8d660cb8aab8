"""Users' budgets over HTTP, and the log of who changed what: one entry for each change, whatever became of it."""

import httpx
import pytest

from channeling.budgets.decide import HoldAsk
from channeling.budgets.item import BudgetKey
from channeling.budgets.windows import first_window
from channeling.errors import StoreUnavailable
from channeling.operations.projects import change_project, show_project
from tests.channeling_admin.conftest import NOW_S, TESTER, AdminUnderTest

SHOP = "/api/projects/shop"
DOLLAR = 10**9


@pytest.fixture
async def ana(under_test: AdminUnderTest) -> str:
    """A user who holds $2 of a day of $5."""
    ask = HoldAsk(
        key=BudgetKey("shop", "ana", "day"),
        hold_id=under_test.stores.new_order_id(),
        limit=5 * DOLLAR,
        issued_at_ms=NOW_S * 1_000,
        max_concurrent=10,
        token_window_start_s=NOW_S,
        hold_lifetime_s=960,
        enforcement="elastic",
    )
    await under_test.stores.budgets.create(ask, 2 * DOLLAR, first_window("day", NOW_S, NOW_S))
    await under_test.record(user_id="ana", started_s=NOW_S - 60)
    return "ana"


async def test_a_users_budgets_are_shown_as_they_stand(api: httpx.AsyncClient, ana: str) -> None:
    [budget] = (await api.get(f"{SHOP}/user", params={"user": ana})).json()["budgets"]
    assert (budget["window"], budget["settled_usd"], budget["held_usd"]) == ("day", "0", "2")
    assert (budget["running_requests"], budget["resets_in_s"], budget["has_ended"]) == (1, 86_400, False)
    [listed] = (await api.get(f"{SHOP}/users")).json()["users"]
    assert (listed["user_id"], listed["budgets"], listed["usage"]["requests"]) == (ana, [budget], 1)


async def test_money_is_given_back_charged_raised_and_reset(api: httpx.AsyncClient, ana: str) -> None:
    async def order(what: str, **body: str) -> httpx.Response:
        params = {"user": ana}
        body = {"window": "day", "reason": "a test"} | body
        return await api.post(f"{SHOP}/user/{what}", params=params, json=body)

    charged = (await order("adjust", debit_usd="1.5")).json()
    assert (charged["adjusted_usd"], charged["budgets"][0]["settled_usd"]) == ("1.5", "1.5")
    given = (await order("adjust", credit_usd="0.5")).json()
    assert (given["adjusted_usd"], given["budgets"][0]["settled_usd"]) == ("-0.5", "1")
    assert (await order("adjust", credit_usd="1.01")).status_code == 400
    assert (await order("adjust", credit_usd="0")).status_code == 400
    assert (await order("adjust")).status_code == 400
    assert (await order("adjust", credit_usd="1", debit_usd="1")).status_code == 400
    assert (await order("adjust", debit_usd="1", window="week")).status_code == 404
    assert (await order("adjust", debit_usd="1", reason="\n")).status_code == 400
    assert (await order("raise", amount_usd="10")).json()["budgets"][0]["raise_usd"] == "10"
    assert (await order("raise", amount_usd="0")).json()["budgets"][0]["raise_usd"] == "0"
    assert (await order("reset")).json()["adjusted_usd"] == "-1"


async def test_a_revoked_user_is_shown_as_such(api: httpx.AsyncClient, ana: str) -> None:
    revoked = await api.post(f"{SHOP}/user/revoke", params={"user": ana}, json={"reason": "left"})
    assert revoked.json()["revoked_before"] == "2026-11-24T12:00:00Z"
    assert (await api.post(f"{SHOP}/user/revoke", params={"user": ana}, json={})).status_code == 400


async def test_every_change_leaves_an_entry_and_what_was_refused_does_too(
    api: httpx.AsyncClient, under_test: AdminUnderTest, ana: str
) -> None:
    await api.patch(SHOP, json={"max_concurrent": 3})
    under_test.clock.now_s += 1
    await api.delete(f"{SHOP}/secrets/ffffffff")
    under_test.clock.now_s += 1
    await api.post(f"{SHOP}/user/revoke", params={"user": ana}, json={"reason": "left"})
    under_test.clock.now_s += 1
    await api.put("/api/prices", json={"model": "m", "input": "1", "output": "2"})
    entries = (await api.get(f"{SHOP}/audit")).json()["entries"]
    assert [(entry["action"], entry["outcome"], entry["actor"], entry["via"]) for entry in entries] == [
        ("user.revoke", "done", "olga", "api"),
        ("secret.remove", "refused", "olga", "api"),
        ("project.change", "done", "olga", "api"),
        ("project.create", "done", "tester", "cli"),
    ]
    assert (entries[0]["target"], entries[0]["details"]) == (ana, {"reason": "left"})
    assert entries[2]["details"] == {"max_concurrent": "3"}
    assert "ffffffff" in entries[1]["reason"]
    [everywhere] = (await api.get("/api/audit")).json()["entries"]
    assert (everywhere["action"], everywhere["project_id"]) == ("price.set", "*")


async def test_the_log_is_read_page_by_page_across_months(
    api: httpx.AsyncClient, under_test: AdminUnderTest
) -> None:
    for days in (0, 20, 40, 41):
        under_test.clock.now_s = NOW_S + days * 86_400
        async with under_test.client(under_test.token()) as client:
            await client.patch(SHOP, json={"name": f"after {days} days"})
    async with under_test.client(under_test.token()) as client:
        seen, before = [], None
        while True:
            params = {"limit": "2"} | ({"before": before} if before else {})
            page = (await client.get(f"{SHOP}/audit", params=params)).json()
            seen += [entry["details"]["name"] for entry in page["entries"]]
            before = page["next_before"]
            if before is None:
                break
        assert seen == ["after 41 days", "after 40 days", "after 20 days", "after 0 days", "Shop"]


async def test_nothing_changes_where_the_log_cannot_be_written(
    under_test: AdminUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_down(*_: object, **__: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(type(under_test.stores.dynamodb), "put", is_down)
    with pytest.raises(StoreUnavailable):
        await change_project(under_test.stores, TESTER, "shop", {"name": "Store"})
    assert (await show_project(under_test.stores, "shop")).rules.name == "Shop"
    async with under_test.client(under_test.token()) as client:
        assert (await client.patch(SHOP, json={"name": "Store"})).status_code == 529
