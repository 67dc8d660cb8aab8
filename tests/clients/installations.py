"""The clients that the suite runs, installed beside the repository's own environment.

    python -m tests.clients.installations

`.tools/node` holds the TypeScript SDK, Claude Code, the AI SDK and Continue (npm,
tests/clients/node/package-lock.json), `.tools/anthropic-old` a Python SDK of 2024 (pip,
requirements/anthropic-old.lock), and `.tools/langchain` LangChain (pip, requirements/langchain.lock). A folder is
used only while its stamp says that it was made from the lock of today.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NODE_FILES = tuple(
    ROOT / "tests" / "clients" / "node" / name for name in ("package.json", "package-lock.json", ".npmrc")
)
OLD_ANTHROPIC_LOCK = ROOT / "requirements" / "anthropic-old.lock"
LANGCHAIN_LOCK = ROOT / "requirements" / "langchain.lock"
NODE_FOLDER = ROOT / ".tools" / "node"
OLD_ANTHROPIC_FOLDER = ROOT / ".tools" / "anthropic-old"
LANGCHAIN_FOLDER = ROOT / ".tools" / "langchain"
HOW_TO_INSTALL = "run: .venv/bin/python -m tests.clients.installations"
_STAMP = ".installed-from"


def node_modules() -> Path | None:
    """Return the folder with the npm packages, or None where they are not installed."""
    return NODE_FOLDER / "node_modules" if _is_made_from(NODE_FOLDER, NODE_FILES) else None


def claude_code() -> Path | None:
    """Return the Claude Code program, or None where it is not installed.

    npm's wrapper needs Node 22; the program that it starts needs no Node at all.
    """
    modules = node_modules()
    found = sorted(modules.glob("@anthropic-ai/claude-code-*/claude*")) if modules is not None else []
    return found[0] if found else None


def old_anthropic() -> Path | None:
    """Return the Python that has the old SDK, or None where it is not installed."""
    return _python_made_from(OLD_ANTHROPIC_FOLDER, OLD_ANTHROPIC_LOCK)


def langchain() -> Path | None:
    """Return the Python that has LangChain, or None where it is not installed."""
    return _python_made_from(LANGCHAIN_FOLDER, LANGCHAIN_LOCK)


def continue_cli() -> Path | None:
    """Return the program of Continue's command line, which Node runs, or None where it is not installed."""
    modules = node_modules()
    return None if modules is None else modules / "@continuedev" / "cli" / "dist" / "cn.js"


def install_node_modules() -> None:
    """Install the npm packages unless they are there; raise CalledProcessError, or FileNotFoundError for npm."""
    if node_modules() is not None:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not on the PATH")
    NODE_FOLDER.mkdir(parents=True, exist_ok=True)
    for file in NODE_FILES:
        shutil.copy(file, NODE_FOLDER)
    # No script of a package is run: none is needed, and these are other people's.
    subprocess.run([npm, "ci", "--ignore-scripts", "--loglevel=error"], cwd=NODE_FOLDER, check=True)
    _stamp(NODE_FOLDER, NODE_FILES)


def install_old_anthropic() -> None:
    """Install the old Python SDK unless it is there; raise CalledProcessError."""
    _install_python(OLD_ANTHROPIC_FOLDER, OLD_ANTHROPIC_LOCK)


def install_langchain() -> None:
    """Install LangChain unless it is there; raise CalledProcessError."""
    _install_python(LANGCHAIN_FOLDER, LANGCHAIN_LOCK)


def _install_python(folder: Path, lock: Path) -> None:
    if _is_made_from(folder, (lock,)):
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pip = [str(_python_of(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", lock], check=True)
    _stamp(folder, (lock,))


def _python_made_from(folder: Path, lock: Path) -> Path | None:
    return _python_of(folder) if _is_made_from(folder, (lock,)) else None


def _python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _digest(files: tuple[Path, ...]) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _is_made_from(folder: Path, files: tuple[Path, ...]) -> bool:
    stamp = folder / _STAMP
    return stamp.is_file() and stamp.read_text() == _digest(files)


def _stamp(folder: Path, files: tuple[Path, ...]) -> None:
    (folder / _STAMP).write_text(_digest(files))


if __name__ == "__main__":
    install_old_anthropic()
    install_langchain()
    install_node_modules()
