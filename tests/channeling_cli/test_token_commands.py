"""`channeling token mint` makes tokens that the gateway takes, on calendar windows, within the project's limit."""

import asyncio
import json
import time
from datetime import UTC, datetime

import pytest

from channeling.auth.token import verify_token
from channeling.window_kind import WindowKind
from tests.channeling_cli.conftest import OnThisMachine, Run


def test_the_token_alone_is_on_standard_output(run: Run, on_this_machine: OnThisMachine) -> None:
    ended = run("token", "mint", "--user", "ana", "--budget", "0.25")
    secrets = asyncio.run(on_this_machine.secrets()).hmac_secrets
    claims = verify_token(ended.out.removesuffix("\n"), secrets, now_s=time.time())
    assert (claims.user_id, claims.project_id) == ("ana", "demo")
    assert claims.budget.limit_nanousd == 250_000_000
    assert claims.models is None
    assert "$0.25 a day" in ended.err


def test_every_option_is_in_the_token(run: Run, on_this_machine: OnThisMachine) -> None:
    ended = run(
        *("token", "mint", "--user", "ana#1", "--budget", "5", "--window", "week", "--expires-in", "2d"),
        *("--model", "claude-*", "--model", "gpt-5", "--json"),
    )
    answer = json.loads(ended.out)
    secrets = asyncio.run(on_this_machine.secrets()).hmac_secrets
    claims = verify_token(answer["token"], secrets, now_s=time.time())
    assert claims.models == ("claude-*", "gpt-5")
    assert claims.expires_at_s == answer["expires_at_s"]
    assert claims.expires_at_s - claims.issued_at_ms // 1000 == 2 * 86_400
    assert (answer["user_id"], answer["budget_usd"], answer["window"]) == ("ana#1", "5", "week")


@pytest.mark.parametrize("window", ["hour", "day", "week", "month"])
def test_windows_start_on_the_calendar(run: Run, on_this_machine: OnThisMachine, window: WindowKind) -> None:
    ended = run("token", "mint", "--user", "ana", "--budget", "5", "--window", window)
    secrets = asyncio.run(on_this_machine.secrets()).hmac_secrets
    now_s = time.time()
    start_s = verify_token(ended.out.strip(), secrets, now_s=now_s).budget.window_start_s
    start = datetime.fromtimestamp(start_s, UTC)
    assert start_s <= now_s
    assert (start.minute, start.second) == (0, 0)
    assert window == "hour" or start.hour == 0
    assert window != "week" or start.weekday() == 0
    assert window != "month" or start.day == 1


def test_a_budget_over_the_projects_limit_is_refused(run: Run, on_this_machine: OnThisMachine) -> None:
    run("project", "set", "--max-ai", "10")
    assert run("token", "mint", "--user", "ana", "--budget", "10").code == 0
    ended = run("token", "mint", "--user", "ana", "--budget", "10.000001")
    assert ended.code == 4
    assert "up to $10 (max_ai), not $10.000001" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--budget", "5"), 2, "--user"),
        (("--user", "ana"), 2, "--budget"),
        (("--user", "ana", "--budget", "-1"), 2, "--budget"),
        (("--user", "ana", "--budget", "NaN"), 2, "--budget"),
        (("--user", "ana", "--budget", "0.0000001"), 2, "--budget"),
        (("--user", "ana", "--budget", "5", "--window", "year"), 2, "--window"),
        (("--user", "ana", "--budget", "5", "--expires-in", "0"), 2, "--expires-in"),
        (("--user", "ana", "--budget", "5", "--expires-in", "1y"), 2, "--expires-in"),
        (("--user", "ana", "--budget", "5", "--expires-in", "9" * 9 + "d"), 4, ""),
        (("--user", "", "--budget", "5"), 4, "sub"),
        (("--user", "x" * 257, "--budget", "5"), 4, "sub"),
        (("--user", "ana", "--budget", "5", "--model", ""), 4, "model"),
        (("--user", "ana", "--budget", "5", "--project", "missing"), 3, "no project"),
    ],
)
def test_what_cannot_be_minted_is_said(
    run: Run, on_this_machine: OnThisMachine, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ended = run("token", "mint", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert words in ended.err
