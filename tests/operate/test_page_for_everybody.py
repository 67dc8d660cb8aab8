"""The page is for everybody: on a narrow screen, with the keyboard alone, for those who hear it, in the dark."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.fetched_tools import axe_core
from tests.operate.conftest import MODEL, Dashboard, Project, Theme

VIEWS = (
    {},
    {"days": "1", "metric": "tokens"},
    {"view": "users"},
    {"view": "user", "user": "a-user-with-a-rather-long-name-and-no-place-to-break-it@example.com"},
    {"view": "models"},
    {"view": "model", "provider": "anthropic", "model": MODEL},
    {"view": "requests"},
    {"view": "settings"},
    {"view": "settings", "section": "keys"},
    {"view": "settings", "section": "prices"},
    {"view": "settings", "section": "aliases"},
    {"view": "settings", "section": "project"},
    {"view": "settings", "section": "audit"},
)
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")
# All that differs between the themes, and the views that have every colour between them.
RULES_OF_COLOUR = ("color-contrast", "link-in-text-block")
VIEWS_OF_ALL_COLOURS = (VIEWS[0], VIEWS[3], VIEWS[7], VIEWS[8])


def fill(project: Project) -> None:
    project.ask(VIEWS[3]["user"])
    project.api("PUT", "/prices", {"model": "claude-*", "input": "3", "output": "15"})
    project.api("PATCH", "", {"aliases": {"fast": MODEL}})


def violations(dashboard: Dashboard, only: tuple[str, ...] = RULES) -> list[str]:
    """Return what axe-core finds serious or critical on the page as it stands."""
    dashboard.page.evaluate(axe_core().read_text())
    found = dashboard.page.evaluate("(only) => axe.run(document, {runOnly: only})", only)["violations"]
    return [
        f"{each['id']}: {node['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_view(
    new_dashboard: Callable[..., Dashboard], project: Project, theme: Theme
) -> None:
    fill(project)
    dashboard = new_dashboard(theme=theme)
    only, views = (RULES, VIEWS) if theme == "light" else (RULES_OF_COLOUR, VIEWS_OF_ALL_COLOURS)
    found = {}
    for view in views:
        dashboard.open(project, **view)
        found[str(view)] = violations(dashboard, only)
    dashboard.open(project, view="requests")
    dashboard.page.get_by_role("button", name="Details").first.click()
    found["opened"] = violations(dashboard, only)
    assert {view: problems for view, problems in found.items() if problems} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_way_in_and_in_dialogs(
    new_dashboard: Callable[..., Dashboard], empty_project: Project, theme: Theme
) -> None:
    dashboard = new_dashboard(theme=theme)
    dashboard.open(token="wrong")
    assert violations(dashboard) == []
    page = dashboard.open(empty_project)
    page.get_by_role("button", name="Mint a token").click()
    expect(page.get_by_label("A first request")).to_be_visible()
    assert violations(dashboard) == []
    page.get_by_label("Project").select_option("new")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(dashboard) == []


def test_no_view_is_wider_than_a_narrow_screen(
    new_dashboard: Callable[..., Dashboard], project: Project
) -> None:
    fill(project)
    dashboard = new_dashboard(width=320, height=640)
    widths = {}
    for view in VIEWS:
        page = dashboard.open(project, **view)
        widths[str(view)] = page.evaluate("document.documentElement.scrollWidth")
    assert {view: width for view, width in widths.items() if width > 320} == {}
    page = dashboard.open(project)
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Users").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Users")


def test_the_keyboard_alone_is_enough(dashboard: Dashboard, project: Project) -> None:
    project.ask("ana")
    page = dashboard.open(project, view="user", user="ana")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the view")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    chart = page.get_by_role("group", name=re.compile("Spend"))
    chart.focus()
    page.keyboard.press("End")
    expect(chart.locator("[aria-live]")).to_contain_text("1 request")

    revoke = page.get_by_role("button", name="Revoke")
    revoke.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    focused_inside = page.evaluate("document.querySelector('dialog').contains(document.activeElement)")
    assert focused_inside
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(revoke).to_be_focused()


def test_what_comes_by_itself_takes_the_focus_from_nobody(dashboard: Dashboard, project: Project) -> None:
    project.ask("ana")
    page = dashboard.open(project)
    recent = page.get_by_role("region", name="Requests")
    opener = recent.get_by_role("button", name="Details").first
    opener.focus()
    key = opener.get_attribute("data-key")
    project.ask("ben")
    expect(recent.get_by_role("link", name="ben", exact=True)).to_be_visible()
    assert page.evaluate("document.activeElement.dataset.key") == key


def test_light_and_dark_are_as_the_system_has_it_until_one_is_chosen(
    new_dashboard: Callable[..., Dashboard],
) -> None:
    dashboard = new_dashboard(theme="dark")
    page = dashboard.open()
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="As the system").click()
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    expect(page.get_by_role("button", name="Light")).to_be_visible()
    assert page.evaluate(ground) == light
