"""The page keeps what it is given to itself: tokens, hostile names, other people's servers."""

import time
from collections.abc import Callable
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Page, expect

from channeling.auth.admin_token import mint_admin_token
from tests.operate.conftest import Dashboard, Deployment, Project

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)//",
    "\U0001f98a" * 60,
    "x" * 256,
    "a&user=b#c%2e%2e/../?d",
    "=cmd|'/c calc'!A1",
)


def admin_secret(deployment: Deployment) -> str:
    return (deployment.folder / ".channeling" / "admin.secret").read_text().strip()


def wait_for_sign_in(page: Page, words: str) -> None:
    expect(page.get_by_label("Admin token")).to_be_focused()
    expect(page.get_by_role("alert").first).to_contain_text(words)
    assert page.evaluate("sessionStorage.length") == 0


@pytest.mark.parametrize("user", HOSTILE)
def test_a_hostile_user_id_is_text_and_leads_to_that_user(
    dashboard: Dashboard, project: Project, user: str
) -> None:
    assert project.ask(user).status_code == 200
    page = dashboard.open(project, view="users")
    page.get_by_role("region", name="Users").get_by_role("link", name=user, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(user)
    expect(page.get_by_role("region", name="Requests").get_by_role("row")).to_have_count(2)
    assert page.evaluate("document.querySelectorAll('main script, main img').length") == 0
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("dialog").get_by_role("heading")).to_have_text(f"Revoke {user}")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_hostile_model_is_text_and_leads_to_that_model(dashboard: Dashboard, project: Project) -> None:
    model = "claude-<img src=x onerror=alert(1)>\U0001f98a/?#&"
    assert project.ask(model=model, budget_usd="500").status_code == 200
    page = dashboard.open(project, view="models")
    page.get_by_role("link", name=model, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(model)
    expect(page.get_by_role("region", name="Requests").get_by_role("row")).to_have_count(2)


def test_signs_that_hide_or_turn_text_are_shown_as_what_they_are(
    dashboard: Dashboard, project: Project
) -> None:
    """A name that looks like another's once its invisible signs are gone is told from it."""
    project.ask("ana\u202egpj")
    project.ask("ana\u200b")
    page = dashboard.open(project, view="users")
    table = page.get_by_role("region", name="Users")
    expect(table).to_contain_text("ana\\u202egpj")
    expect(table).to_contain_text("ana\\u200b")


def test_a_browser_refuses_to_make_markup_of_text(dashboard: Dashboard) -> None:
    page = dashboard.open()
    refused = page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return null; } catch (error) { return error.name; } }"
    )
    assert refused == "TypeError"
    dashboard.troubles.clear()  # the browser says in its console what it refused


def test_the_token_is_in_the_tab_alone(dashboard: Dashboard) -> None:
    page = dashboard.open(view="users")
    token = dashboard.deployment.server.admin_token
    assert "#" not in page.url
    assert token not in page.url
    assert page.evaluate("Object.values(sessionStorage)") == [token]
    assert token not in page.evaluate("JSON.stringify(localStorage)")
    assert page.evaluate("document.cookie") == ""
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Users")
    page.get_by_role("button", name="Sign out").click()
    wait_for_sign_in(page, "signed out")
    stranger = dashboard.context.new_page()
    stranger.goto(page.url)
    expect(stranger.get_by_label("Admin token")).to_be_visible()


@pytest.mark.parametrize("kind", ["wrong", "expired", "of a user", "no token"])
def test_a_token_that_is_not_taken_leads_to_the_way_in(
    dashboard: Dashboard, project: Project, kind: str
) -> None:
    now_s = time.time()
    token, words = {
        "wrong": (
            mint_admin_token(name="eve", secret="another-secret-" * 4, now_s=now_s),
            "no admin token of this deployment",
        ),
        "expired": (
            mint_admin_token(
                name="olga", secret=admin_secret(dashboard.deployment), now_s=now_s - 600, lifetime_s=60
            ),
            "has expired",
        ),
        "of a user": (project.token("ana"), "no admin token of this deployment"),
        "no token": ("…", "no admin token"),
    }[kind]
    page = dashboard.open(token=token)
    wait_for_sign_in(page, words)
    page.get_by_label("Admin token").fill(dashboard.deployment.server.admin_token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_a_token_that_ends_meanwhile_leads_to_the_way_in(dashboard: Dashboard, project: Project) -> None:
    page = dashboard.open(project)
    page.evaluate("sessionStorage.clear()")
    # The page itself goes on with the token that it has; what it asks next is refused.
    page.route("**/api/**", lambda route: route.fulfill(status=401, json={"error": {"message": "It ended."}}))
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Users").click()
    wait_for_sign_in(page, "It ended.")


def test_a_viewer_sees_all_and_is_offered_no_change(dashboard: Dashboard, project: Project) -> None:
    project.ask("ana")
    token = mint_admin_token(
        name="vera",
        secret=admin_secret(dashboard.deployment),
        now_s=time.time(),
        role="viewer",
        project_id=project.project_id,
    )
    page = dashboard.open(token=token, view="user", user="ana")
    expect(page.get_by_role("region", name="Requests").get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
    expect(page.locator(".budget-card button")).to_have_count(0)
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_text("may look, and change nothing")).to_be_visible()
    for section in ("Keys and secrets", "Prices", "Aliases", "Project"):
        page.get_by_role("link", name=section, exact=True).click()
        expect(page.get_by_role("link", name=section, exact=True)).to_have_attribute("aria-current", "page")
        expect(page.locator("main button")).to_have_count(0)


def test_a_project_that_is_not_there_says_so(new_dashboard: Callable[..., Dashboard]) -> None:
    for project in ("nobody-has-this", "..", "a/b?c"):
        dashboard = new_dashboard()
        page = dashboard.open(project=project)
        expect(page.get_by_role("heading", level=1)).to_have_text("Not here")
        dashboard.troubles.clear()


def test_the_page_and_its_files_say_what_a_browser_may_do(deployment: Deployment) -> None:
    address = deployment.server.dashboard_url
    page = httpx.get(address, trust_env=False)
    policy = page.headers["content-security-policy"]
    for rule in ("default-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-cache"
    again = httpx.get(address, headers={"if-none-match": page.headers["etag"]}, trust_env=False)
    assert (again.status_code, again.content) == (304, b"")
    script = page.text.partition('src="')[2].partition('"')[0]
    file = httpx.get(f"{address}{script}", trust_env=False)
    assert file.headers["content-type"].startswith("text/javascript")
    assert "immutable" in file.headers["cache-control"]
    for missing in ("page/0000000000000000/main.js", f"{script}x", script.replace("main.js", "..%2fpage.py")):
        assert httpx.get(f"{address}{missing}", trust_env=False).status_code == 404
    assert httpx.get(f"{address}?{urlencode({'project': '<b>'})}", trust_env=False).content == page.content
