"""`channeling exec` runs a program on a budget of its own, and is that program: exit code, signals, streams."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from channeling.auth.token import verify_token
from channeling_cli.exec_command import environ_of
from tests.channeling_cli.conftest import OnThisMachine, Run
from tests.stand_ins.served import CHANNELING, clean_environ

SHOW = (
    "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('ANTHROPIC')}))"
)


def execute(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [CHANNELING, "exec", *arguments],
        env=clean_environ(**variables),
        cwd=Path.cwd(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_program_gets_a_fresh_token_and_nothing_else(on_this_machine: OnThisMachine) -> None:
    """Two runs are two users; credentials of the environment do not go along."""
    own = {"ANTHROPIC_API_KEY": "sk-ant-mine", "ANTHROPIC_AUTH_TOKEN": "mine", "ANTHROPIC_MODEL": "kept"}
    secrets = asyncio.run(on_this_machine.secrets()).hmac_secrets
    users = set()
    for _ in range(2):
        ended = execute(
            *("--budget", "0.5", "--window", "hour", "--model", "claude-*", "--"),
            sys.executable,
            "-c",
            SHOW,
            **own,
        )
        assert ended.returncode == 0, ended.stderr
        environ = json.loads(ended.stdout)
        token = environ.pop("ANTHROPIC_API_KEY")
        assert environ == {"ANTHROPIC_BASE_URL": on_this_machine.server.base_url, "ANTHROPIC_MODEL": "kept"}
        claims = verify_token(token, secrets, now_s=time.time())
        assert (claims.budget.limit_nanousd, claims.budget.window) == (500_000_000, "hour")
        assert claims.models == ("claude-*",)
        assert claims.user_id in ended.stderr
        assert token not in ended.stderr
        users.add(claims.user_id)
    assert len(users) == 2


def test_a_named_user_s_budget_is_shared(on_this_machine: OnThisMachine) -> None:
    ended = execute("--user", "ana", "--", sys.executable, "-c", SHOW)
    secrets = asyncio.run(on_this_machine.secrets()).hmac_secrets
    token = json.loads(ended.stdout)["ANTHROPIC_API_KEY"]
    assert verify_token(token, secrets, now_s=time.time()).user_id == "ana"


@pytest.mark.parametrize("code", [0, 7, 255])
def test_its_exit_code_and_its_options_are_its_own(on_this_machine: OnThisMachine, code: int) -> None:
    """With or without "--": what follows the program's name is the program's."""
    program = f"import sys; print(sys.argv[1:]); sys.exit({code})"
    for separator in (("--",), ()):
        ended = execute(*separator, sys.executable, "-c", program, "--json", "--budget", "x")
        assert (ended.returncode, ended.stdout.strip()) == (code, "['--json', '--budget', 'x']")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_reach_it(on_this_machine: OnThisMachine, number: signal.Signals) -> None:
    """The program itself has the process id, so that whoever sends one sends it to the program."""
    program = (
        "import signal, sys\n"
        "caught = []\n"
        f"signal.signal({int(number)}, lambda n, _: sys.exit(40 + n))\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    command = [CHANNELING, "exec", "--", sys.executable, "-c", program]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environ(), cwd=Path.cwd()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(30) == 40 + number


def test_claude_code_gets_a_bearer_token() -> None:
    """It asks back for each new API key, and for a bearer token never."""
    environ = environ_of({"ANTHROPIC_API_KEY": "old", "PATH": "/bin"}, "claude", "http://gateway", "token")
    assert environ == {
        "PATH": "/bin",
        "ANTHROPIC_BASE_URL": "http://gateway",
        "ANTHROPIC_AUTH_TOKEN": "token",
    }


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "no program was named"),
        (("--", "no-such-program"), 3, "'no-such-program'"),
        (("--budget", "much", "--", "true"), 2, "--budget"),
        (("--project", "missing", "--", "true"), 3, "no project"),
    ],
)
def test_what_cannot_be_run_is_said(
    run: Run, on_this_machine: OnThisMachine, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ended = run("exec", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert words in " ".join(ended.err.replace("│", "").split())
