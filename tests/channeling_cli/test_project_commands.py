"""`channeling project` creates, shows and changes projects, and shows a secret once, when it is made."""

import asyncio
import json

import pytest

from channeling.projects.project import ProjectRules
from tests.channeling_cli.conftest import OnThisMachine, Run


def test_a_project_is_created_with_its_rules(run: Run, on_this_machine: OnThisMachine) -> None:
    created = run(
        *("project", "create", "shop", "--name", "Web [b]shop", "--max-ai", "12.5", "--max-concurrent", "8"),
        *("--alias", "fast=claude-haiku-4-5", "--enforcement", "soft", "--allow-unbounded-tools", "--json"),
    )
    assert created.code == 0
    answer = json.loads(created.out)
    assert answer["project_id"] == "shop"
    assert answer["base_url"] == "http://127.0.0.1:9"
    stored = asyncio.run(on_this_machine.store.read("shop"))
    assert stored is not None
    assert stored.rules == ProjectRules(
        "Web [b]shop", "active", "soft", {"fast": "claude-haiku-4-5"}, 8, 12_500_000, True
    )
    assert asyncio.run(on_this_machine.secrets("shop")).hmac_secrets == (answer["hmac_secret"],)


def test_people_are_told_the_secret_once_and_what_comes_next(
    run: Run, on_this_machine: OnThisMachine
) -> None:
    created = run("project", "create", "shop")
    (secret,) = asyncio.run(on_this_machine.secrets("shop")).hmac_secrets
    assert secret in created.out
    assert "channeling key set anthropic --project shop" in created.out
    shown = run("project", "show", "shop")
    assert shown.code == 0
    assert secret not in shown.out
    assert secret[8:] not in shown.out


def test_a_project_without_a_name_gets_a_random_id(run: Run, on_this_machine: OnThisMachine) -> None:
    ids = {json.loads(run("project", "create", "--json").out)["project_id"] for _ in range(2)}
    assert len(ids) == 2
    assert all(project_id.startswith("proj_") for project_id in ids)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_show_gives_no_secret_away(run: Run, on_this_machine: OnThisMachine, form: tuple[str, ...]) -> None:
    shown = run("project", "show", *form)
    secrets = asyncio.run(on_this_machine.secrets())
    assert shown.code == 0
    for secret in (*secrets.hmac_secrets, *secrets.provider_keys.values()):
        assert secret not in shown.out + shown.err
    assert "anthropic" in shown.out


def test_only_the_rules_that_are_named_change(run: Run, on_this_machine: OnThisMachine) -> None:
    run("project", "create", "shop", "--max-ai", "5", "--alias", "a=b", "--alias", "c=d")
    changed = run(
        "project", "set", "shop", "--status", "disabled", "--alias", "a=", "--alias", "e=f", "--json"
    )
    assert changed.code == 0
    shown = json.loads(changed.out)
    assert (shown["status"], shown["max_ai_usd"], shown["aliases"]) == ("disabled", "5", {"c": "d", "e": "f"})
    secrets = asyncio.run(on_this_machine.secrets("shop"))
    assert len(secrets.hmac_secrets) == 1


def test_a_project_s_own_servers_are_set_and_taken_back(run: Run, on_this_machine: OnThisMachine) -> None:
    """Neither is touched by a change of something else."""
    own = ("--base-url", "openrouter=http://vllm:8000/v1/", "--base-url", "openai=https://example.com/v1")
    run("project", "create", "shop", *own, "--no-openrouter-native-anthropic")
    changed = run("project", "set", "shop", "--base-url", "openai=", "--status", "disabled", "--json")
    assert changed.code == 0
    shown = json.loads(changed.out)
    assert shown["base_urls"] == {"openrouter": "http://vllm:8000/v1"}
    assert shown["openrouter_native_anthropic"] is False
    stored = asyncio.run(on_this_machine.store.read("shop"))
    assert stored is not None
    assert stored.rules.base_urls == {"openrouter": "http://vllm:8000/v1"}
    assert "openrouter = http://vllm:8000/v1" in run("project", "show", "shop").out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("create", "shop", "--base-url", "mistral=https://api.mistral.ai/v1"), 2, "PROVIDER=URL"),
        (("create", "shop", "--base-url", "openrouter"), 2, "PROVIDER=URL"),
        (("create", "shop", "--base-url", "openrouter=https://me:pw@example.com"), 2, "credentials"),
        (("create", "shop", "--base-url", "openrouter=http://169.254.169.254"), 2, "metadata"),
        (("create", "shop", "--base-url", "anthropic=https://example.com/v1"), 4, "without /v1"),
        (("create", "demo"), 4, "already"),
        (("create", "a#b"), 4, "64 letters"),
        (("create", "*"), 4, "64 letters"),
        (("create", "x" * 65), 4, "64 letters"),
        (("create", "shop", "--name", "two\nlines"), 4, "printable"),
        (("create", "shop", "--max-ai", "much"), 2, "--max-ai"),
        (("create", "shop", "--alias", "alone"), 2, "NAME=MODEL"),
        (("create", "shop", "--max-concurrent", "0"), 2, "--max-concurrent"),
        (("create", "shop", "--enforcement", "lax"), 2, "--enforcement"),
        (("show", "missing"), 3, "channeling project create missing"),
        (("show", "a#b"), 3, "no project"),
        (("set", "missing", "--status", "disabled"), 3, "no project"),
    ],
)
def test_what_cannot_be_done_is_said(
    run: Run, on_this_machine: OnThisMachine, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ended = run("project", *arguments)
    assert ended.code == code
    assert words in ended.err
    assert ended.out == ""


def test_an_error_is_json_too_when_json_was_asked_for(run: Run, on_this_machine: OnThisMachine) -> None:
    ended = run("project", "show", "missing", "--json")
    assert json.loads(ended.err)["next"] == "channeling project create missing"
    assert ended.out == ""
