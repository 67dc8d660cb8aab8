"""The dashboard in a real browser, on `channeling serve` before a stand-in; each test has a project of its own."""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.fetched_tools import ToolMissing, chromium
from tests.stand_ins.anthropic_script import Script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.served import Served, clean_environ, served

# Generous, since it is only how long a failure takes: what is waited for comes in a moment.
WAIT_MS = 15_000
MODEL = "claude-sonnet-4-5-20250929"
Theme = Literal["light", "dark"]

expect.set_options(timeout=WAIT_MS)


@dataclass
class Deployment:
    """The running server, and what an operator does to it from elsewhere."""

    server: Served
    folder: Path

    def api(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """Call the admin API as an operator for all projects; return its answer."""
        answer = httpx.request(
            method,
            f"{self.server.dashboard_url}api/{path}",
            params=query,
            json=body,
            headers={"authorization": f"Bearer {self.server.admin_token}"},
            timeout=30,
            trust_env=False,
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@dataclass
class Project:
    """A project of its own for one test."""

    deployment: Deployment
    project_id: str
    tokens: dict[str, str] = field(default_factory=dict)

    def api(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """Call the admin API on this project."""
        return self.deployment.api(method, f"projects/{self.project_id}{path}", body, **query)

    def token(self, user: str, budget_usd: str = "5") -> str:
        """Mint a token for a user, or return the one that there is."""
        if user not in self.tokens:
            self.tokens[user] = self.api("POST", "/tokens", {"user_id": user, "budget_usd": budget_usd})[
                "token"
            ]
        return self.tokens[user]

    def ask(self, user: str = "ana", *, model: str = MODEL, budget_usd: str = "5") -> httpx.Response:
        """Ask the gateway something as a user."""
        return httpx.post(
            f"{self.deployment.server.base_url}/v1/messages",
            json={"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]},
            headers={"x-api-key": self.token(user, budget_usd)},
            timeout=30,
            trust_env=False,
        )

    def cost_usd(self) -> str:
        """Return what the newest record costs."""
        return str(self.api("GET", "/records", limit="1")["records"][0]["cost_usd"])


@dataclass
class Dashboard:
    """The page in a browser, and what it did that a page must not."""

    deployment: Deployment
    context: BrowserContext
    page: Page
    troubles: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    def open(self, of: Project | None = None, /, *, token: str | None = None, **query: str) -> Page:
        """Open a view as somebody who has a token, and wait until it is there."""
        if of is not None:
            query = {"project": of.project_id} | query
        fragment = quote(self.deployment.server.admin_token if token is None else token)
        # A page that differs in its fragment alone is not loaded again.
        self.page.goto("about:blank")
        self.page.goto(f"{self.deployment.server.dashboard_url}?{urlencode(query)}#token={fragment}")
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()
        return self.page


@pytest.fixture(scope="session")
def upstream() -> Iterator[AnthropicUpstream]:
    """Anthropic's stand-in, which answers whatever it is asked."""
    with AnthropicUpstream(Script()) as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def deployment(upstream: AnthropicUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One server for all tests."""
    folder = tmp_path_factory.mktemp("served")
    environ = clean_environ(
        CHANNELING_ANTHROPIC_BASE_URL=upstream.base_url, ANTHROPIC_API_KEY="sk-ant-of-the-demo"
    )
    with served(folder, environ) as server:
        yield Deployment(server, folder)


@pytest.fixture
def empty_project(deployment: Deployment, request: pytest.FixtureRequest) -> Project:
    """A project without a key, named after the test."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    project_id = f"{name}-{next(_numbers)}"
    deployment.api("POST", "projects", {"project_id": project_id, "name": "Tested"})
    return Project(deployment, project_id)


@pytest.fixture
def project(empty_project: Project) -> Project:
    """A project that can ask Anthropic's stand-in."""
    empty_project.api("PUT", "/keys/anthropic", {"key": "sk-ant-of-a-test"})
    return empty_project


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    try:
        path = chromium()
    except ToolMissing as missing:
        pytest.skip(str(missing))
    with sync_playwright() as playwright:
        # Its sandbox refuses to start for root, which tests in containers are; the pages are our own.
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def new_dashboard(browser: Browser, deployment: Deployment) -> Iterator[Callable[..., Dashboard]]:
    """Open dashboards in browsers of their own; at the end see that none did what a page must not."""
    opened: list[Dashboard] = []

    def new(*, width: int = 1280, height: int = 900, theme: Theme = "light") -> Dashboard:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        dashboard = Dashboard(deployment, context, page)
        page.on("pageerror", lambda error: dashboard.troubles.append(str(error)))
        page.on("dialog", lambda dialog: (dashboard.troubles.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: dashboard.requested.append(request.url))
        page.on(
            "console",
            lambda message: (
                dashboard.troubles.append(message.text)
                if message.type == "error" and "status of 4" not in message.text
                else None
            ),
        )
        opened.append(dashboard)
        return dashboard

    yield new
    for dashboard in opened:
        assert dashboard.troubles == []
        assert_only_its_own_origin(dashboard)
        dashboard.context.close()


@pytest.fixture
def dashboard(new_dashboard: Callable[..., Dashboard]) -> Dashboard:
    """A wide, light one."""
    return new_dashboard()


def assert_only_its_own_origin(dashboard: Dashboard) -> None:
    """Whatever was done on a page, nothing was asked of another server, and no URL held the token."""
    origin = urlsplit(dashboard.deployment.server.base_url).netloc
    own = [url for url in dashboard.requested if not url.startswith(("blob:", "about:"))]
    assert {urlsplit(url).netloc for url in own} <= {origin}
    assert not [url for url in own if dashboard.deployment.server.admin_token in url.partition("#")[0]]


_numbers = itertools.count(1)
