"""The local file is private, found from folders below, and removed only by the server that wrote it."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from channeling.tables import TableNames
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.local_file import (
    LocalServer,
    find_local_server,
    folder_to_write,
    remove_local_file,
    write_local_file,
)

SERVER = LocalServer(
    os.getpid(),
    "http://127.0.0.1:8080",
    "http://127.0.0.1:8000",
    TableNames.with_prefix("channeling"),
    Path("/keys/secrets.key"),
    "demo",
    {"anthropic": "https://api.anthropic.com"},
)


def test_it_is_found_from_its_folder_and_those_below(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    write_local_file(tmp_path / ".channeling", SERVER)
    assert find_local_server({}, tmp_path) == find_local_server({}, below) == SERVER
    path = tmp_path / ".channeling" / "local.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_the_nearest_one_is_taken_and_the_variable_goes_before_all(tmp_path: Path) -> None:
    inner, home = tmp_path / "inner", tmp_path / "home"
    nearer, named = replace(SERVER, project_id="nearer"), replace(SERVER, project_id="named")
    write_local_file(tmp_path / ".channeling", SERVER)
    write_local_file(inner / ".channeling", nearer)
    environ = {"CHANNELING_HOME": str(home)}
    write_local_file(folder_to_write(environ, inner), named)
    assert find_local_server({}, inner) == nearer
    assert find_local_server(environ, inner) == named
    assert find_local_server({"CHANNELING_HOME": " "}, inner) == nearer


def test_a_file_that_another_server_has_written_since_stays(tmp_path: Path) -> None:
    write_local_file(tmp_path, replace(SERVER, process_id=os.getppid()))
    remove_local_file(tmp_path, os.getpid())
    assert (tmp_path / "local.json").exists()
    remove_local_file(tmp_path, os.getppid())
    assert not (tmp_path / "local.json").exists()
    remove_local_file(tmp_path, os.getppid())


def test_no_server_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="no server runs here") as failed:
        find_local_server({"CHANNELING_HOME": str(tmp_path)}, tmp_path)
    assert failed.value.exit_code == ExitCode.NOT_FOUND
    assert "--stack" in failed.value.next_step


def test_a_server_that_was_killed_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    write_local_file(tmp_path / ".channeling", replace(SERVER, process_id=ended.pid))
    with pytest.raises(CommandFailed, match="has ended"):
        find_local_server({}, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b"null",
        json.dumps({"form": 2}).encode(),
        json.dumps({"form": 1, "process_id": "x"}).encode(),
        json.dumps(
            {"form": 1, "process_id": 1, "base_url": "u", "dynamodb_endpoint_url": "e", "tables": 5}
        ).encode(),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".channeling").mkdir()
    (tmp_path / ".channeling" / "local.json").write_bytes(content)
    with pytest.raises(CommandFailed, match=r"local\.json cannot be read"):
        find_local_server({}, tmp_path)
    remove_local_file(tmp_path / ".channeling", 1)
    assert (tmp_path / ".channeling" / "local.json").exists()


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandFailed, match="cannot write") as failed:
        write_local_file(tmp_path / "file" / "below", SERVER)
    assert "CHANNELING_HOME" in failed.value.next_step
