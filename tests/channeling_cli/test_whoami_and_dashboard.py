"""`whoami` says what commands work on; `dashboard` opens the page with the token where no server sees it."""

import json
import time
import webbrowser
from urllib.parse import urlsplit

import pytest

from channeling.auth.admin_token import verify_admin_token
from channeling_admin.admin_secret import open_admin_secret_file
from channeling_cli.admin_mount import ADMIN_SECRET_FILE
from channeling_cli.operator_name import operator_name
from tests.channeling_cli.conftest import OnThisMachine, Run


@pytest.fixture
def secret(on_this_machine: OnThisMachine) -> str:
    """The admin secret, as a running server makes it."""
    return open_admin_secret_file(on_this_machine.folder / ADMIN_SECRET_FILE, create=True)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that the browser was told to open."""
    addresses: list[str] = []

    def open_page(url: str) -> bool:
        addresses.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", open_page)
    return addresses


def test_whoami_on_this_machine(run: Run, on_this_machine: OnThisMachine) -> None:
    server = on_this_machine.server
    answer = json.loads(run("whoami", "--json").out)
    assert answer == {
        "deployment": "the server on this machine",
        "project_id": "demo",
        "base_url": server.base_url,
        "store": server.dynamodb_endpoint_url,
        "tables": [server.tables.projects, server.tables.budgets, server.tables.usage],
        "operator": operator_name(None),
        "server_process_id": server.process_id,
    }
    people = run("whoami", "--project", "shop").out
    assert "The server on this machine" in people
    assert "shop" in people


def test_the_page_opens_signed_in(
    run: Run, on_this_machine: OnThisMachine, secret: str, opened: list[str]
) -> None:
    ended = run("dashboard")
    assert ended.code == 0, ended.err
    [url] = opened
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}" == on_this_machine.server.base_url
    assert (parts.path, parts.query) == ("/admin/", "")
    token = parts.fragment.removeprefix("token=")
    claims = verify_admin_token(token, [secret], now_s=time.time())
    assert (claims.name, claims.role, claims.project_id) == (operator_name(None), "operator", None)
    assert token not in ended.out + ended.err


def test_a_viewer_of_one_project(run: Run, secret: str, opened: list[str]) -> None:
    answer = json.loads(run("dashboard", "--role", "viewer", "--project", "shop", "--json").out)
    claims = verify_admin_token(answer["admin_token"], [secret], now_s=time.time())
    assert (claims.role, claims.project_id, claims.expires_at_s) == ("viewer", "shop", answer["expires_at_s"])
    assert answer["dashboard_url"].endswith("/admin/")
    assert opened == []
    assert run("dashboard", "--print").out.startswith(f"{answer['dashboard_url']}#token=")
    assert opened == []


def test_what_is_in_the_way_is_said(
    run: Run, on_this_machine: OnThisMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = run("dashboard")
    assert (missing.code, missing.out) == (3, "")
    assert "start the server" in missing.err
    open_admin_secret_file(on_this_machine.folder / ADMIN_SECRET_FILE, create=True)
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    no_browser = run("dashboard")
    assert no_browser.code == 1
    assert "--print" in no_browser.err
    assert "token=" not in no_browser.out + no_browser.err
    assert run("dashboard", "--project", "a#b", "--print").code == 4
