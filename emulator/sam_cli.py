"""The AWS SAM CLI, pinned, in a virtual environment of its own: `python -m emulator.sam_cli` installs it.

SAM needs Python 3.13 for two things: `sam build` runs `python3.13` for functions of that runtime, and its own
locked requirements were resolved for it. The environment has both.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements/sam.lock"
HOME = ROOT / ".tools/sam"
PYTHON_VERSION = "3.13"
ADVICE = (
    "The AWS SAM CLI needs Python 3.13, which was not found here. Install it (from python.org, with "
    "`pyenv install 3.13`, `uv python install 3.13`, or your system's python3.13 and python3.13-venv), "
    "or name it: make build PYTHON313=/path/to/python3.13"
)


class SamMissing(Exception):
    """The SAM CLI is not here and cannot be installed; the message says what would bring it in."""


def installed_sam(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that holds the SAM CLI, installing it when it is not there or its lock has changed.

    Raises SamMissing.
    """
    stamp, wanted = HOME / "installed", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return HOME
    python = find_python(environ)
    if python is None:
        raise SamMissing(ADVICE)
    print(
        f"Installing the AWS SAM CLI into {HOME.relative_to(ROOT)} (about half a minute, once) ...",
        file=sys.stderr,
    )
    shutil.rmtree(HOME, ignore_errors=True)
    pip = [str(HOME / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([str(python), "-m", "venv", str(HOME)], [*pip, "--require-hashes", "-r", str(LOCK)]):
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            last_lines = "\n".join((ran.stderr or ran.stdout).strip().splitlines()[-5:])
            raise SamMissing(f"The AWS SAM CLI could not be installed with {python}:\n{last_lines}")
    stamp.write_text(wanted)
    return HOME


def find_python(environ: Mapping[str, str]) -> Path | None:
    """Return a Python 3.13 that runs: the one named by PYTHON313, or the first of the usual places."""
    named = environ.get("PYTHON313", "")
    for candidate in [Path(named)] if named else _candidates(environ):
        base = _base_of(candidate)
        if base is not None:
            return base
    return None


def sam_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment that `sam` runs in: its own `python3.13` first on PATH, a region, no telemetry."""
    return {
        "AWS_DEFAULT_REGION": "us-east-1",
        **environ,
        "PATH": f"{HOME / 'bin'}{os.pathsep}{environ.get('PATH', os.defpath)}",
        "SAM_CLI_TELEMETRY": "0",
    }


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    name = f"python{PYTHON_VERSION}"
    yield from (Path(folder) / name for folder in environ.get("PATH", "").split(os.pathsep) if folder)
    home = Path(environ.get("HOME", "/nonexistent"))
    pyenv = Path(environ.get("PYENV_ROOT") or home / ".pyenv")
    uv = Path(environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python")
    yield from sorted(pyenv.glob(f"versions/{PYTHON_VERSION}.*/bin/{name}"), reverse=True)
    yield from sorted(uv.glob(f"cpython-{PYTHON_VERSION}.*/bin/{name}"), reverse=True)
    yield from (Path(folder) / name for folder in ("/usr/local/bin", "/opt/homebrew/bin", "/usr/bin"))


def _base_of(python: Path) -> Path | None:
    """Return the interpreter behind a command if it runs and is Python 3.13; shims of pyenv may do neither."""
    look = (
        "import ensurepip, sys, sysconfig, venv;"
        "print(*sys.version_info[:2], sep='.'); print(sysconfig.get_config_var('BINDIR'))"
    )
    if not python.is_file():
        return None
    try:
        ran = subprocess.run(
            [str(python), "-I", "-c", look], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version, folder = ran.stdout.splitlines()
    base = Path(folder) / f"python{PYTHON_VERSION}"
    return base if version == PYTHON_VERSION and base.is_file() else None


if __name__ == "__main__":
    try:
        installed_sam()
    except SamMissing as missing:
        sys.exit(str(missing))
