"""A Python 3.13 is found wherever it runs, one that does not is passed over, and none is said plainly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emulator import sam_cli

ROOT = Path(__file__).parents[2]


def _fake_python(path: Path, *, version: str = "3.13", exit_code: int = 0) -> Path:
    """Make a program that answers as a Python of that version would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\necho {path.parent}\nexit {exit_code}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "place",
    [
        "on-path/python3.13",
        ".pyenv/versions/3.13.2/bin/python3.13",
        ".local/share/uv/python/cpython-3.13.1-linux/bin/python3.13",
    ],
)
def test_it_is_found_where_it_is_usually_installed(tmp_path: Path, place: str) -> None:
    python = _fake_python(tmp_path / place)
    environ = {"HOME": str(tmp_path), "PATH": f"{tmp_path / 'on-path'}:/nonexistent"}
    assert sam_cli.find_python(environ) == python


def test_one_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    _fake_python(tmp_path / "shims/python3.13", exit_code=127)
    _fake_python(tmp_path / "old/python3.13", version="3.12")
    python = _fake_python(tmp_path / "good/python3.13")
    path = os.pathsep.join(str(tmp_path / folder) for folder in ("shims", "old", "good"))
    assert sam_cli.find_python({"HOME": str(tmp_path), "PATH": path}) == python


def test_one_that_is_named_is_the_only_one_tried(tmp_path: Path) -> None:
    _fake_python(tmp_path / "good/python3.13")
    environ = {"PATH": str(tmp_path / "good"), "PYTHON313": str(tmp_path / "missing")}
    assert sam_cli.find_python(environ) is None
    named = _fake_python(tmp_path / "named/python3.13")
    assert sam_cli.find_python(environ | {"PYTHON313": str(named)}) == named


def test_without_one_the_command_says_what_to_install(tmp_path: Path) -> None:
    for folder in ("emulator", "requirements"):
        (tmp_path / folder).mkdir()
    for file in ("emulator/__init__.py", "emulator/sam_cli.py", "requirements/sam.lock"):
        (tmp_path / file).write_text((ROOT / file).read_text())
    ran = subprocess.run(
        [sys.executable, "-m", "emulator.sam_cli"],
        cwd=tmp_path,
        env={"PATH": "", "HOME": str(tmp_path), "PYTHON313": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "pyenv install 3.13" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_sams_own_python_comes_first_and_nothing_is_reported_home() -> None:
    environ = sam_cli.sam_environ(
        {"PATH": "/usr/bin", "AWS_DEFAULT_REGION": "eu-west-1", "SAM_CLI_TELEMETRY": "1"}
    )
    assert environ["PATH"].split(os.pathsep) == [str(ROOT / ".tools/sam/bin"), "/usr/bin"]
    assert environ["SAM_CLI_TELEMETRY"] == "0"
    assert environ["AWS_DEFAULT_REGION"] == "eu-west-1"
