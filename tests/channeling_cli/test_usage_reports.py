"""`usage show | export | tail` and `user list | show` say what the records say, live, whatever is in them."""

import csv
import io
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from channeling.budgets.hold_id import new_hold_id
from channeling.operations.stores import Stores
from channeling.usage.record import UsageRecord, record_key
from channeling.usage.token_counts import TokenCounts
from channeling_cli.usage_tail import line_of
from tests.channeling_cli.conftest import OnThisMachine, Run
from tests.stand_ins.served import CHANNELING, clean_environ

USD = 1_000_000_000
HOSTILE = "=cmd()\x1b[2J\N{GRINNING FACE}<script>"
AN_HOUR = ("--since", "1h")


def record(user: str, cost: int, **changes: Any) -> UsageRecord:
    now_s = int(time.time())
    hold_id = new_hold_id(now_s, lambda count: time.perf_counter_ns().to_bytes(count))
    values: dict[str, Any] = {
        "provider": "anthropic",
        "model_asked": "claude-haiku-4-5",
        "model_used": "claude-haiku-4-5",
        "counts": TokenCounts(input_tokens=100, cache_read_tokens=20, output_tokens=30, thinking_tokens=5),
        "duration_ms": 1_250,
        "first_token_ms": 400,
    } | changes
    key = record_key("demo", user, "day", hold_id, now_s)
    return UsageRecord(key, "demo", user, "day", now_s, now_s * 1_000, f"req_{user}", "ok", cost, **values)


@pytest.fixture
async def used(on_this_machine: OnThisMachine, stores: Stores) -> None:
    """Three requests of two users, and an adjustment."""
    for one in (
        record("ana", 3 * USD),
        record("ana", USD // 2, provider="openai", model_used="gpt-5.2", cut=True),
        record(HOSTILE, USD // 4),
        record("ana", -USD, kind="adjustment", provider="", model_used="", model_asked="", actor="zoë"),
    ):
        await stores.usage.put(one)


def test_show_adds_up_by_what_is_asked_for(run: Run, used: None) -> None:
    report = json.loads(run("usage", "show", *AN_HOUR, "--json").out)
    assert (report["totals"]["cost_usd"], report["totals"]["adjusted_usd"]) == ("3.75", "-1")
    assert report["totals"]["requests"] == 3
    by_model = run("usage", "show", "--by", "model", *AN_HOUR).out
    assert by_model.index("anthropic/claude-haiku-4-5") < by_model.index("openai/gpt-5.2")
    assert "$3.25" in by_model
    assert "3 (1 cut)" in by_model
    by_user = run("usage", "show", "--by", "user", *AN_HOUR).out
    assert "\x1b" not in by_user
    assert "\\x1b[2J" in by_user
    only = json.loads(run("usage", "show", "--user", "ana", "--model", "gpt-5.2", *AN_HOUR, "--json").out)
    assert only["totals"]["cost_usd"] == "0.5"
    none = run("usage", "show", "--user", "nobody", *AN_HOUR)
    assert (none.code, "Nothing was used" in none.out) == (0, True)


def test_users_are_listed_by_spend_and_shown_one_by_one(run: Run, used: None) -> None:
    listed = json.loads(run("user", "list", *AN_HOUR, "--json").out)
    assert [(user["user_id"], user["usage"]["cost_usd"]) for user in listed["users"]] == [
        ("ana", "3.5"),
        (HOSTILE, "0.25"),
    ]
    people = run("user", "list", "--limit", "1", *AN_HOUR).out
    assert "$3.5" in people
    assert "1 more" in people
    shown = run("user", "show", "ana", *AN_HOUR).out
    for part in ("none yet", "$3.5 for 2 requests", "$-1 by operators", "openai/gpt-5.2"):
        assert part in shown
    missing = run("user", "show", "nobody", *AN_HOUR)
    assert missing.code == 3
    assert "channeling user list --project demo" in missing.err


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_an_export_has_every_record(run: Run, used: None, tmp_path: Path, form: str) -> None:
    """On standard output and in a file alike; a spreadsheet finds no formula in it."""
    printed = run("usage", "export", "--format", form, *AN_HOUR)
    assert (printed.code, printed.err) == (0, "")
    ended = run("usage", "export", "--format", form, "--output", "all.out", *AN_HOUR)
    assert (ended.code, ended.out) == (0, "")
    assert (tmp_path / "all.out").read_text("utf-8") == printed.out.replace("\r\n", "\n") or form == "csv"
    if form == "jsonl":
        records = [json.loads(line) for line in printed.out.splitlines()]
    else:
        records = list(csv.DictReader(io.StringIO(printed.out)))
        assert all(not one["user_id"].startswith("=") for one in records)
    assert sorted(one["cost_usd"] for one in records) == ["-1", "0.25", "0.5", "3"]
    assert list(tmp_path.glob(".all.out*")) == []


def test_a_file_that_cannot_be_written_is_said(run: Run, used: None) -> None:
    ended = run("usage", "export", "--output", "no-such-folder/all.csv", *AN_HOUR)
    assert ended.code == 4
    assert "cannot be written" in ended.err


def test_tail_follows_what_comes(on_this_machine: OnThisMachine, stores: Stores, used: None) -> None:
    """As a process: what was there, then a request that ends while it looks, each once."""
    import asyncio

    command = [CHANNELING, "usage", "tail", "--json", "--interval", "0.1", "--since", "10m", "-n", "5"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=clean_environ(), cwd=Path.cwd(), text=True
    ) as process:
        assert process.stdout is not None
        there = [json.loads(process.stdout.readline()) for _ in range(4)]
        asyncio.run(stores.usage.put(record("ben", 7)))
        last = json.loads(process.stdout.readline())
        assert process.wait(30) == 0
        assert process.stdout.read() == ""
    assert sorted(one["cost_usd"] for one in there) == ["-1", "0.25", "0.5", "3"]
    assert (last["user_id"], last["cost_usd"]) == ("ben", "0.000000007")


def test_a_line_of_tail_obeys_nobody() -> None:
    line = line_of(record(HOSTILE, USD, estimated=True))
    assert "\x1b" not in line
    for part in ("$1  120 in (20 cached), 30 out (5 thinking)  1.25 s, first token 0.40 s", "ok estimated"):
        assert part in line
    order = line_of(record("ana", -USD, kind="adjustment", actor="zoë", reason="two\nlines"))
    assert "$-1  adjustment by zoë: two\\nlines" in order


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("usage", "show", "--since", "ages"), 2, "--since"),
        (("usage", "show", "--to", "2026-11-01"), 2, "--from"),
        (("usage", "show", "--from", "2026-02-30"), 2, "no day"),
        (("usage", "show", "--from", "2026-11-02", "--to", "2026-11-01"), 2, "after the last day"),
        (("usage", "show", "--from", "2020-01-01"), 4, "400 days"),
        (("usage", "show", "--project", "missing"), 3, "no project"),
        (("usage", "export", "--project", "missing"), 3, "no project"),
        (("usage", "tail", "--project", "missing"), 3, "no project"),
        (("user", "list", "--project", "missing"), 3, "no project"),
    ],
)
def test_what_cannot_be_reported_is_said(
    run: Run, on_this_machine: OnThisMachine, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ended = run(*arguments)
    assert (ended.code, ended.out) == (code, "")
    assert words in " ".join(ended.err.replace("│", "").split())
