"""What an operator does on the dashboard works in a real browser, from the first request to the last."""

import json
import re
import subprocess
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.operate.conftest import MODEL, WAIT_MS, Dashboard, Project


def row(page: Page, text: str) -> Locator:
    return page.get_by_role("row").filter(has_text=text)


def ask_until(project: Project, holds: Callable[[], bool]) -> None:
    """Ask again until something holds of the newest record: servers follow a change of a project in a moment."""
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        assert project.ask().status_code == 200
        if holds():
            return
    raise TimeoutError("the change never came to hold")


def test_a_new_operator_comes_to_a_first_request_by_the_page_alone(dashboard: Dashboard) -> None:
    """Create a project, set a key, mint a token, send the line that is shown, and see the request: no reload."""
    page = dashboard.open()
    page.get_by_label("Project").select_option("new")
    page.get_by_label("Id").fill("by-the-page")
    page.get_by_role("button", name="Create").click()
    secret = page.get_by_label("HMAC secret", exact=True)
    expect(secret).to_have_text(re.compile(r"^hk_live_[0-9a-f]{32}$"))
    page.get_by_role("button", name="I have stored it").click()
    expect(page.get_by_text("No provider's key is set")).to_be_visible()

    page.get_by_role("link", name="Set one").first.click()
    page.get_by_role("button", name="Set (Anthropic)").click()
    page.get_by_label("API key of Anthropic").fill("sk-ant-typed-in")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_text("The key of Anthropic is set")).to_be_visible()
    page.get_by_role("button", name="Test (Anthropic)").click()
    expect(page.locator("#notices")).to_contain_text("anthropic")

    page.get_by_role("link", name="Overview", exact=True).click()
    page.get_by_role("button", name="Mint a token").click()
    expect(page.get_by_label("A first request")).to_contain_text("/v1/messages")
    page.evaluate("() => { window.isTheSamePage = true; }")
    page.evaluate("() => { navigator.clipboard.writeText = (text) => { window.copied = text; }; }")
    page.get_by_role("button", name="Copy").click()
    line = page.evaluate("window.copied")
    sent = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True)
    assert "message_stop" in sent.stdout

    expect(page.get_by_text("Your first request is in")).to_be_visible()
    recent = page.get_by_role("region", name="Requests")
    expect(recent.get_by_role("row").filter(has_text="first-user")).to_contain_text("ok")
    assert page.evaluate("window.isTheSamePage"), "the page was loaded again"


def test_a_request_shows_by_itself_and_leads_to_its_user_and_model(
    dashboard: Dashboard, project: Project
) -> None:
    project.ask("ana")
    page = dashboard.open(project)
    recent = page.get_by_role("region", name="Requests")
    expect(recent.get_by_role("link", name="ana", exact=True)).to_have_count(1)
    project.ask("ben")
    expect(recent.get_by_role("link", name="ben", exact=True)).to_have_count(1)

    recent.get_by_role("button", name="Details").first.click()
    expect(recent).to_contain_text("req_")
    recent.get_by_role("link", name="ben", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("ben")
    expect(page.get_by_text("resets in")).to_be_visible()
    expect(page.get_by_role("region", name="Requests").get_by_role("row")).to_have_count(2)
    page.get_by_role("region", name="Requests").get_by_role("link", name=MODEL).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(MODEL)
    expect(page.get_by_role("link", name="ana", exact=True).first).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("ben")


def test_the_sums_are_those_of_the_records(dashboard: Dashboard, project: Project) -> None:
    for user in ("ana", "ana", "ben"):
        project.ask(user)
    records = project.api("GET", "/records")["records"]
    total = sum(float(record["cost_usd"]) for record in records)
    page = dashboard.open(project, days="1", metric="requests")
    shown = page.get_by_role("link", name=re.compile("^Today")).locator(".amount").inner_text()
    assert abs(float(shown.removeprefix("$")) - total) < 1e-5
    expect(page.locator(".chart-note")).to_contain_text("3 requests")
    chart = page.get_by_role("group", name=re.compile("^Requests today"))
    chart.focus()
    for _ in range(24):
        page.keyboard.press("ArrowRight")
    hours = chart.locator(".tip").inner_text()
    assert "UTC" in hours


def test_a_change_of_price_changes_the_next_bill(dashboard: Dashboard, project: Project) -> None:
    project.ask()
    before = project.cost_usd()
    page = dashboard.open(project, view="settings", section="prices")
    page.get_by_role("button", name="Set a price").first.click()
    page.get_by_label("Model", exact=True).fill("claude-*")
    page.get_by_label("Input").fill("1000")
    page.get_by_label("Output").fill("not a price")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("output must be dollars")
    page.get_by_label("Output").fill("2000")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Prices of this project")).to_contain_text("$2000")
    ask_until(project, lambda: project.cost_usd() != before)
    record = project.api("GET", "/records", limit="1")["records"][0]
    expected = record["input_tokens"] * 1_000e-6 + record["output_tokens"] * 2_000e-6
    assert float(record["cost_usd"]) == pytest.approx(expected)
    page.get_by_role("button", name="Remove claude-*").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("None: the list's prices hold.").first).to_be_visible()
    ask_until(project, lambda: project.cost_usd() == before)


def test_a_revoked_user_is_refused_at_the_next_call(dashboard: Dashboard, project: Project) -> None:
    assert project.ask("mallory").status_code == 200
    page = dashboard.open(project, view="user", user="mallory")
    page.get_by_role("button", name="Revoke").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("token was leaked")
    dialog.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Revoked: tokens issued until")).to_be_visible()
    assert project.ask("mallory").status_code == 401
    assert project.ask("ana").status_code == 200
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Changes").click()
    expect(row(page, "user.revoke")).to_contain_text("mallory")


def test_budgets_are_raised_charged_and_given_back(dashboard: Dashboard, project: Project) -> None:
    project.ask("ana", budget_usd="0.5")
    page = dashboard.open(project, view="user", user="ana")

    def order(name: str, amount: str | None) -> None:
        page.get_by_role("button", name=name, exact=True).click()
        dialog = page.get_by_role("dialog")
        if amount is not None:
            dialog.get_by_label("Amount").fill(amount)
        dialog.get_by_label("Reason").fill("a test")
        dialog.get_by_role("button", name=name, exact=True).click()
        expect(dialog).to_have_count(0)

    order("Charge", "0.25")
    expect(page.locator(".budget-card")).to_contain_text("$0.25")
    order("Raise", "2")
    expect(page.locator(".budget-card")).to_contain_text("limit raised by $2.00")
    order("Give back", "0.1")
    expect(page.locator(".budget-card")).to_contain_text("$0.15")
    order("Reset", None)
    expect(page.locator(".budget-card")).to_contain_text("$0.00 used")
    [budget] = project.api("GET", "/user", user="ana")["budgets"]
    assert (budget["settled_usd"], budget["raise_usd"]) == ("0", "2")


def test_a_view_is_in_its_address(
    new_dashboard: Callable[..., Dashboard], dashboard: Dashboard, project: Project
) -> None:
    for user in ("ana", "ben", "zoe"):
        project.ask(user)
    page = dashboard.open(project)
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Requests").click()
    page.get_by_label("User", exact=True).fill("ben")
    page.get_by_role("button", name="Filter").click()
    table = page.get_by_role("region", name="Requests")
    expect(table.get_by_role("row")).to_have_count(2)
    page.get_by_label("Status").select_option("failed")
    expect(page.get_by_text("No request matches")).to_be_visible()
    page.get_by_label("Status").select_option("ok")
    expect(table.get_by_role("row")).to_have_count(2)

    other = new_dashboard()
    query = dict(part.split("=") for part in page.url.partition("?")[2].split("&"))
    other.open(**query)
    shared = other.page.get_by_role("region", name="Requests")
    expect(shared.get_by_role("row")).to_have_count(2)
    expect(shared.get_by_role("link", name="ben")).to_be_visible()


def test_requests_are_saved_as_a_file(dashboard: Dashboard, project: Project) -> None:
    project.ask("ana")
    page = dashboard.open(project, view="requests")
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON Lines").click()
    assert download.value.suggested_filename == f"usage-{project.project_id}.jsonl"
    [line] = download.value.path().read_text().splitlines()
    assert json.loads(line)["user_id"] == "ana"


def test_rules_aliases_and_secrets_are_set(dashboard: Dashboard, project: Project) -> None:
    page = dashboard.open(project, view="settings")
    page.get_by_label("Most that one token may ask").fill("lots")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("max_ai_usd")
    page.get_by_label("Most that one token may ask").fill("7.5")
    page.get_by_label("Enforcement").select_option("strict")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()

    page.get_by_role("link", name="Aliases").click()
    page.get_by_role("button", name="Add an alias").click()
    page.get_by_label("Name that is asked for").fill("fast")
    page.get_by_label("Model that answers").fill(MODEL)
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Aliases")).to_contain_text("fast")

    page.get_by_role("link", name="Keys and secrets").click()
    page.get_by_role("button", name="Add a secret").click()
    page.get_by_role("dialog").get_by_role("button", name="Add").click()
    expect(page.get_by_label("HMAC secret", exact=True)).to_have_text(re.compile("^hk_live_"))
    page.get_by_role("button", name="I have stored it").click()
    expect(page.get_by_role("region", name="HMAC secrets").get_by_role("row")).to_have_count(3)
    stored = project.api("GET", "")
    assert (stored["max_ai_usd"], stored["enforcement"]) == ("7.5", "strict")
    assert stored["aliases"] == {"fast": MODEL}
    assert len(stored["secret_fingerprints"]) == 2


def test_a_project_is_closed_and_had_back(dashboard: Dashboard, project: Project) -> None:
    page = dashboard.open(project, view="settings", section="project")
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Project id").fill("another")
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("alert")).to_contain_text("not the id")
    dialog.get_by_label("Project id").fill(project.project_id)
    dialog.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_role("button", name="Disable")).to_be_visible()
    assert project.api("GET", "")["status"] == "active"


def test_what_is_shown_stays_while_the_server_is_away(dashboard: Dashboard, project: Project) -> None:
    project.ask("ana")
    page = dashboard.open(project, view="requests")
    expect(page.get_by_role("link", name="ana").first).to_be_visible()
    page.route(re.compile("/api/"), lambda route: route.abort())
    dashboard.troubles.clear()
    expect(page.get_by_text("trying again")).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_role("link", name="ana").first).to_be_visible()
    page.unroute(re.compile("/api/"))
    expect(page.get_by_text("trying again")).to_have_count(0)
    dashboard.troubles[:] = [trouble for trouble in dashboard.troubles if "ERR_FAILED" not in trouble]
