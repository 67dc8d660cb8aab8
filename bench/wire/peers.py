"""The other gateways, pinned, each in a folder of its own: `python -m bench.wire.peers` installs what it can.

hardcap, LiteLLM and what the plain relays are made of come from PyPI, `claude gateway`, Portkey and
claude-code-router from npm; what they keep their state in, Redis and Postgres, is the system's. Nothing goes into
.venv.
"""

import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from bench.speed.peers import LITELLM, PORTKEY, ROUTER
from bench.speed.plain_targets import RELAY_PACKAGES, RELAYS
from bench.wire.claude_gateway import PACKAGES
from bench.wire.hardcap_gateway import HARDCAP

HARDCAP_VERSION = "0.1.0"
CLAUDE_VERSION = "2.1.330"
# The newest whose own requirements can be met: those after it ask for packages that are not published.
LITELLM_VERSION = "1.108.7"
PORTKEY_VERSION = "1.15.2"
ROUTER_VERSION = "2.0.0"


def versions() -> list[str]:
    """Return the versions of what is here."""
    found = [f"Channeling {version('channeling')}"]
    if HARDCAP.is_file():
        found.append(f"hardcap {HARDCAP_VERSION}")
    if any(PACKAGES.glob("claude-code-*/claude")):
        found.append(f"claude gateway {CLAUDE_VERSION}")
    pinned = (
        ("LiteLLM", LITELLM, LITELLM_VERSION),
        ("Portkey", PORTKEY, PORTKEY_VERSION),
        ("claude-code-router", ROUTER, ROUTER_VERSION),
    )
    found += [f"{name} {number}" for name, program, number in pinned if program.is_file()]
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
    steps: dict[str, list[list[str | Path]]] = {
        "the plain relays": _from_pypi(RELAYS, *RELAY_PACKAGES),
        "hardcap": _from_pypi(HARDCAP.parents[1], f"hardcap=={HARDCAP_VERSION}"),
        "claude gateway": _from_npm(PACKAGES.parents[1], f"@anthropic-ai/claude-code@{CLAUDE_VERSION}"),
        "LiteLLM": _from_pypi(LITELLM.parents[1], f"litellm[proxy]=={LITELLM_VERSION}"),
        "Portkey": _from_npm(PORTKEY.parents[4], f"@portkey-ai/gateway@{PORTKEY_VERSION}"),
        "claude-code-router": _from_npm(
            ROUTER.parents[4], f"@musistudio/claude-code-router@{ROUTER_VERSION}"
        ),
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


def _from_pypi(folder: Path, *packages: str) -> list[list[str | Path]]:
    python = folder / "bin/python"
    return [
        [sys.executable, "-m", "venv", folder],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
    ]


def _from_npm(folder: Path, package: str) -> list[list[str | Path]]:
    folder.mkdir(parents=True, exist_ok=True)
    quiet = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    return [["npm", "install", *quiet, "--prefix", folder, package]]


def main() -> None:
    """Install the peers and say what is here."""
    for problem in install():
        sys.stdout.write(f"{problem}\n")
    sys.stdout.write(f"{', '.join(versions())}\n")


if __name__ == "__main__":
    main()
