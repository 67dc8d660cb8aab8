"""`channeling key` takes a key from standard input or an unseen prompt, stores it sealed, and never shows it."""

import asyncio
import json
import sys
from typing import Any

import pytest

from tests.channeling_cli.conftest import OnThisMachine, Run

KEY = "sk-proj-0123456789"


def test_a_piped_key_is_stored_sealed(run: Run, on_this_machine: OnThisMachine) -> None:
    ended = run("key", "set", "openai", "--json", stdin=f"  {KEY}\n")
    assert ended.code == 0
    assert json.loads(ended.out) == {"project_id": "demo", "provider_keys": ["anthropic", "openai"]}
    assert KEY not in ended.out + ended.err
    assert asyncio.run(on_this_machine.secrets()).provider_keys["openai"] == KEY
    stored = asyncio.run(on_this_machine.store.read("demo"))
    assert stored is not None
    assert stored.sealed.ciphertext is not None
    assert KEY.encode() not in stored.sealed.ciphertext


def test_at_a_terminal_it_is_typed_unseen(
    run: Run, on_this_machine: OnThisMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def unseen(prompt: str, stream: Any) -> str:
        asked.append((prompt, stream is sys.stderr))
        return KEY

    monkeypatch.setattr("getpass.getpass", unseen)
    assert run("key", "set", "openrouter", terminal=True).code == 0
    assert asked == [("API key for openrouter: ", True)]
    assert asyncio.run(on_this_machine.secrets()).provider_keys["openrouter"] == KEY


def test_a_key_is_removed_once(run: Run, on_this_machine: OnThisMachine) -> None:
    assert run("key", "remove", "anthropic", "--yes").code == 0
    assert dict(asyncio.run(on_this_machine.secrets()).provider_keys) == {}
    again = run("key", "remove", "anthropic", "--yes")
    assert again.code == 3
    assert "no anthropic key" in again.err


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "words"),
    [
        (("set", "anthropic"), "", 4, "no secret was given"),
        (("set", "anthropic"), "\n \n", 4, "no secret was given"),
        (("set", "anthropic"), "two words", 4, "no spaces"),
        (("set", "anthropic"), "line\nline", 4, "printable"),
        (("set", "anthropic"), "k" * 1001, 4, "1,000"),
        (("set", "elsewhere"), KEY, 2, "'anthropic', 'openai', 'openrouter'"),
        (("set", "anthropic", KEY), "", 2, "unexpected extra argument"),
        (("set", "anthropic", "--project", "missing"), KEY, 3, "no project"),
        (("remove", "openai", "--project", "missing", "--yes"), "", 3, "no project"),
    ],
)
def test_what_cannot_be_done_is_said(
    run: Run,
    on_this_machine: OnThisMachine,
    arguments: tuple[str, ...],
    stdin: str,
    code: int,
    words: str,
) -> None:
    ended = run("key", *arguments, stdin=stdin)
    assert ended.code == code
    assert words in " ".join(ended.err.replace("│", "").split())
    assert dict(asyncio.run(on_this_machine.secrets()).provider_keys) == {"anthropic": "sk-ant-demo"}


def test_keys_together_over_the_limit_are_refused(run: Run, on_this_machine: OnThisMachine) -> None:
    for number in range(3):
        provider = ("anthropic", "openai", "openrouter")[number]
        assert run("key", "set", provider, stdin="k" * 1000).code == 0
    # Three keys of 1,000 characters fit in 4,000 bytes, which is why the limit on one is what it is.
    assert len(asyncio.run(on_this_machine.secrets()).provider_keys) == 3
