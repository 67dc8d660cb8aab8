"""`channeling price` sets, lists and removes custom prices, refuses what is none, and asks before it removes."""

import asyncio
import json

import pytest

from channeling.operations.stores import Stores
from tests.channeling_cli.conftest import OnThisMachine, Run

SET = ("price", "set", "claude-*", "--input", "1.5", "--output", "7.50")


def test_a_price_from_set_to_removed(run: Run, on_this_machine: OnThisMachine) -> None:
    """Setting it again replaces it; what was not named is left to the rules of the default table."""
    made = json.loads(run(*SET, "--provider", "anthropic", "--valid-from", "2026-12-01", "--json").out)
    price_id = made.pop("price_id")
    assert made == {
        "project_id": "demo",
        "model": "claude-*",
        "input": "1.5",
        "output": "7.5",
        "provider": "anthropic",
        "valid_from": "2026-12-01T00:00:00Z",
    }
    again = run(*SET[:-1], "9", "--provider", "anthropic", "--valid-from", "2026-12-01T00:00Z", "--json")
    assert json.loads(again.out)["price_id"] == price_id
    [listed] = json.loads(run("price", "list", "--json").out)["prices"]
    assert (listed["price_id"], listed["output"]) == (price_id, "9")
    people = run("price", "list").out
    for part in (price_id, "claude-*", "anthropic", "1.5", "9", "2026-12-01T00:00:00Z"):
        assert part in people
    assert "no terminal" in run("price", "remove", price_id).err
    assert run("price", "remove", price_id, "--yes").code == 0
    assert "default prices hold" in run("price", "list").out
    gone = run("price", "remove", price_id, "--yes")
    assert (gone.code, gone.out) == (3, "")
    assert price_id in gone.err


def test_prices_for_all_projects_are_apart(run: Run, on_this_machine: OnThisMachine) -> None:
    made = json.loads(run(*SET, "--global", "--json").out)
    assert made["project_id"] is None
    assert json.loads(run("price", "list", "--json").out)["prices"] == []
    assert len(json.loads(run("price", "list", "--global", "--json").out)["prices"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("claude-x", "--input", "much", "--output", "1"), 4, "input must be dollars"),
        (("claude-x", "--input", "-1", "--output", "1"), 4, "input must be dollars"),
        (("claude-x", "--input", "0.0000001", "--output", "1"), 4, "is it per million tokens"),
        (("a*b", "--input", "1", "--output", "1"), 4, "model must be"),
        (("claude-x", "--input", "1"), 2, "--output"),
        (("claude-x", "--input", "1", "--output", "1", "--valid-from", "soon"), 2, "--valid-from"),
        (("claude-x", "--input", "1", "--output", "1", "--global", "--project", "demo"), 2, "not both"),
        (("claude-x", "--input", "1", "--output", "1", "--project", "missing"), 3, "no project"),
    ],
)
def test_what_cannot_be_a_price_is_said(
    run: Run, on_this_machine: OnThisMachine, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ended = run("price", "set", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert words in " ".join(ended.err.replace("│", "").split())


def test_every_change_is_in_the_audit_log(run: Run, on_this_machine: OnThisMachine, stores: Stores) -> None:
    """In the name of who sits there, done or refused; what only looks leaves nothing."""
    made = json.loads(run(*SET, "--json").out)
    run("price", "list")
    run("price", "remove", made["price_id"], "--yes")
    run("price", "remove", made["price_id"], "--yes")
    people = run("audit").out
    assert people.index("price.remove") < people.index("price.set")
    assert "refused: there is no custom price" in people
    answer = json.loads(run("audit", "--limit", "1", "--json").out)
    assert [entry["outcome"] for entry in answer["entries"]] == ["refused"]
    assert "Nothing was changed" in run("audit", "--global").out
    entries = asyncio.run(stores.audit.read("demo", limit=10))
    assert [(entry.action, entry.outcome, entry.via) for entry in reversed(entries)] == [
        ("price.set", "done", "cli"),
        ("price.remove", "done", "cli"),
        ("price.remove", "refused", "cli"),
    ]
