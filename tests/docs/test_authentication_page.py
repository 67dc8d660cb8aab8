"""Every example on the authentication page does what the page says: the snippets are taken out of it and run."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from channeling.auth.budget_claim import BudgetClaim
from channeling.auth.token import verify_token
from tests.channeling.auth.token_parts import SECRET, sign

PAGE = Path(__file__).parents[2] / "docs" / "authentication.md"
PROJECT_ID = "proj_1"
NEW_YEAR_S = 1_767_225_600  # 2026-01-01T00:00:00Z
PRINTED_ON_THE_API_PAGE = """\
import { createToken, createBudget } from '@chucky.cloud/sdk';

const token = await createToken({
  userId: 'user-123',
  projectId: process.env.CHUCKY_PROJECT_ID,
  secret: process.env.CHUCKY_HMAC_SECRET,
  budget: createBudget({
    aiDollars: 5.00,
    computeHours: 1,
    window: 'day',
  }),
});
"""


class Snippet(NamedTuple):
    """A fenced example with the comment before it, which says what the tests do with it."""

    mark: str
    language: str
    text: str


def snippets(language: str) -> list[Snippet]:
    fenced = re.compile(
        r"(?:<!-- (?P<mark>.*?) -->\n)?```(?P<language>[a-z]+)\n(?P<text>.*?)^```$", re.S | re.M
    )
    found = [
        Snippet(m["mark"] or "", m["language"], m["text"]) for m in fenced.finditer(PAGE.read_text("utf-8"))
    ]
    return [snippet for snippet in found if snippet.language == language]


def minting(language: str) -> list[Snippet]:
    return [snippet for snippet in snippets(language) if snippet.mark == "runs: prints a token"]


def run(command: list[str]) -> str:
    environ = {**os.environ, "CHUCKY_PROJECT_ID": PROJECT_ID, "CHUCKY_HMAC_SECRET": SECRET}
    ran = subprocess.run(command, check=False, env=environ, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def assert_the_token_of_the_page(token: str) -> None:
    now_s = time.time()
    claims = verify_token(token, [SECRET], now_s=now_s)
    assert (claims.user_id, claims.project_id, claims.models) == ("user-123", PROJECT_ID, None)
    assert claims.budget == BudgetClaim(5_000_000_000, "day", NEW_YEAR_S)
    assert claims.expires_at_s - claims.issued_at_ms // 1_000 == 3_600
    assert abs(now_s - claims.issued_at_ms / 1_000) < 60


@pytest.mark.parametrize("snippet", minting("python"), ids=["chucky-sdk", "PyJWT"])
def test_python_snippets_mint(snippet: Snippet) -> None:
    assert_the_token_of_the_page(run([sys.executable, "-c", snippet.text]))


@pytest.mark.node
@pytest.mark.parametrize("snippet", minting("typescript"), ids=["node:crypto"])
def test_typescript_snippet_mints(snippet: Snippet, tmp_path: Path) -> None:
    program = tmp_path / "mint.mjs"
    program.write_text(snippet.text, "utf-8")
    assert_the_token_of_the_page(run(["node", str(program)]))


def test_the_short_ways_are_as_short_as_promised() -> None:
    _, pyjwt = minting("python")
    (node,) = minting("typescript")
    assert len(pyjwt.text.strip().splitlines()) <= 10
    assert len(node.text.strip().splitlines()) <= 15


def test_every_snippet_is_run_or_says_why_not() -> None:
    marks = [snippet.mark for language in ("python", "typescript") for snippet in snippets(language)]
    assert sorted(mark.split(":")[0] for mark in marks) == ["not run", "runs", "runs", "runs", "runs"]


def test_the_sdk_snippet_is_the_one_of_the_api_page() -> None:
    (snippet,) = [snippet for snippet in snippets("typescript") if snippet.mark.startswith("not run")]
    assert snippet.text == PRINTED_ON_THE_API_PAGE
    assert "not published where we could test it" in PAGE.read_text("utf-8").replace(snippet.mark, "")


def test_the_example_of_the_claims_verifies_and_the_table_names_each() -> None:
    example = json.loads(snippets("json")[0].text)
    claims = verify_token(sign(example), [SECRET], now_s=example["iat"])
    assert claims.models == ("claude-*", "gpt-5")
    names = [name for name in example if name != "budget"] + [f"budget.{name}" for name in example["budget"]]
    for name in names:
        assert f"| `{name}` |" in PAGE.read_text("utf-8")


def test_the_settings_of_claude_code_are_json() -> None:
    settings = json.loads(snippets("json")[1].text)
    assert settings["apiKeyHelper"].startswith("curl ")
    assert int(settings["env"]["CLAUDE_CODE_API_KEY_HELPER_TTL_MS"]) < 3_600_000


class _Answers(BaseHTTPRequestHandler):
    """Answers every message with one word, and keeps the token that each request brought."""

    tokens: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.tokens.append(
            self.headers.get("x-api-key") or self.headers["authorization"].removeprefix("Bearer ")
        )
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "stop_reason": "end_turn",
        }
        body = json.dumps({**message, "content": [{"type": "text", "text": "yes"}], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def answering() -> Iterator[tuple[str, list[str]]]:
    handler = type("Answers", (_Answers,), {"tokens": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler.tokens
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_sdk_sends_a_fresh_token_with_each_request(
    answering: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    base_url, tokens = answering
    (snippet,) = [snippet for snippet in snippets("python") if snippet.mark.startswith("runs: against")]
    monkeypatch.setenv("CHANNELING_URL", base_url)
    page: dict[str, Any] = {}
    exec(compile(snippet.text, str(PAGE), "exec"), page)  # noqa: S102 - the page's own code is what is tested
    with page["client"]:
        for token in ("a.b.first", "a.b.second"):
            assert page["ask"]("Hello?", token).content[0].text == "yes"
    assert tokens == ["a.b.first", "a.b.second"]
