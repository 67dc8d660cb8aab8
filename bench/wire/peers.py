"""The other gateways, pinned, each in a folder of its own: `python -m bench.wire.peers` installs what it can.

hardcap comes from PyPI, `claude gateway` from npm; what they keep their state in, Redis and Postgres, is the
system's. Nothing goes into .venv.
"""

import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from bench.wire.claude_gateway import PACKAGES
from bench.wire.hardcap_gateway import HARDCAP

HARDCAP_VERSION = "0.1.0"
CLAUDE_VERSION = "2.1.330"


def versions() -> list[str]:
    """Return the versions of what is here."""
    found = [f"Channeling {version('channeling')}"]
    if HARDCAP.is_file():
        found.append(f"hardcap {HARDCAP_VERSION}")
    if any(PACKAGES.glob("claude-code-*/claude")):
        found.append(f"claude gateway {CLAUDE_VERSION}")
    for name, program in (("Redis", "redis-server"), ("Postgres", "postgres")):
        path = shutil.which(program)
        if path is None:
            continue
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
        if number := re.search(r"\d+(\.\d+)+", said.stdout):
            found.append(f"{name} {number[0]}")
    return found


def install() -> list[str]:
    """Install each peer where its tools are; return a line for each that could not be."""
    venv, npm_folder = HARDCAP.parents[1], PACKAGES.parents[1]
    npm_folder.mkdir(parents=True, exist_ok=True)
    quiet = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    steps: dict[str, list[list[str | Path]]] = {
        "hardcap": [
            [sys.executable, "-m", "venv", venv],
            [venv / "bin/python", "-m", "pip", "install", "--quiet", f"hardcap=={HARDCAP_VERSION}"],
        ],
        "claude gateway": [
            ["npm", "install", *quiet, "--prefix", npm_folder, f"@anthropic-ai/claude-code@{CLAUDE_VERSION}"]
        ],
    }
    problems = []
    for name, commands in steps.items():
        for command in commands:
            try:
                ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            except FileNotFoundError as error:
                problems.append(f"{name}: not installed, {error.filename} is not here")
                break
            if ran.returncode:
                problems.append(f"{name}: not installed: {(ran.stderr or ran.stdout).strip()[-300:]}")
                break
    return problems


def main() -> None:
    """Install the peers and say what is here."""
    for problem in install():
        sys.stdout.write(f"{problem}\n")
    sys.stdout.write(f"{', '.join(versions())}\n")


if __name__ == "__main__":
    main()
