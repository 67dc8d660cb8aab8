"""Who may do what: admin tokens alone, by role and project; a user's token never, nor an admin token there."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest
from fastapi.routing import APIRoute

from channeling.auth.admin_token import mint_admin_token, verify_admin_token
from channeling.auth.jws import encode_signed
from channeling.auth.mint import mint_token
from channeling.auth.token import verify_token
from channeling.errors import AuthenticationFailed
from channeling_admin.app import ROUTERS
from channeling_admin.guards import MAX_BODY_BYTES
from channeling_admin.sign_in_rate import BURST
from tests.channeling_admin.conftest import ADMIN_SECRET, NOW_S, AdminUnderTest

CLAIMS = {"sub": "olga", "aud": "channeling-admin", "iat": NOW_S, "exp": NOW_S + 60, "role": "operator"}
ROUTES: Sequence[APIRoute] = [
    route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)
]
CALLS = [(method, route.path) for route in ROUTES for method in sorted(route.methods)]


def _filled(path: str, project: str = "shop") -> str:
    values = {"project": project, "provider": "openai", "fingerprint": "00000000", "price_id": "0" * 16}
    return path.format(**values)


async def test_no_route_answers_without_a_token(under_test: AdminUnderTest) -> None:
    for number, (method, path) in enumerate(CALLS):
        async with under_test.client(address=f"192.0.2.{number}") as nobody:
            refused = await nobody.request(method, _filled(path))
        assert refused.status_code == 401, (method, path)
        assert refused.json()["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    ("change", "secret"),
    [
        ({}, "another-secret-of-32-characters-and-more"),
        ({"aud": None}, ADMIN_SECRET),
        ({"aud": "channeling"}, ADMIN_SECRET),
        ({"aud": ["channeling-admin"]}, ADMIN_SECRET),
        ({"exp": NOW_S}, ADMIN_SECRET),
        ({"exp": NOW_S + 12 * 3_600 + 1}, ADMIN_SECRET),
        ({"iat": NOW_S + 61, "exp": NOW_S + 100}, ADMIN_SECRET),
        ({"iat": None}, ADMIN_SECRET),
        ({"exp": None}, ADMIN_SECRET),
        ({"exp": True}, ADMIN_SECRET),
        ({"role": "owner"}, ADMIN_SECRET),
        ({"role": None}, ADMIN_SECRET),
        ({"role": ["operator"]}, ADMIN_SECRET),
        ({"sub": ""}, ADMIN_SECRET),
        ({"sub": "a\nb"}, ADMIN_SECRET),
        ({"sub": "x" * 101}, ADMIN_SECRET),
        ({"project": "no such#id"}, ADMIN_SECRET),
        ({"project": None}, ADMIN_SECRET),
    ],
)
def test_a_token_that_is_not_whole_is_refused(change: dict[str, object], secret: str) -> None:
    claims = {**CLAIMS, **change}
    if change != {"project": None}:
        claims = {name: value for name, value in claims.items() if value is not None}
    with pytest.raises(AuthenticationFailed):
        verify_admin_token(encode_signed(claims, secret), [ADMIN_SECRET], now_s=NOW_S)


async def test_a_whole_token_is_taken_and_says_what_it_may(under_test: AdminUnderTest) -> None:
    async with under_test.client(encode_signed(CLAIMS, ADMIN_SECRET)) as caller:
        assert (await caller.get("/api/session")).json() == {
            "name": "olga",
            "role": "operator",
            "project_id": None,
            "expires_at": "2026-11-24T12:01:00Z",
            "base_url": "http://gateway.test",
            "now": "2026-11-24T12:00:00Z",
        }


async def test_neither_kind_of_token_is_taken_for_the_other(under_test: AdminUnderTest) -> None:
    of_user = mint_token(
        user_id="olga",
        project_id="shop",
        # Even where both were signed with one secret.
        secret=ADMIN_SECRET,
        limit_microusd=1,
        window="day",
        window_start_s=NOW_S,
        now_s=NOW_S,
    )
    async with under_test.client(of_user) as caller:
        assert (await caller.get("/api/session")).status_code == 401
    of_admin = under_test.token(project_id="shop")
    with pytest.raises(AuthenticationFailed):
        verify_token(of_admin, [ADMIN_SECRET], now_s=NOW_S)
    user_like = {
        **CLAIMS,
        "iss": "shop",
        "budget": {"ai": 1, "window": "day", "windowStart": "2026-11-24T00:00:00Z"},
    }
    with pytest.raises(AuthenticationFailed, match="audience"):
        verify_token(encode_signed(user_like, ADMIN_SECRET), [ADMIN_SECRET], now_s=NOW_S)


async def test_a_viewer_changes_nothing(under_test: AdminUnderTest) -> None:
    async with under_test.client(under_test.token(role="viewer")) as viewer:
        for method, path in CALLS:
            if method != "GET":
                refused = await viewer.request(method, _filled(path), params={"user": "ana"}, json={})
                assert refused.status_code == 403, (method, path)
    assert [entry.action for entry in await under_test.stores.audit.read("shop", limit=10)] == [
        "project.create"
    ]
    assert await under_test.stores.audit.read(None, limit=10) == []


async def test_a_token_for_one_project_reaches_no_other(under_test: AdminUnderTest) -> None:
    async with under_test.client(under_test.token(project_id="shop")) as bound:
        for method, path in CALLS:
            if "{project}" in path:
                refused = await bound.request(method, _filled(path, "other"), params={"user": "ana"}, json={})
                assert refused.status_code == 403, (method, path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/projects"),
        ("DELETE", "/api/projects/shop"),
        ("POST", "/api/projects/shop/restore"),
        ("GET", "/api/prices"),
        ("PUT", "/api/prices"),
        ("GET", "/api/audit"),
    ],
)
async def test_what_concerns_the_deployment_is_not_for_a_token_of_one_project(
    under_test: AdminUnderTest, method: str, path: str
) -> None:
    async with under_test.client(under_test.token(project_id="shop")) as bound:
        price = {"model": "m", "input": "1", "output": "1"}
        assert (await bound.request(method, path, json=price if method == "PUT" else {})).status_code == 403
        listed = (await bound.get("/api/projects")).json()["projects"]
        assert [each["project_id"] for each in listed] == ["shop"]


async def test_a_bound_operator_sees_no_project_beside_their_own(
    api: httpx.AsyncClient, under_test: AdminUnderTest
) -> None:
    await api.post("/api/projects", json={"project_id": "other"})
    async with under_test.client(under_test.token(project_id="other")) as bound:
        listed = (await bound.get("/api/projects")).json()["projects"]
        assert [each["project_id"] for each in listed] == ["other"]


async def test_wrong_tokens_are_slowed_down_by_address_and_right_ones_never(
    under_test: AdminUnderTest,
) -> None:
    wrong = encode_signed(CLAIMS, "another-secret-of-32-characters-and-more")
    async with under_test.client(wrong, address="192.0.2.9") as guessing:
        answers = [(await guessing.get("/api/session")).status_code for _ in range(BURST + 2)]
        assert answers == [401] * BURST + [429] * 2
        # A right token is not even looked at while that address waits.
        right = {"authorization": f"Bearer {under_test.token()}"}
        assert (await guessing.get("/api/session", headers=right)).status_code == 429
        under_test.clock.now_s += 1
        assert (await guessing.get("/api/session", headers=right)).status_code == 200
    async with under_test.client(under_test.token(), address="192.0.2.10") as other:
        answers = await asyncio.gather(*(other.get("/api/session") for _ in range(BURST * 3)))
        assert {answer.status_code for answer in answers} == {200}


async def test_nothing_but_the_header_signs_in(under_test: AdminUnderTest) -> None:
    token = under_test.token()
    async with under_test.client() as caller:
        for headers in ({"cookie": f"token={token}; session={token}"}, {"x-api-key": token}):
            assert (await caller.get("/api/session", headers=headers)).status_code == 401
        assert (await caller.get("/api/session", params={"token": token})).status_code == 401
        assert "set-cookie" not in (await caller.get("/docs")).headers


async def test_no_other_page_may_read_or_frame_an_answer(under_test: AdminUnderTest) -> None:
    async with under_test.client(under_test.token()) as caller:
        for path in ("/api/session", "/docs", "/docs.css", "/openapi.json", "/nothing"):
            headers = (await caller.get(path, headers={"origin": "https://evil.example"})).headers
            assert "default-src 'self'" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert "access-control-allow-origin" not in headers


async def test_the_description_loads_nothing_from_elsewhere(under_test: AdminUnderTest) -> None:
    async with under_test.client() as caller:
        page = (await caller.get("/docs")).text
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    assert "style=" not in page
    assert all(f"<code>{method} {path}</code>" in page for method, path in CALLS)


async def test_a_body_over_the_limit_is_refused_unread(under_test: AdminUnderTest) -> None:
    async with under_test.client(under_test.token()) as caller:
        refused = await caller.patch("/api/projects/shop", content=b'"' + b"x" * MAX_BODY_BYTES + b'"')
        assert refused.status_code == 413
        deep = await caller.patch(
            "/api/projects/shop", content=b"[" * 100_000, headers={"content-type": "application/json"}
        )
        assert deep.status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"lifetime_s": 0},
        {"lifetime_s": 12 * 3_600 + 1},
        {"name": ""},
        {"project_id": "#"},
        {"secret": "short"},
    ],
)
def test_no_token_is_minted_that_would_be_refused(change: dict[str, object]) -> None:
    arguments: dict[str, object] = {"name": "olga", "secret": ADMIN_SECRET, "now_s": NOW_S} | change
    with pytest.raises(ValueError, match=r"token|Sign in"):
        mint_admin_token(**arguments)  # type: ignore[arg-type]
