"""`channeling` says what it can do, and ends with a telling exit code; a command loads only what it needs."""

import json
import subprocess
import sys

import pytest

from channeling.errors import StoreUnavailable
from channeling.projects.cipher import CipherUnavailable
from channeling.projects.errors import ProjectExists, ProjectMissing, SecretsTooLarge
from channeling.projects.key_file_cipher import KeyFileError
from channeling.settings import SettingsError
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDBFailed
from channeling_cli.error_messages import failure_of
from channeling_cli.failure import CommandFailed, ExitCode
from tests.channeling_cli.conftest import Run
from tests.stand_ins.served import CHANNELING, clean_environ

COMMANDS = [
    ("serve",),
    ("project", "create"),
    ("project", "show"),
    ("project", "set"),
    ("key", "set"),
    ("key", "remove"),
    ("secret", "add"),
    ("secret", "list"),
    ("secret", "remove"),
    ("token", "mint"),
    ("event",),
    ("doctor",),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_the_shared_options(run: Run, command: tuple[str, ...]) -> None:
    ended = run(*command, "--help")
    assert ended.code == 0
    options = set() if command == ("serve",) else {"--stack", "--region", "--profile"}
    options |= set() if command == ("event",) else {"--json"}
    assert all(option in ended.out for option in options)


@pytest.mark.parametrize("command", [("no-such",), ("project", "no-such"), ("serve", "--port", "99999")])
def test_a_wrong_command_line_is_a_usage_error(run: Run, command: tuple[str, ...]) -> None:
    assert run(*command).code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandFailed("x", exit_code=ExitCode.UNHEALTHY), 6),
        (ProjectMissing("x"), 3),
        (ProjectExists("x"), 4),
        (SecretsTooLarge("x"), 4),
        (SettingsError("x"), 4),
        (KeyFileError("x"), 4),
        (CipherUnavailable("x"), 5),
        (StoreUnavailable("x"), 5),
        (EmbeddedDynamoDBFailed("x"), 1),
    ],
)
def test_every_failure_has_its_exit_code(error: Exception, code: int) -> None:
    failure = failure_of(error)
    assert failure is not None
    assert failure.exit_code == code


def test_a_defect_is_not_taken_for_a_failure() -> None:
    assert failure_of(KeyError("x")) is None


def test_as_a_program_errors_go_to_standard_error_alone(tmp_path: object) -> None:
    ended = subprocess.run(
        [CHANNELING, "project", "show", "--json"],
        cwd=str(tmp_path),
        env=clean_environ(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (3, b"")
    assert "no server runs here" in json.loads(ended.stderr)["error"]


def test_commands_other_than_serve_load_neither_the_gateway_nor_a_web_server() -> None:
    code = "import sys; from channeling_cli.commands import app_of; app_of(); print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(printed.stdout.split())
    assert modules.isdisjoint({"uvicorn", "starlette", "channeling.app", "moto", "flask", "boto3", "httpx"})
