"""`channeling usage recover` bills what a log says was not settled, says so, and goes on past bad lines."""

import asyncio
import getpass
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.budgets.decide import HoldAsk
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import BudgetItem, BudgetKey
from channeling.budgets.settlement import key_of_record, reclaim_hold
from channeling.budgets.store import BudgetStore, Hold
from channeling.budgets.unsettled_log import NOT_SETTLED, unsettled_fields
from channeling.budgets.windows import first_window
from channeling.clock import SystemClock
from channeling.json_logs import JsonFormatter
from channeling.usage.record import UsageRecord
from channeling.usage.store import UsageStore
from channeling_cli import usage_commands
from tests.channeling_cli.conftest import OnThisMachine, Run

USD = 1_000_000_000


@dataclass
class Books:
    """The budgets and records of the deployment that commands work on."""

    budgets: BudgetStore
    usage: UsageStore

    def held(self, user: str, amount: int) -> Hold:
        """Hold an amount for a request of a user who has no other."""
        now_s = int(time.time())
        hold_id = new_hold_id(now_s, lambda count: time.perf_counter_ns().to_bytes(count))
        ask = HoldAsk(BudgetKey("demo", user, "day"), hold_id, 5 * USD, now_s, now_s * 1000, 9, 960, "strict")
        after = asyncio.run(self.budgets.create(ask, amount, first_window("day", now_s, now_s)))
        assert after.window is not None
        return Hold(ask.key, hold_id, after.window.start_s, amount)

    def reclaimed(self, user: str, amount: int) -> Hold:
        """Hold an amount, and have it reclaimed at that."""
        hold = self.held(user, amount)
        asyncio.run(reclaim_hold(self.budgets, self.usage, hold))
        return hold

    def settled(self, user: str) -> int:
        item: BudgetItem = asyncio.run(self.budgets.read(BudgetKey("demo", user, "day")))
        assert item.window is not None
        return item.window.settled

    def records(self, user: str) -> list[UsageRecord]:
        return asyncio.run(self.usage.of_user("demo", user))


@pytest.fixture
def books(on_this_machine: OnThisMachine, dynamodb: BotocoreDynamoDB) -> Books:
    tables = on_this_machine.server.tables
    return Books(BudgetStore(dynamodb, tables.budgets), UsageStore(dynamodb, tables.usage, SystemClock()))


def line_of(hold: Hold, cost: int, /, **changes: Any) -> str:
    """Return the line that the gateway logs of a request that it could not settle."""
    started_ms = int(hold.hold_id[:6], 36) * 1000
    record = UsageRecord(
        key_of_record(hold),
        "demo",
        hold.key.user_id,
        "day",
        hold.window_start_s,
        started_ms,
        "req_1",
        "ok",
        cost,
    )
    logged = logging.LogRecord("channeling.requests", logging.ERROR, __file__, 1, NOT_SETTLED, (), None)
    logged.fields = unsettled_fields(record, 5 * USD) | changes
    return JsonFormatter().format(logged)


def test_what_stands_is_settled_and_what_was_reclaimed_is_corrected(
    run: Run, books: Books, tmp_path: Path
) -> None:
    """From files and standard input at once; each line says what was done, and doing it again changes nothing."""
    standing, gone = books.held("ana", USD), books.reclaimed("bob", 2 * USD)
    log = tmp_path / "a.log"
    log.write_text(f"2026-11-24T11:00:00 {line_of(standing, USD // 4)}\nnoise\n")
    ended = run("usage", "recover", str(log), "-", stdin=line_of(gone, USD // 2))
    assert (ended.code, ended.err) == (0, "")
    assert f"{log}:1: settled: demo, user 'ana': its hold stood: recorded and settled\n" in ended.out
    assert "-:1: corrected: demo, user 'bob': it was billed $2 by estimate; $1.5 given back\n" in ended.out
    assert (books.settled("ana"), books.settled("bob")) == (USD // 4, USD // 2)
    correction = next(record for record in books.records("bob") if record.kind == "correction")
    assert (correction.cost, correction.actor) == (-3 * USD // 2, getpass.getuser())
    again = run("usage", "recover", str(log), "-", stdin=line_of(gone, USD // 2))
    assert again.code == 0
    assert again.out.count(": nothing: ") == 2
    assert (books.settled("ana"), books.settled("bob")) == (USD // 4, USD // 2)


def test_the_same_line_twice_is_billed_once(run: Run, books: Books) -> None:
    line = line_of(books.held("ana", USD), 7)
    answer = json.loads(run("usage", "recover", "--json", stdin=f"{line}\n{line}\n").out)
    assert answer["counts"] == {"nothing": 1, "settled": 1}
    assert books.settled("ana") == 7
    assert len(books.records("ana")) == 1


def test_a_dry_run_says_it_and_changes_nothing(run: Run, books: Books) -> None:
    standing, gone = books.held("ana", USD), books.reclaimed("bob", 2 * USD)
    log = f"{line_of(standing, 7)}\n{line_of(gone, 8)}\n"
    answer = json.loads(run("usage", "recover", "--dry-run", "--json", stdin=log).out)
    assert answer["dry_run"]
    assert answer["counts"] == {"corrected": 1, "settled": 1}
    assert (books.settled("ana"), books.records("ana")) == (0, [])
    assert (books.settled("bob"), len(books.records("bob"))) == (2 * USD, 1)
    assert "nothing was changed" in run("usage", "recover", "--dry-run", stdin=log).out


def test_every_line_is_told_to_programs(run: Run, books: Books) -> None:
    gone = books.reclaimed("bob", 2 * USD)
    ended = run("usage", "recover", "--json", "--actor", "zoë", stdin=line_of(gone, USD // 2))
    assert json.loads(ended.out) == {
        "dry_run": False,
        "counts": {"corrected": 1},
        "lines": [
            {
                "line": "-:1",
                "outcome": "corrected",
                "reason": "it was billed $2 by estimate; $1.5 given back",
                "project_id": "demo",
                "user_id": "bob",
                "window": "day",
                "request_id": "req_1",
                "cost_usd": "0.5",
                "corrected_usd": "-1.5",
                "uncollected_usd": "0",
            }
        ],
    }


def test_a_bill_above_what_was_held_is_named_and_not_taken(run: Run, books: Books) -> None:
    gone = books.reclaimed("bob", USD)
    answer = json.loads(run("usage", "recover", "--json", stdin=line_of(gone, 3 * USD)).out)
    (line,) = answer["lines"]
    assert (line["outcome"], line["corrected_usd"], line["uncollected_usd"]) == ("corrected", "0", "2")
    assert "$2 more cannot be collected" in line["reason"]
    assert books.settled("bob") == USD


def test_bad_lines_are_refused_by_number_and_the_rest_goes_on(run: Run, books: Books) -> None:
    """Cut off, wrong types, negative money, another project's key, an unknown hold: exit code 4."""
    good, other = books.held("ana", USD), books.held("bob", USD)
    elsewhere = replace(other, hold_id=f"{other.hold_id[:6]}00000000")
    log = [
        line_of(other, 5)[:-1],
        line_of(other, 5, cost=-5),
        line_of(other, 5, counts="many"),
        line_of(other, 5, project_id="shop"),
        line_of(other, 5, user_id="\x1b[2J"),
        line_of(elsewhere, 5),
        line_of(good, 5),
    ]
    ended = run("usage", "recover", stdin="\n".join(log))
    assert ended.code == 4
    for number, reason in enumerate(("cut off", "cost", "counts", "key", "key", "neither its hold"), start=1):
        assert f"-:{number}: refused: " in ended.err
        assert reason in ended.err
    assert "\x1b" not in ended.err + ended.out
    assert "-:7: settled: " in ended.out
    assert (books.settled("ana"), books.settled("bob"), books.records("bob")) == (5, 0, [])
    answer = json.loads(run("usage", "recover", "--json", stdin="\n".join(log)).out)
    assert answer["counts"] == {"nothing": 1, "refused": 6}


def test_a_store_that_does_not_answer_is_not_asked_for_ever(
    run: Run, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three failures the rest is listed as not tried: exit code 5, and the same command can be run again."""
    holds = [books.held(user, USD) for user in ("ana", "bob", "cy", "dee")]
    log = "\n".join(line_of(hold, 5) for hold in holds)
    table = books.budgets._table
    monkeypatch.setattr(
        usage_commands, "BudgetStore", lambda dynamodb, _: BudgetStore(dynamodb, "no-such-table")
    )
    ended = run("usage", "recover", "--json", stdin=log)
    assert ended.code == 5
    assert json.loads(ended.out)["counts"] == {"failed": 3, "not tried": 1}
    monkeypatch.setattr(usage_commands, "BudgetStore", lambda dynamodb, _: BudgetStore(dynamodb, table))
    assert run("usage", "recover", stdin=log).code == 0
    assert books.settled("dee") == 5


@pytest.mark.parametrize(
    ("arguments", "options", "code", "message"),
    [
        ((), {"terminal": True}, 2, "no log was given"),
        (("no-such.log",), {}, 3, "cannot be read"),
        ((".",), {}, 3, "cannot be read"),
        (("--actor", "a\nb"), {}, 4, "control characters"),
        (("--stack",), {}, 2, "--stack"),
    ],
)
def test_what_cannot_be_is_said(
    run: Run, books: Books, arguments: tuple[str, ...], options: dict[str, Any], code: int, message: str
) -> None:
    hold = books.held("ana", USD)
    ended = run("usage", "recover", *arguments, **({"stdin": line_of(hold, 5)} | options))
    assert ended.code == code
    assert message in ended.err
    assert books.records("ana") == []


def test_a_log_without_such_lines_has_nothing_to_recover(run: Run, books: Books) -> None:
    ended = run("usage", "recover", stdin="INFO x: started\n")
    assert (ended.code, ended.err) == (0, "")
    assert "nothing to recover" in ended.out
    assert json.loads(run("usage", "recover", "--json", stdin="").out)["counts"] == {}
