"""Projects, secrets, keys and prices over HTTP: made, changed and removed; secrets shown once or never."""

import asyncio
import json

import httpx
import pytest

from channeling.auth.token import verify_token
from channeling.operations.projects import change_project, show_project
from channeling.projects.project_secrets import open_secrets
from tests.channeling_admin.conftest import NOW_S, TESTER, AdminUnderTest

SHOP = "/api/projects/shop"


async def test_a_project_is_created_with_a_secret_that_is_shown_once(api: httpx.AsyncClient) -> None:
    made = await api.post("/api/projects", json={"project_id": "team", "name": "Team", "max_ai_usd": "5.5"})
    assert made.status_code == 201
    secret = made.json()["hmac_secret"]
    assert secret.startswith("hk_live_")
    shown = (await api.get("/api/projects/team")).json()
    assert (shown["name"], shown["max_ai_usd"], shown["monthly_cap_usd"]) == ("Team", "5.5", None)
    assert len(shown["secret_fingerprints"]) == 1
    assert secret not in (await api.get("/api/projects/team")).text
    assert [each["project_id"] for each in (await api.get("/api/projects")).json()["projects"]] == [
        "shop",
        "team",
    ]


async def test_a_project_without_an_id_gets_one_of_its_own(api: httpx.AsyncClient) -> None:
    ids = {(await api.post("/api/projects", json={"name": "Team"})).json()["project_id"] for _ in range(2)}
    assert len(ids) == 2
    assert all(each.startswith("proj_") for each in ids)


async def test_rules_that_are_named_change_and_null_takes_a_limit_away(api: httpx.AsyncClient) -> None:
    changed = await api.patch(
        SHOP,
        json={
            "monthly_cap_usd": "100",
            "max_ai_usd": "5",
            "max_concurrent": 4,
            "enforcement": "strict",
            "aliases": {"fast": "claude-haiku-4-5"},
        },
    )
    assert changed.status_code == 200, changed.text
    after = (await api.patch(SHOP, json={"max_ai_usd": None, "enforcement": None})).json()
    assert (after["name"], after["monthly_cap_usd"], after["max_ai_usd"]) == ("Shop", "100", None)
    assert (after["max_concurrent"], after["enforcement"]) == (4, None)
    assert after["aliases"] == {"fast": "claude-haiku-4-5"}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"nmae": "Shop"}, "nmae"),
        ({"status": "asleep"}, "status"),
        ({"max_concurrent": 0}, "max_concurrent"),
        ({"max_ai_usd": 5}, "max_ai_usd"),
        ({"max_ai_usd": "-5"}, "max_ai_usd"),
        ({"max_ai_usd": "0.0000001"}, "six decimals"),
        ({"max_ai_usd": "2000000"}, "max_ai"),
        ({"aliases": {"": "claude"}}, "aliases"),
        ({"aliases": {"a": "b\n"}}, "printable"),
        ({"aliases": {"a": "b\ud800"}}, "aliases"),
        ({"base_urls": {"anthropic": "ftp://example.com"}}, "base URL"),
        ({"base_urls": {"mistral": "https://example.com"}}, "base_urls"),
        ([], "body"),
    ],
)
async def test_a_malformed_change_is_refused_by_name(api: httpx.AsyncClient, body: object, word: str) -> None:
    # Written here, since httpx sends no lone surrogate, and JSON can.
    refused = await api.patch(SHOP, content=json.dumps(body), headers={"content-type": "application/json"})
    assert refused.status_code == 400, refused.text
    assert word in refused.json()["error"]["message"]
    assert refused.json()["request_id"].startswith("req_")


async def test_changes_of_different_rules_at_once_lose_none(under_test: AdminUnderTest) -> None:
    changes = [
        {"max_concurrent": 7},
        {"name": "Store"},
        {"max_ai_microusd": 5},
        {"monthly_cap_microusd": 6},
        {"allow_unbounded_tools": True},
    ]
    await asyncio.gather(*(change_project(under_test.stores, TESTER, "shop", change) for change in changes))
    rules = (await show_project(under_test.stores, "shop")).rules
    assert (rules.max_concurrent, rules.name, rules.max_ai_microusd) == (7, "Store", 5)
    assert (rules.monthly_cap_microusd, rules.allow_unbounded_tools) == (6, True)


async def test_a_deleted_project_is_disabled_and_comes_back_until_its_time(
    api: httpx.AsyncClient, under_test: AdminUnderTest
) -> None:
    deleted = (await api.delete(SHOP, params={"grace_days": 2})).json()
    assert (deleted["status"], deleted["delete_at"]) == ("disabled", "2026-11-26T12:00:00Z")
    restored = (await api.post(f"{SHOP}/restore")).json()
    assert (restored["status"], restored["delete_at"]) == ("active", None)
    assert (await api.post(f"{SHOP}/restore")).status_code == 400
    await api.delete(SHOP, params={"grace_days": 2})
    under_test.clock.now_s = NOW_S + 2 * 86_400
    async with under_test.client(under_test.token()) as later:
        refused = await later.post(f"{SHOP}/restore")
        assert (refused.status_code, "over" in refused.text) == (400, True)


async def test_secrets_rotate_and_the_third_has_no_place(api: httpx.AsyncClient) -> None:
    added = (await api.post(f"{SHOP}/secrets")).json()
    fingerprints = (await api.get(f"{SHOP}/secrets")).json()["fingerprints"]
    assert fingerprints[-1] == added["fingerprint"]
    assert (await api.post(f"{SHOP}/secrets")).status_code == 409
    left = await api.delete(f"{SHOP}/secrets/{fingerprints[0]}")
    assert left.json() == {"fingerprints": [added["fingerprint"]]}
    assert (await api.delete(f"{SHOP}/secrets/{fingerprints[0]}")).status_code == 404


async def test_a_key_is_set_tested_and_removed_and_never_shown(
    api: httpx.AsyncClient, under_test: AdminUnderTest
) -> None:
    key = "sk-ant-a-key-of-this-test"
    answers = [await api.put(f"{SHOP}/keys/anthropic", json={"key": key})]
    assert answers[0].json() == {"provider_keys": ["anthropic"]}
    answers.append(await api.post(f"{SHOP}/keys/anthropic/test"))
    assert answers[1].json()["outcome"] == "accepted"
    [asked] = under_test.provider.asked
    assert asked.url == "https://api.anthropic.com/v1/models?limit=1"
    assert ("x-api-key", key) in asked.headers
    answers.append(await api.get(SHOP))
    answers.append(await api.get(f"{SHOP}/audit"))
    assert not any(key in answer.text for answer in answers)
    assert (await api.delete(f"{SHOP}/keys/anthropic")).json() == {"provider_keys": []}
    assert (await api.delete(f"{SHOP}/keys/anthropic")).status_code == 404
    assert (await api.post(f"{SHOP}/keys/anthropic/test")).status_code == 404


@pytest.mark.parametrize(
    ("status", "is_down", "outcome"),
    [(401, False, "refused"), (403, False, "refused"), (500, False, "unclear"), (0, True, "unclear")],
)
async def test_what_a_provider_says_of_a_key_is_told_without_its_words(
    api: httpx.AsyncClient, under_test: AdminUnderTest, status: int, is_down: bool, outcome: str
) -> None:
    await api.put(f"{SHOP}/keys/openai", json={"key": "sk-of-this-test"})
    under_test.provider.status, under_test.provider.is_down = status, is_down
    told = await api.post(f"{SHOP}/keys/openai/test")
    assert told.json()["outcome"] == outcome
    assert "sk-" not in told.text
    assert "10.0.0.1" not in told.text


@pytest.mark.parametrize("key", ["", "two words", "ümlaut", "x" * 1_001, 5, None])
async def test_what_cannot_be_a_key_is_refused_without_being_repeated(
    api: httpx.AsyncClient, key: object
) -> None:
    refused = await api.put(f"{SHOP}/keys/anthropic", json={"key": key})
    assert refused.status_code == 400
    assert not key or str(key) not in refused.text


async def test_a_key_is_sent_to_no_other_server_than_the_one_it_was_set_for(
    api: httpx.AsyncClient, under_test: AdminUnderTest
) -> None:
    elsewhere = {"base_urls": {"anthropic": "https://collector.example"}}
    await api.put(f"{SHOP}/keys/anthropic", json={"key": "sk-ant-of-this-test"})
    refused = await api.patch(SHOP, json=elsewhere)
    assert refused.status_code == 400
    assert "remove the key" in refused.json()["error"]["message"]
    await api.delete(f"{SHOP}/keys/anthropic")
    assert (await api.patch(SHOP, json=elsewhere)).status_code == 200
    async with under_test.client(under_test.token(project_id="shop")) as bound:
        assert (await bound.patch(SHOP, json={"base_urls": {}})).status_code == 403


async def test_prices_are_set_replaced_and_removed_by_what_they_hold_for(api: httpx.AsyncClient) -> None:
    price = {"model": "claude-*", "input": "3", "output": "15.50"}
    first = (await api.put(f"{SHOP}/prices", json=price)).json()
    again = (await api.put(f"{SHOP}/prices", json=price | {"input": "2"})).json()
    later = (
        await api.put(
            f"{SHOP}/prices", json=price | {"valid_from": "2027-01-01T00:00:00Z", "cache_read": "1"}
        )
    ).json()
    assert first["price_id"] == again["price_id"] != later["price_id"]
    listed = (await api.get(f"{SHOP}/prices")).json()["prices"]
    assert [(each["input"], each["valid_from"]) for each in listed] == [
        ("2", None),
        ("3", "2027-01-01T00:00:00Z"),
    ]
    assert (await api.delete(f"{SHOP}/prices/{first['price_id']}")).status_code == 204
    assert (await api.delete(f"{SHOP}/prices/{first['price_id']}")).status_code == 404
    assert len((await api.get(f"{SHOP}/prices")).json()["prices"]) == 1
    assert (await api.get("/api/prices")).json() == {"prices": []}
    assert (await api.put("/api/prices", json=price)).status_code == 200
    assert len((await api.get("/api/prices")).json()["prices"]) == 1


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"input": "0.0000001"}, "per million"),
        ({"input": 3}, "input"),
        ({"input": "20000"}, "unit"),
        ({"model": "a*b"}, "model"),
        ({"provider": "mistral"}, "provider"),
        ({"valid_from": "soon"}, "valid_from"),
        ({"valid_from": "0001-01-01T00:00:00+14:00"}, "valid_from"),
        ({"outptu": "3"}, "outptu"),
    ],
)
async def test_a_price_that_cannot_be_meant_is_refused(
    api: httpx.AsyncClient, change: dict[str, object], word: str
) -> None:
    refused = await api.put(f"{SHOP}/prices", json={"model": "m", "input": "3", "output": "4"} | change)
    assert refused.status_code == 400
    assert word in refused.json()["error"]["message"]


async def test_what_is_not_there_is_a_404_that_names_it(api: httpx.AsyncClient) -> None:
    for path in ("", "/secrets", "/prices", "/usage", "/records", "/user?user=ana", "/users"):
        missing = await api.get(f"/api/projects/nobody{path}")
        assert missing.status_code == 404, path
        assert "nobody" in missing.json()["error"]["message"]
    assert (await api.put("/api/projects/nobody/keys/openai", json={"key": "k"})).status_code == 404
    assert (
        await api.put("/api/projects/nobody/prices", json={"model": "m", "input": "1", "output": "1"})
    ).status_code == 404
    assert (await api.get("/api/nothing")).status_code == 404


async def test_a_minted_token_is_the_projects_own(api: httpx.AsyncClient, under_test: AdminUnderTest) -> None:
    await api.patch(SHOP, json={"max_ai_usd": "5"})
    minted = (
        await api.post(f"{SHOP}/tokens", json={"user_id": "ana", "budget_usd": "5", "window": "week"})
    ).json()
    stored = await under_test.stores.projects.read("shop")
    assert stored is not None
    opened = await open_secrets(under_test.stores.cipher, "shop", stored.sealed)
    claims = verify_token(minted["token"], opened.hmac_secrets, now_s=NOW_S)
    assert (claims.user_id, claims.budget.limit_nanousd, claims.budget.window) == ("ana", 5 * 10**9, "week")
    assert minted["base_url"] == "http://gateway.test"
    refused = await api.post(f"{SHOP}/tokens", json={"user_id": "ana", "budget_usd": "5.01"})
    assert (refused.status_code, "max_ai" in refused.text) == (400, True)
