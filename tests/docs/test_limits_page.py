"""The limits on the page are those of the code."""

from pathlib import Path

import pytest

from channeling.auth.budget_claim import MAX_AI_MICROUSD
from channeling.auth.jws import MAX_TOKEN_BYTES
from channeling.auth.token import MAX_MODELS
from channeling.gateway import COUNTS_BURST, COUNTS_PER_S
from channeling.message_request import GREATEST_MAX_TOKENS, LEAST_MAX_TOKENS
from channeling.model_pages import DEFAULT_LIMIT, GREATEST_LIMIT
from channeling.projects.project_items import MAX_HMAC_SECRETS, MAX_SECRETS_BYTES
from channeling.settings import MAX_REQUEST_S_LIMIT, Settings
from channeling.usage.record import RETENTION_S
from tests.docs.pages import ROOT

PAGE = Path(ROOT / "docs" / "limits.md").read_text("utf-8")
SETTINGS = Settings.from_environ(
    {
        "CHANNELING_PROJECTS_TABLE": "projects",
        "CHANNELING_BUDGETS_TABLE": "budgets",
        "CHANNELING_USAGE_TABLE": "usage",
        "CHANNELING_KEY_FILE": "secrets.key",
    }
)


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("Request body", f"{SETTINGS.max_body_bytes // 2**20} MB on one machine"),
        ("A request", f"{SETTINGS.max_request_s} seconds (`CHANNELING_MAX_REQUEST_SECONDS`"),
        ("A request", f"at most {MAX_REQUEST_S_LIMIT:,};"),
        ("Silence", f"{SETTINGS.ping_after_s:.0f} seconds"),
        ("`max_tokens`", f"{LEAST_MAX_TOKENS} to {GREATEST_MAX_TOKENS:,} "),
        ("Token", f"{MAX_TOKEN_BYTES // 1024} KB"),
        ("Budget of a token", f"${MAX_AI_MICROUSD // 10**6:,},"),
        ("Models listed in a token", f" {MAX_MODELS} "),
        ("Requests in flight", f" {SETTINGS.max_concurrent} per user"),
        ("`count_tokens`", f" {COUNTS_BURST} at once and {COUNTS_PER_S} a second"),
        ("Models on a page", f" {DEFAULT_LIMIT}, `limit` up to {GREATEST_LIMIT:,} "),
        ("HMAC secrets", f" {MAX_HMAC_SECRETS} active"),
        ("Secrets of a project", f" {MAX_SECRETS_BYTES:,} bytes"),
        ("Usage records", f" {RETENTION_S // 86_400} days"),
    ],
)
def test_a_limit_is_that_of_the_code(what: str, limit: str) -> None:
    [row] = [
        line for line in PAGE.splitlines() if line.startswith((f"| {what} |", f"| {what}, ", f"| {what} "))
    ]
    assert limit in row
