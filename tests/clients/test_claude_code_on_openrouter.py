"""Claude Code works on OpenRouter's models: it answers, thinks, uses its tools, and says what it is refused for."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.clients.claude_code import ClaudeCode
from tests.clients.conftest import present
from tests.clients.counting_relay import CountingRelay
from tests.clients.installations import claude_code
from tests.clients.served_gateway import OPENROUTER_KEY, ServedGateway
from tests.stand_ins import anthropic_script
from tests.stand_ins.chat_named_scripts import CONTEXT
from tests.stand_ins.chat_script import Reasoning, Script, Text, ToolCall, error_script
from tests.stand_ins.chat_upstream import ChatUpstream

pytestmark = pytest.mark.node

MESSAGES = "POST /v1/messages?beta=true"
HELLO = "Hello from the stand-in, with a smile: é你😀."
MODEL = "deepseek/deepseek-chat"
DETAIL = {"type": "reasoning.text", "text": "I should read it.", "id": "rs_1", "format": "unknown"}


@pytest.fixture
def claude(
    openrouter_gateway: ServedGateway, openrouter_upstream: ChatUpstream, tmp_path: Path
) -> Iterator[ClaudeCode]:
    """Claude Code with an `or:` model in the place of its large and small ones; every request must be one that
    OpenRouter takes."""
    program = present(claude_code(), "Claude Code")
    openrouter_upstream.reset()
    with CountingRelay(openrouter_gateway.base_url) as relay:
        yield ClaudeCode(
            program,
            tmp_path,
            openrouter_gateway,
            relay,
            openrouter_upstream,
            "/api/v1/chat/completions",
            models(f"or:{MODEL}"),
        )
    openrouter_upstream.assert_nothing_refused()


def models(name: str) -> dict[str, str]:
    return {"ANTHROPIC_MODEL": name, "ANTHROPIC_DEFAULT_HAIKU_MODEL": name}


def token(claude: ClaudeCode, user: str) -> str:
    return claude.gateway.token(f"{user} on openrouter", limit_microusd=50_000_000)


def settled(claude: ClaudeCode, mine: str) -> int:
    return int(Decimal(claude.gateway.settled_budget(mine)["settled"]) * 10**9)


def test_it_answers_and_costs_what_openrouter_says(claude: ClaudeCode) -> None:
    claude.upstream.script = Script(cost=0.012_345_678)
    mine = token(claude, "answers")
    assert claude.ask("Say hello", mine).strip() == HELLO
    assert claude.relay.requests.count(MESSAGES) == 1
    (request,) = claude.seen(0)
    body = request.json()
    assert (body["model"], body["stream"]) == (MODEL, True)
    assert len(body["tools"]) > 5
    assert body["provider"]["require_parameters"] is True
    assert "x-anthropic-billing-header" not in json.dumps(body["messages"][0])
    assert request.header("authorization") == f"Bearer {OPENROUTER_KEY}"
    assert mine.encode() not in request.body
    assert settled(claude, mine) == 12_345_678


def test_it_runs_its_tools_thinks_and_sends_all_of_it_back(claude: ClaudeCode) -> None:
    note = claude.folder / "note.txt"
    note.write_text("the word is Kolibri, 漢字 too\n")
    count = {"command": f"wc -l {note}", "description": "Count lines"}
    claude.upstream.then(
        Script(
            (
                Reasoning("I should read it.", details=(DETAIL,)),
                ToolCall("Read", {"file_path": str(note)}, call_id="call_read"),
            )
        ),
        Script((Text("Now the lines."), ToolCall("Bash", count, call_id="call_bash"))),
    )
    said = claude.ask(
        "What does note.txt say?", token(claude, "tools"), "--allowedTools", "Read", "Bash(wc:*)"
    )
    assert said.strip() == HELLO
    _, after_read, after_bash = (request.json()["messages"] for request in claude.seen(0))
    assert "Kolibri, 漢字" in result_of("call_read", after_read)
    assert result_of("call_bash", after_bash).startswith("1 ")
    (read, bash) = (message for message in after_bash if message.get("tool_calls"))
    assert [detail["text"] for detail in read["reasoning_details"]] == ["I should read it."]
    assert "Now the lines." in json.dumps(bash["content"])


def test_it_runs_its_tools_on_claude_in_its_own_format(claude: ClaudeCode) -> None:
    """An `anthropic/` model goes up byte for byte, to OpenRouter's endpoint for Anthropic's API."""
    note = claude.folder / "note.txt"
    note.write_text("the word is Kolibri, 漢字 too\n")
    native = claude.upstream.native
    read = anthropic_script.ToolUse("Read", {"file_path": str(note)}, id="toolu_read")
    native.script = anthropic_script.Script(input_tokens=20_000)
    native.then(anthropic_script.Script(blocks=(read,), stop_reason="tool_use", input_tokens=20_000))
    claude.variables = models("or:anthropic/claude-sonnet-4.5")
    said = claude.ask("What does note.txt say?", token(claude, "native"), "--allowedTools", "Read")
    assert said.strip() == HELLO
    asked = [request for request in claude.upstream.requests if request.path == "/api/v1/messages"]
    assert {request.json()["model"] for request in asked} == {"anthropic/claude-sonnet-4.5"}
    last = json.dumps(asked[-1].json()["messages"], ensure_ascii=False)
    assert "toolu_read" in last
    assert "Kolibri, 漢字" in last
    assert claude.seen(0) == []


def test_a_context_that_is_too_long_is_said_in_words_that_it_knows(claude: ClaudeCode) -> None:
    claude.upstream.script = error_script(400, CONTEXT)
    ran = claude.run("Say hello", token(claude, "context"), exit_code=1)
    assert ran.stdout.startswith("Prompt is too long")


def test_a_spent_budget_is_said_in_our_words_after_one_request(claude: ClaudeCode) -> None:
    spent = claude.gateway.token("claude-code spent on openrouter", limit_microusd=1)
    ran = claude.run("Say hello", spent, exit_code=1)
    assert "AI budget exceeded for user" in ran.stdout
    assert claude.relay.requests.count(MESSAGES) == 1
    assert claude.seen(0) == []


def result_of(call_id: str, messages: list[dict[str, Any]]) -> str:
    """Return what the tool message of a call says."""
    for message in messages:
        if message["role"] == "tool" and message["tool_call_id"] == call_id:
            content = message["content"]
            return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    raise AssertionError(f"no result of {call_id} in {json.dumps(messages)[-2000:]}")
