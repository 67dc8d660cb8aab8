"""Claude Code works on the gateway: it answers, uses its tools, and says what the gateway refuses it for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.claude_code import ClaudeCode
from tests.clients.conftest import present
from tests.clients.counting_relay import CountingRelay
from tests.clients.installations import claude_code
from tests.clients.served_gateway import PROVIDER_KEY, ServedGateway
from tests.stand_ins.anthropic_script import Script, Text, ToolUse
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.raw_http import RecordedRequest

pytestmark = pytest.mark.node

MESSAGES = "POST /v1/messages?beta=true"


@pytest.fixture
def claude(gateway: ServedGateway, upstream: AnthropicUpstream, tmp_path: Path) -> Iterator[ClaudeCode]:
    program = present(claude_code(), "Claude Code")
    upstream.script = Script(input_tokens=20_000)
    with CountingRelay(gateway.base_url) as relay:
        yield ClaudeCode(program, tmp_path, gateway, relay, upstream)


@pytest.mark.parametrize("header", ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"])
def test_it_answers_with_either_credential(claude: ClaudeCode, header: str) -> None:
    since = len(claude.upstream.requests)
    token = claude.gateway.token(f"claude-code {header}", limit_microusd=50_000_000)
    said = claude.ask("Say hello", token, header=header)
    assert said.strip() == "Hello from the stand-in, with a smile: é你😀."
    assert claude.relay.requests.count(MESSAGES) == 1
    (request,) = claude.seen(since)
    assert (request.query, request.header("x-api-key")) == ("beta=true", PROVIDER_KEY)
    assert request.header("authorization") is None
    assert token.encode() not in request.body
    assert "claude-code-" in (request.header("anthropic-beta") or "")
    # 20,000 input tokens cost something at any model's price; the answer's end has settled it.
    assert float(claude.gateway.settled_budget(token)["settled"]) > 0


def test_it_runs_its_tools_and_sends_back_what_they_gave(claude: ClaudeCode) -> None:
    since = len(claude.upstream.requests)
    note = claude.folder / "note.txt"
    note.write_text("the word is Kolibri, 漢字 too\n")
    read = ToolUse("Read", {"file_path": str(note)}, id="toolu_read")
    shell = ToolUse("Bash", {"command": f"wc -l {note}", "description": "Count lines"}, id="toolu_bash")
    claude.upstream.then(
        Script(blocks=(Text("I will read it."), read), stop_reason="tool_use", input_tokens=20_000),
        Script(blocks=(shell,), stop_reason="tool_use", input_tokens=20_000),
    )
    token = claude.gateway.token("claude-code tools", limit_microusd=50_000_000)
    said = claude.ask("What does note.txt say?", token, "--allowedTools", "Read", "Bash(wc:*)")
    assert said.strip() == "Hello from the stand-in, with a smile: é你😀."
    _, after_read, after_shell = claude.seen(since)
    assert "Kolibri, 漢字" in _result_of("toolu_read", after_read)
    assert _result_of("toolu_bash", after_shell).startswith("1 ")


@pytest.mark.parametrize("limit_microusd", [0, 1])
def test_a_spent_budget_is_said_in_our_words_after_one_request(
    claude: ClaudeCode, limit_microusd: int
) -> None:
    since = len(claude.upstream.requests)
    token = claude.gateway.token("claude-code spent", limit_microusd=limit_microusd)
    ran = claude.run("Say hello", token, exit_code=1)
    assert "AI budget exceeded for user" in ran.stdout
    assert claude.relay.requests.count(MESSAGES) == 1
    assert claude.seen(since) == []


def test_an_expired_token_fails_promptly_and_says_why(claude: ClaudeCode) -> None:
    since = len(claude.upstream.requests)
    ran = claude.run("Say hello", claude.gateway.token("claude-code late", age_s=7_200), exit_code=1)
    assert "The token has expired" in ran.stdout
    assert claude.relay.requests.count(MESSAGES) == 1
    assert claude.seen(since) == []


def test_what_the_upstream_says_of_a_request_reaches_it_word_for_word(claude: ClaudeCode) -> None:
    claude.upstream.script = Script(
        status=400,
        body=b'{"type":"error","error":{"type":"invalid_request_error","message":"tools.0.custom.name: no"}}',
    )
    token = claude.gateway.token("claude-code 400", limit_microusd=50_000_000)
    ran = claude.run("Say hello", token, exit_code=1)
    assert "tools.0.custom.name: no" in ran.stdout
    assert claude.gateway.settled_budget(token)["settled"] == "0"


def _result_of(tool_use_id: str, request: RecordedRequest) -> str:
    """Return the tool's result that a request carries, as text."""
    for message in request.json()["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else ():
            if block.get("type") == "tool_result" and block["tool_use_id"] == tool_use_id:
                content = block["content"]
                return content if isinstance(content, str) else content[0]["text"]
    raise AssertionError(f"no result of {tool_use_id} in {request.body[-2000:]!r}")
