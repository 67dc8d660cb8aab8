"""The clients of docs/clients.md, each run as its section says: the snippets are taken out of the page."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.clients.conftest import present
from tests.clients.installations import claude_code, continue_cli, langchain, node_modules
from tests.docs.pages import ROOT, Block, blocks_of

PAGE = ROOT / "docs" / "clients.md"
ADDRESS = "https://channeling.example.com"
TOKEN = "YOUR_TOKEN"
# It would ask ten times more and wait longer each time, for minutes in all.
CLAUDE_CODE_RETRIES = 2
_TIMEOUT_S = 60


@dataclass(frozen=True)
class Asked:
    """Where a client is to ask, and with what; `home` is a folder of its own."""

    base_url: str
    token: str
    home: Path

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a client: nothing of the tests' own but where programs are."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "URL": self.base_url,
            "TOKEN": self.token,
            # Clients that would report on themselves to their makers are not to, out of a test.
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": str(CLAUDE_CODE_RETRIES),
            "CONTINUE_TELEMETRY_ENABLED": "0",
        }

    def filled_in(self, text: str) -> str:
        """Return a text of the page with the address and the token put in."""
        return text.replace(ADDRESS, self.base_url).replace(TOKEN, self.token)


def section(heading: str) -> str:
    """Return the text of a section of the page."""
    [text] = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.S | re.M)
    return str(text)


def shown(heading: str, language: str) -> list[str]:
    """Return the fenced blocks of one language in a section."""
    found: list[Block] = blocks_of(section(heading))
    return [block.text for block in found if block.language == language]


def seen_by_users(heading: str) -> dict[str, str]:
    """Return the section's table of refusals: what its client shows, by the answer."""
    rows = re.findall(r"^\| (401|429, spent|429, held) \| (.*) \|$", section(heading), re.M)
    return dict(rows)


def quotes(cell: str) -> list[str]:
    """Return what a cell quotes of a client's output: code that is no option's or variable's name."""
    return [quoted for quoted in re.findall(r"`([^`]+)`", cell) if " " in quoted]


def run(command: list[str | Path], asked: Asked, **variables: str) -> str:
    """Run a command to its end and return all that it printed."""
    ran = subprocess.run(
        command,
        cwd=asked.home,
        env=asked.variables | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return ran.stdout


def curl(asked: Asked) -> str:
    [script] = shown("curl", "sh")
    return run(["bash", "-c", script], asked)


class PythonProcess:
    """A Python that runs one text after the other: importing what they need takes longer than they do."""

    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen(
            [python, Path(__file__).parent / "snippet_runner.py"],
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str, variables: Mapping[str, str]) -> str:
        """Run Python with environment variables; return what it prints, and the line of an error that ends it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"code": code, "variables": dict(variables)}) + "\n")
        self._process.stdin.flush()
        # A client that waits as long as `retry-after` says of a spent budget would have the tests wait for a day.
        killing = threading.Timer(_TIMEOUT_S, self._process.kill)
        killing.start()
        try:
            return str(json.loads(self._process.stdout.readline())["printed"])
        finally:
            killing.cancel()

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=20)


def python(heading: str, process: PythonProcess) -> Callable[[Asked], str]:
    """Return what runs a section's snippet in a Python that has what it imports."""

    def run_it(asked: Asked) -> str:
        [code] = shown(heading, "python")
        return process.run(code, {"URL": asked.base_url, "TOKEN": asked.token})

    return run_it


def typescript(heading: str) -> Callable[[Asked], str]:
    """Return what runs a section's snippet with Node: it holds no type, so that it runs as it is."""

    def run_it(asked: Asked) -> str:
        [code] = shown(heading, "ts")
        modules = asked.home / "node_modules"
        if not modules.exists():
            modules.symlink_to(present(node_modules(), "the npm packages"))
        program = asked.home / "snippet.mjs"
        program.write_text(code, "utf-8")
        return run(["node", program], asked)

    return run_it


def claude(asked: Asked, settings: str) -> str:
    """Run the section's command with a settings file and nothing else."""
    [command] = shown("Claude Code", "sh")
    folder = asked.home / ".claude"
    folder.mkdir(exist_ok=True)
    (folder / "settings.json").write_text(asked.filled_in(settings), "utf-8")
    return run(["bash", "-c", command], asked, PATH=_path_with("claude", claude_code(), asked.home))


def claude_with_a_token(asked: Asked) -> str:
    return claude(asked, shown("Claude Code", "json")[0])


def continue_(asked: Asked) -> str:
    heading = "VS Code: Continue"
    [config], [command] = shown(heading, "yaml"), shown(heading, "sh")
    folder = asked.home / ".continue"
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(asked.filled_in(config), "utf-8")
    return run(["bash", "-c", command], asked, PATH=_path_with("cn", continue_cli(), asked.home))


def _path_with(name: str, program: Path | None, home: Path) -> str:
    """Return a PATH on which a program is found by its name."""
    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    link = folder / name
    if not link.is_symlink():
        link.symlink_to(present(program, name))
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def python_of(heading: str) -> Path:
    """Return the Python that a section's snippet needs."""
    return Path(sys.executable) if heading == "Python" else present(langchain(), "LangChain")


PROGRAMS: Mapping[str, Callable[[Asked], str]] = {
    "curl": curl,
    "TypeScript": typescript("TypeScript"),
    "Claude Code": claude_with_a_token,
    "VS Code: Continue": continue_,
    "AI SDK": typescript("AI SDK"),
}
