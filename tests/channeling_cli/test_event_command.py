"""`channeling event` prints an event with a token that the gateway takes, and leaves all else as it is."""

import asyncio
import json
import time
from pathlib import Path

from channeling.auth.token import verify_token
from tests.channeling_cli.conftest import OnThisMachine, Run


def test_the_token_is_filled_in(run: Run, on_this_machine: OnThisMachine, tmp_path: Path) -> None:
    event = {"headers": {"x-api-key": "{{TOKEN}}"}, "body": '{"é": "\\u00e9"}'}
    (tmp_path / "event.json").write_text(json.dumps(event, ensure_ascii=False))
    ended = run("event", "event.json", "--user", "eve", "--budget", "2")
    assert ended.code == 0
    filled = json.loads(ended.out)
    assert filled["body"] == event["body"]
    secrets = asyncio.run(on_this_machine.secrets()).hmac_secrets
    claims = verify_token(filled["headers"]["x-api-key"], secrets, now_s=time.time())
    assert (claims.user_id, claims.budget.limit_nanousd) == ("eve", 2_000_000_000)


def test_an_event_comes_from_standard_input_too(run: Run, on_this_machine: OnThisMachine) -> None:
    ended = run("event", "-", stdin='"{{TOKEN}}"')
    assert ended.code == 0
    assert json.loads(ended.out).count(".") == 2


def test_an_event_without_a_token_needs_no_server(run: Run, no_aws: None) -> None:
    assert run("event", "-", stdin="{}\n").out == "{}\n"
    assert run("event", "-", stdin='"{{TOKEN}}"').code == 3


def test_what_cannot_be_read_is_named(run: Run, no_aws: None, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "huge").write_bytes(b" " * (6 * 1024 * 1024 + 1))
    assert run("event", "missing.json").code == 3
    assert run("event", ".").code == 3
    assert "not UTF-8" in run("event", "binary").err
    assert "6 MB" in run("event", "huge").err
