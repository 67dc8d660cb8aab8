"""The banner's lines can be pasted as they are, and it says what answers and what is lost."""

import ast
import json
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from channeling_cli import banner as banner_module
from channeling_cli import output
from channeling_cli.banner import MODEL, OPENAI_MODEL, Banner, command_to_type, print_banner

BANNER = Banner(
    command=".venv/bin/channeling",
    base_url="http://127.0.0.1:8080",
    token=f"e{'y' * 150}.{'a' * 150}.b-_",
    budget_usd="5",
    dashboard_url="http://127.0.0.1:8080/admin/#token=a.b.c",
    provider_names=("anthropic", "openai"),
    is_demo=False,
    missing_key=None,
    lasting_store_url=None,
)


def printed(banner: Banner, capsys: pytest.CaptureFixture[str]) -> str:
    print_banner(banner)
    return capsys.readouterr().out


def snippet(text: str, title: str) -> str:
    """Return the lines under a title, up to the next one."""
    return re.split(r"\n\n(?=[A-Z])", text[text.index(f"\n{title}") :].split("\n", 2)[2])[0]


def test_the_curl_line_is_a_whole_request(capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(snippet(printed(BANNER, capsys), "curl").splitlines()[0])
    assert words[:3] == ["curl", "-N", "http://127.0.0.1:8080/v1/messages"]
    assert f"x-api-key: {BANNER.token}" in words
    body = json.loads(words[words.index("-d") + 1])
    assert (body["model"], body["stream"]) == (MODEL, True)


def test_the_python_snippet_is_python(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(BANNER, capsys)
    start = text.index("import anthropic")
    code = text[start : text.index("\nTypeScript")]
    ast.parse(code)
    assert BANNER.token in code
    assert BANNER.base_url in code


def test_claude_code_gets_both_variables(capsys: pytest.CaptureFixture[str]) -> None:
    words = snippet(printed(BANNER, capsys), "Claude Code").splitlines()[0].split()
    assert words == [
        f"ANTHROPIC_BASE_URL={BANNER.base_url}",
        f"ANTHROPIC_AUTH_TOKEN={BANNER.token}",
        "claude",
    ]


def test_with_openai_s_key_alone_the_snippets_name_its_model(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(replace(BANNER, provider_names=("openai", "openrouter")), capsys)
    assert MODEL not in text
    assert text.count(OPENAI_MODEL) == 5
    assert f"ANTHROPIC_MODEL={OPENAI_MODEL} ANTHROPIC_DEFAULT_HAIKU_MODEL={OPENAI_MODEL} claude" in text


def test_what_answers_and_what_is_lost_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    real = printed(BANNER, capsys)
    assert "anthropic, openai" in real
    assert "DEMO" not in real
    assert "lost at exit" in real
    demo = printed(replace(BANNER, is_demo=True), capsys)
    assert "DEMO UPSTREAM" in demo
    assert ".venv/bin/channeling key set anthropic" in demo
    lasting = printed(replace(BANNER, lasting_store_url="http://db:8000"), capsys)
    assert "http://db:8000: nothing is lost" in lasting
    missing = printed(replace(BANNER, missing_key="ANTHROPIC_API_KEY", provider_names=()), capsys)
    assert "ANTHROPIC_API_KEY is not set" in missing


def test_the_command_is_called_as_the_folder_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "channeling"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    assert command_to_type(str(program), tmp_path) == "bin/channeling"
    assert command_to_type(str(program), tmp_path / "elsewhere") == str(program)
    monkeypatch.setenv("PATH", str(program.parent))
    assert command_to_type(str(program), tmp_path) == "channeling"


@pytest.mark.parametrize("text", ["stopped", "", "a [bold]b[/bold] :smile: 12 \u2026 " + "long " * 100])
def test_without_a_terminal_the_same_is_printed_without_rich(
    text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_printed() -> tuple[str, str]:
        for banner in (BANNER, replace(BANNER, lasting_store_url="http://db:8000", command=f"x{text}")):
            print_banner(banner)
        output.print_line(text, style="dim", to_stderr=True)
        captured = capsys.readouterr()
        return captured.out, captured.err

    with monkeypatch.context() as without_rich:
        without_rich.setitem(sys.modules, "rich.console", None)
        plainly = all_printed()
    for module in (banner_module, output):
        monkeypatch.setattr(module, "is_written_plainly", lambda *_: False)
    assert plainly == all_printed()


@pytest.mark.parametrize(("name", "value"), [("FORCE_COLOR", "1"), ("TTY_COMPATIBLE", "1")])
def test_colours_can_be_asked_for(
    name: str, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" not in printed(BANNER, capsys)
    monkeypatch.setenv(name, value)
    assert "\x1b[1mChanneling listens on" in printed(BANNER, capsys)
