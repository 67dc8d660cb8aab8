"""Claude Code works on an OpenAI model: it answers, thinks, uses its tools, and recovers as it would on Claude."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.claude_code import ClaudeCode
from tests.clients.conftest import present
from tests.clients.counting_relay import CountingRelay
from tests.clients.installations import claude_code
from tests.clients.served_gateway import ServedGateway
from tests.stand_ins.openai_named_scripts import NAMED_SCRIPTS
from tests.stand_ins.openai_script import FunctionCall, Message, Reasoning, Script
from tests.stand_ins.openai_upstream import OpenAIUpstream

pytestmark = pytest.mark.node

MESSAGES = "POST /v1/messages?beta=true"
HELLO = "Hello from the stand-in, with a smile: é你😀."


@pytest.fixture
def claude(
    openai_gateway: ServedGateway, openai_upstream: OpenAIUpstream, tmp_path: Path
) -> Iterator[ClaudeCode]:
    """Claude Code with gpt-5.2 in the place of its large and small models; every request must be one that OpenAI's
    API takes."""
    program = present(claude_code(), "Claude Code")
    openai_upstream.reset()
    models = {"ANTHROPIC_MODEL": "gpt-5.2", "ANTHROPIC_DEFAULT_HAIKU_MODEL": "gpt-5.2"}
    with CountingRelay(openai_gateway.base_url) as relay:
        yield ClaudeCode(program, tmp_path, openai_gateway, relay, openai_upstream, "/v1/responses", models)
    openai_upstream.assert_nothing_refused()


def token(claude: ClaudeCode, user: str) -> str:
    return claude.gateway.token(user, limit_microusd=50_000_000)


def test_it_answers(claude: ClaudeCode) -> None:
    mine = token(claude, "on openai")
    assert claude.ask("Say hello", mine).strip() == HELLO
    assert claude.relay.requests.count(MESSAGES) == 1
    (request,) = claude.seen(0)
    body = request.json()
    assert (body["model"], body["stream"], body["store"]) == ("gpt-5.2", True, False)
    assert len(body["tools"]) > 5
    assert all(tool["strict"] is False for tool in body["tools"] if tool["type"] == "function")
    # Its attribution differs from one conversation to the next, and would keep prompts from being cached.
    assert "x-anthropic-billing-header" not in body["instructions"]
    assert mine.encode() not in request.body
    assert float(claude.gateway.settled_budget(mine)["settled"]) > 0


def test_it_runs_its_tools_thinks_and_sends_all_of_it_back(claude: ClaudeCode) -> None:
    note = claude.folder / "note.txt"
    note.write_text("the word is Kolibri, 漢字 too\n")
    count = {"command": f"wc -l {note}", "description": "Count lines"}
    claude.upstream.then(
        Script(
            (
                Reasoning(("I should read it.",)),
                FunctionCall("Read", {"file_path": str(note)}, call_id="call_read"),
            )
        ),
        Script((Reasoning(), Message("Now the lines."), FunctionCall("Bash", count, call_id="call_bash"))),
    )
    said = claude.ask(
        "What does note.txt say?", token(claude, "tools"), "--allowedTools", "Read", "Bash(wc:*)"
    )
    assert said.strip() == HELLO
    _, after_read, after_bash = (request.json()["input"] for request in claude.seen(0))
    assert "Kolibri, 漢字" in output_of("call_read", after_read)
    assert output_of("call_bash", after_bash).startswith("1 ")
    kinds = [item.get("type", "message") for item in after_bash]
    assert kinds.count("reasoning") == 2
    assert [kinds[kinds.index("reasoning") + 1], kinds[-1]] == ["function_call", "function_call_output"]


def test_a_context_that_is_too_long_is_said_in_words_that_it_knows(claude: ClaudeCode) -> None:
    """It looks for Anthropic's wording, and then knows that it has to compact; other words it only repeats."""
    (claude.upstream.script,) = NAMED_SCRIPTS["context"]
    ran = claude.run("Say hello", token(claude, "context"), exit_code=1)
    assert ran.stdout.startswith("Prompt is too long")
    assert "cannot be compacted" in ran.stdout


def test_an_overload_is_tried_again(claude: ClaudeCode) -> None:
    claude.upstream.then(NAMED_SCRIPTS["503"][0])
    assert claude.ask("Say hello", token(claude, "overload")).strip() == HELLO
    assert len(claude.seen(0)) == 2


def test_a_spent_budget_is_said_in_our_words_after_one_request(claude: ClaudeCode) -> None:
    spent = claude.gateway.token("claude-code spent on openai", limit_microusd=1)
    ran = claude.run("Say hello", spent, exit_code=1)
    assert "AI budget exceeded for user" in ran.stdout
    assert claude.relay.requests.count(MESSAGES) == 1
    assert claude.seen(0) == []


def output_of(call_id: str, items: list[dict[str, Any]]) -> str:
    """Return a call's output, as text."""
    for item in items:
        if item.get("type") == "function_call_output" and item["call_id"] == call_id:
            output = item["output"]
            return output if isinstance(output, str) else "".join(part.get("text", "") for part in output)
    raise AssertionError(f"no output of {call_id} in {json.dumps(items)[-2000:]}")
