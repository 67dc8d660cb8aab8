"""Every command in the README does what the README says: HOW says how each is run, or why it is not."""

import json
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from channeling.budget_answer import BudgetState, spent
from channeling.budgets.item import WindowState
from channeling.money import NANOUSD_PER_USD
from scripts.draw_stream import PICTURE, printed_lines
from tests.clients.installations import claude_code, node_modules
from tests.docs.pages import README, ROOT, blocks, commands
from tests.stand_ins.served import clean_environ

# The start of each command, and what is done about it.
HOW = {
    "make run": "started as it stands, on a free port",
    "make test": "not from within: it is what runs these tests",
    "export URL=": "run in one shell with the block",
    "export TOKEN=": "run in one shell with the block",
    'curl -N "$URL/v1/messages"': "run in one shell with the block",
    'curl "$URL/v1/budget"': "run in one shell with the block",
    "make build": "run by the tests of the lambda suite; here its target",
    ".tools/sam/bin/sam deploy": "needs an AWS account; its flags are those of `sam deploy --help`",
    ".venv/bin/channeling ": "run on the server of `make run` instead of a stack, which needs an AWS account",
    'ANTHROPIC_BASE_URL="$URL"': "run with Claude Code from npm",
}


@dataclass(frozen=True)
class Running:
    """The server of `make run`: its address, what it printed, and the environment of a second terminal."""

    base_url: str
    banner: str
    environ: dict[str, str]

    def sh(self, script: str, stdin: str = "", **variables: str) -> str:
        """Run a shell script as in a second terminal, in the repository's folder, and return what it prints."""
        environ = self.environ | {"URL": self.base_url} | variables
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=ROOT,
            env=environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def token(self, user: str) -> str:
        return self.sh(f".venv/bin/channeling token mint --user {user} --budget 5 --window day").strip()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`make run`, ended by the Ctrl-C that its last line speaks of."""
    home = tmp_path_factory.mktemp("home")
    environ = clean_environ(CHANNELING_HOME=str(home), NO_PROXY="*", PORT="0")
    with (
        (home / "errors").open("w+") as errors,
        subprocess.Popen(
            ["make", "run", "PORT=0"],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        banner = ""
        try:
            for line in process.stdout:
                banner += line
                if line.startswith("Ctrl-C"):
                    break
            found = re.search(r"http://127\.0\.0\.1:\d+", banner)
            assert found, banner + (home / "errors").read_text()
            yield Running(found[0], banner, environ)
        finally:
            # A terminal sends it to make and to the server.
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=30)
    assert "Traceback" not in (home / "errors").read_text()
    assert not (home / "local.json").exists(), "a server that ended left its file behind"


def sh_commands() -> list[str]:
    return [command for block in blocks(README, "sh") for command in commands(block.text)]


def how(command: str) -> list[str]:
    return [start for start in HOW if command.startswith(start)]


def test_every_command_is_in_the_table() -> None:
    assert {command: how(command) for command in sh_commands() if len(how(command)) != 1} == {}
    assert {start for command in sh_commands() for start in how(command)} == set(HOW)


def test_make_run_prints_a_curl_line_that_streams(running: Running) -> None:
    [line] = [line for line in running.banner.splitlines() if line.startswith("curl -N ")]
    assert running.sh(line).endswith('event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert "DEMO" in running.banner


def test_the_second_terminal_sees_a_stream_and_its_cost(running: Running) -> None:
    """The block is run as it stands, but for the port; its last command prints what the README shows."""
    [block] = [block for block in blocks(README, "sh") if block.text.startswith("export URL=")]
    printed = running.sh(block.text.replace("http://127.0.0.1:8080", running.base_url))
    stream, budget = printed.rsplit("\n", 1)
    assert stream.endswith('data: {"type":"message_stop"}\n')
    expected = json.loads(blocks(README, "json")[0].text)
    assert undated(json.loads(budget)) == undated(expected)


def undated(budget: dict[str, Any]) -> dict[str, Any]:
    start, end = (datetime.fromisoformat(budget[name]) for name in ("start", "end"))
    return budget | {"start": start.time().isoformat(), "end": (end - start).total_seconds()}


def test_the_refusal_shown_is_the_one_sent() -> None:
    shown = json.loads(blocks(README, "json")[1].text)
    end_s = int(datetime.fromisoformat(shown["error"]["details"]["resets_at"]).timestamp())
    settled = 4_998_100_000
    window = WindowState(end_s - 86_400, end_s, settled, settled, {})
    state = BudgetState("day", 5 * NANOUSD_PER_USD, window)
    refusal = spent(state, request_amount=4_200_000, now_s=end_s - 3_600)
    assert refusal.body(shown["request_id"]) == shown
    assert refusal.headers["x-should-retry"] == "false"


def test_the_commands_of_the_deployment_work(running: Running) -> None:
    """The same commands work on the local server, in this order, without the stack that is not there."""
    of_stack = [command for command in sh_commands() if command.endswith("--stack channeling")]
    for command in of_stack:
        here = command.removesuffix(" --stack channeling")
        if " doctor " in here:
            here += " --offline"  # it would try the key on the provider
        printed = running.sh(here, stdin="sk-ant-stand-in\n" if " key set " in here else "")
    assert len(of_stack) == 4
    assert printed.count(".") == 2, "the last one mints a token, and prints it alone"


def test_make_has_the_targets_named() -> None:
    for command in sh_commands():
        if command.startswith("make "):
            target = command.split()[1]
            subprocess.run(
                ["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=True, timeout=60
            )


@pytest.mark.sam
def test_sam_takes_the_flags_of_the_deployment() -> None:
    [command] = [command for command in sh_commands() if "sam deploy" in command]
    sam, deploy, *rest = command.split()
    ran = subprocess.run(
        [ROOT / sam, deploy, "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    flags = [word for word in rest if word.startswith("--")]
    assert flags
    assert [flag for flag in flags if not re.search(rf"(?<![\w-]){flag}(?![\w-])", ran.stdout)] == []


def test_the_python_client(running: Running) -> None:
    [block] = blocks(README, "python")
    environ = running.environ | {"URL": running.base_url, "TOKEN": running.token("python")}
    ran = subprocess.run(
        [sys.executable, "-c", block.text],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "Channeling's built-in demo" in ran.stdout


@pytest.mark.node
def test_the_typescript_client(running: Running, tmp_path: Path) -> None:
    [block] = blocks(README, "ts")
    modules = node_modules()
    assert modules is not None
    (tmp_path / "node_modules").symlink_to(modules)
    # It holds no type, so that Node runs it as it is.
    (tmp_path / "client.mjs").write_text(block.text)
    environ = running.environ | {"URL": running.base_url, "TOKEN": running.token("typescript")}
    ran = subprocess.run(
        ["node", tmp_path / "client.mjs"], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert "Channeling's built-in demo" in ran.stdout


@pytest.mark.node
def test_claude_code(running: Running, tmp_path: Path) -> None:
    program = claude_code()
    assert program is not None
    (tmp_path / "claude").symlink_to(program)
    [command] = [command for command in sh_commands() if command.startswith("ANTHROPIC_BASE_URL=")]
    variables = {
        "PATH": f"{tmp_path}{os.pathsep}{running.environ['PATH']}",
        "HOME": str(tmp_path),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "TOKEN": running.token("claude-code"),
    }
    assert "Channeling's built-in demo" in running.sh(command, **variables)


def test_the_picture_is_of_a_run_of_today(running: Running) -> None:
    """Redo it with scripts/draw_stream.py when this fails."""
    # The file is this repository's own.
    shown = ET.parse(PICTURE).getroot().findtext("{http://www.w3.org/2000/svg}desc")  # noqa: S314
    assert shown is not None
    now = "\n".join(printed_lines(running.base_url, running.token("picture")))
    changing = re.compile(r"msg_demo_\d+|\d{4}-\d\d-\d\dT")
    assert changing.sub("…", shown) == changing.sub("…", now)
