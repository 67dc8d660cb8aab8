"""`channeling budget` shows and changes one user's budget, asks before it takes, and says what it cannot do."""

import asyncio
import getpass
import json
import time
from typing import Any

import pytest

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.budgets.decide import HoldAsk
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import BudgetKey
from channeling.budgets.store import BudgetStore, Hold
from channeling.budgets.windows import first_window
from channeling.clock import SystemClock
from channeling.usage.record import UsageRecord
from channeling.usage.store import UsageStore
from channeling.window_kind import WindowKind
from tests.channeling_cli.conftest import OnThisMachine, Run

USD = 1_000_000_000


@pytest.fixture
def usage(on_this_machine: OnThisMachine, dynamodb: BotocoreDynamoDB) -> UsageStore:
    return UsageStore(dynamodb, on_this_machine.server.tables.usage, SystemClock())


@pytest.fixture
async def ana(on_this_machine: OnThisMachine, dynamodb: BotocoreDynamoDB, usage: UsageStore) -> None:
    """Give the user "ana" a day of which $3 are settled and $1 is held."""
    budgets = BudgetStore(dynamodb, on_this_machine.server.tables.budgets)
    await lay_window(budgets, "ana", "day", int(time.time()))
    now_s = int(time.time())
    ask = asked("ana", "day", now_s)
    after = await budgets.hold(ask, 3 * USD, now_s, raise_counted=0)
    assert after.window is not None
    await budgets.settle(Hold(ask.key, ask.hold_id, after.window.start_s, 3 * USD), 3 * USD)


async def lay_window(budgets: BudgetStore, user: str, kind: WindowKind, at_s: int) -> None:
    await budgets.create(asked(user, kind, at_s), USD, first_window(kind, at_s, at_s))


def asked(user: str, kind: WindowKind, now_s: int) -> HoldAsk:
    hold_id = new_hold_id(now_s, lambda count: time.perf_counter_ns().to_bytes(count))
    return HoldAsk(BudgetKey("demo", user, kind), hold_id, 5 * USD, now_s, now_s * 1000, 9, 960, "strict")


def shown(run: Run, user: str = "ana") -> Any:
    return json.loads(run("budget", "show", user, "--json").out)


def records(usage: UsageStore, user: str = "ana") -> list[UsageRecord]:
    return asyncio.run(usage.of_user("demo", user))


def test_show_says_all_there_is_of_every_window(run: Run, ana: None) -> None:
    run("budget", "raise", "ana", "0.5", "--reason", "launch")
    answer = shown(run)
    (day,) = answer.pop("windows")
    assert answer == {"project_id": "demo", "user_id": "ana", "revoked_before_ms": None}
    starts_at, ends_at = day.pop("starts_at"), day.pop("ends_at")
    assert starts_at < ends_at
    assert day == {
        "window": "day",
        "settled_usd": "3",
        "held_usd": "1",
        "running_requests": 1,
        "raise_usd": "0.5",
        "has_ended": False,
        "pending_adjustment_usd": None,
        "previous": None,
    }
    run("budget", "revoke", "ana", "--yes")
    people = run("budget", "show", "ana").out
    for part in ("ana, day", "$3", "$1, requests running: 1", "$0.5", starts_at, ends_at, "Revoked: "):
        assert part in people


@pytest.mark.parametrize(
    ("arguments", "adjusted", "settled"),
    [
        (("adjust", "ana", "--credit", "2.50"), "-2.5", "0.5"),
        (("adjust", "ana", "--debit", "$0.000001"), "0.000001", "3.000001"),
        (("reset", "ana", "--yes"), "-3", "0"),
    ],
)
def test_adjust_and_reset_change_what_is_settled(
    run: Run, ana: None, usage: UsageStore, arguments: tuple[str, ...], adjusted: str, settled: str
) -> None:
    ended = run("budget", *arguments, "--reason", "goodwill", "--json")
    assert json.loads(ended.out) == {
        "project_id": "demo",
        "user_id": "ana",
        "window": "day",
        "adjusted_usd": adjusted,
        "settled_usd": settled,
    }
    (day,) = shown(run)["windows"]
    assert (day["settled_usd"], day["held_usd"]) == (settled, "1")
    (record,) = records(usage)
    assert (record.kind, record.actor, record.reason) == ("adjustment", getpass.getuser(), "goodwill")


def test_people_read_what_was_done(run: Run, ana: None) -> None:
    why = ("--reason", "x", "--actor", "zoë")
    assert (
        "Gave back $1. Settled in this day of 'ana': $2."
        in run("budget", "adjust", "ana", "--credit", "1", *why).out
    )
    assert "Charged $1. " in run("budget", "adjust", "ana", "--debit", "1", *why).out
    assert "Gave back $3. " in run("budget", "reset", "ana", "--yes", *why).out
    assert "Nothing is settled" in run("budget", "reset", "ana", "--yes", *why).out
    assert "raised by $5 until 2" in run("budget", "raise", "ana", "5", *why).out
    assert "that of the token again" in run("budget", "raise", "ana", "0", *why).out
    assert "is refused" in run("budget", "revoke", "ana", "--yes", *why).out


def test_a_raise_twice_is_one_and_0_takes_it_away(run: Run, ana: None, usage: UsageStore) -> None:
    for amount in ("5", "5", "0"):
        ended = run("budget", "raise", "ana", amount, "--reason", "launch", "--actor", "zoë", "--json")
        assert json.loads(ended.out)["raise_usd"] == amount
        assert shown(run)["windows"][0]["raise_usd"] == amount
    assert [(record.kind, record.cost, record.actor) for record in records(usage)] == [
        ("raise", 0, "zoë")
    ] * 3


def test_a_user_without_a_window_can_be_revoked_and_no_more(run: Run, on_this_machine: OnThisMachine) -> None:
    why = ("--reason", "x")
    assert run("budget", "show", "bob").code == 3
    for arguments in (
        ("adjust", "bob", "--credit", "1"),
        ("adjust", "bob", "--debit", "1", "--window", "month"),
        ("reset", "bob", "--yes"),
        ("raise", "bob", "1"),
    ):
        ended = run("budget", *arguments, *why)
        assert ended.code == 3
        assert "user 'bob' has no" in ended.err
    assert run("budget", "show", "bob").code == 3
    revoked = json.loads(run("budget", "revoke", "bob", "--yes", "--json").out)
    answer = shown(run, "bob")
    assert answer["revoked_before_ms"] == revoked["revoked_before_ms"] > 0
    assert answer["windows"] == []


@pytest.mark.parametrize("arguments", [("reset", "ana", "--reason", "x"), ("revoke", "ana")])
def test_what_takes_away_asks_first(
    run: Run, ana: None, usage: UsageStore, arguments: tuple[str, ...]
) -> None:
    """No terminal, no prompt: the message says what to add. At one, only yes is yes."""
    before = shown(run)
    piped = run("budget", *arguments, stdin="y\n")
    assert piped.code == 2
    assert "--yes" in piped.err
    assert run("budget", *arguments, terminal=True).code == 1
    assert shown(run) == before
    assert records(usage) == []


@pytest.mark.parametrize(
    ("answer", "code"), [("y", 0), (" YES ", 0), ("n", 1), ("", 1), ("yess", 1)], ids=repr
)
def test_only_yes_at_a_terminal_is_yes(
    run: Run, ana: None, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr("builtins.input", lambda: answer)
    ended = run("budget", "reset", "ana", "--reason", "x", "--json", terminal=True)
    assert ended.code == code
    assert "Give user 'ana' back all that is settled of this day? [y/N]" in ended.err
    if code == 0:
        assert json.loads(ended.out)["adjusted_usd"] == "-3"
    assert shown(run)["windows"][0]["settled_usd"] == ("3" if code else "0")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("adjust", "ana", "--reason", "x"), 2, "--credit"),
        (("adjust", "ana", "--reason", "x", "--credit", "1", "--debit", "1"), 2, "--credit"),
        (("adjust", "ana", "--credit", "1"), 2, "--reason"),
        (("reset", "ana", "--yes"), 2, "--reason"),
        (("raise", "ana", "1"), 2, "--reason"),
        (("adjust", "ana", "--reason", "x", "--credit=-1"), 2, "dollars"),
        (("adjust", "ana", "--reason", "x", "--credit", "1e400"), 2, "dollars"),
        (("raise", "ana", "1000001", "--reason", "x"), 2, "dollars"),
        (("raise", "ana", "NaN", "--reason", "x"), 2, "dollars"),
        (("adjust", "ana", "--reason", "x", "--debit", "0"), 4, "1 nanodollar"),
        (("adjust", "ana", "--reason", "x", "--credit", "4"), 4, "only $3 is settled"),
        (("adjust", "ana", "--reason", "x" * 201, "--credit", "1"), 4, "200 characters"),
        (("adjust", "ana", "--reason", "x", "--actor", "a\nb", "--credit", "1"), 4, "control characters"),
        (("show", "a" * 257), 4, "256 characters"),
        (("revoke", "a\x1b", "--yes"), 4, "control characters"),
        (("show", "ana", "--project", "a#b"), 3, "no project"),
        (("show", "ana", "--project", "shop"), 3, "no project"),
        (("raise", "ana", "1", "--reason", "x", "--window", "year"), 2, "--window"),
    ],
)
def test_what_cannot_be_is_said(
    run: Run, ana: None, usage: UsageStore, arguments: tuple[str, ...], code: int, message: str
) -> None:
    ended = run("budget", *arguments)
    assert ended.code == code, ended.err
    assert message in ended.err
    assert records(usage) == []


def test_without_a_login_name_the_actor_is_asked_for(
    run: Run, ana: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise OSError("no name")

    monkeypatch.setattr(getpass, "getuser", nobody)
    ended = run("budget", "adjust", "ana", "--credit", "1", "--reason", "x")
    assert ended.code == 2
    assert "--actor" in ended.err
