"""A deployment for commands to work on, and a way to run them in this process."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.clock import SystemClock
from channeling.operations.stores import Stores, open_stores
from channeling.projects.key_file_cipher import KeyFileCipher, open_key_file
from channeling.projects.project import ProjectSecrets
from channeling.projects.project_secrets import open_secrets
from channeling.projects.store import ProjectStore
from channeling.tables import TableNames
from channeling_cli.demo_project import ensure_demo_project
from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB
from channeling_cli.local_file import LocalServer, write_local_file
from channeling_cli.main import main


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `channeling ARGUMENTS…` in this process, with `stdin` piped in, or at a terminal."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def run_command(*arguments: str, stdin: str = "", terminal: bool = False) -> Ended:
        piped = io.TextIOWrapper(io.BytesIO(stdin.encode()))
        monkeypatch.setattr(sys, "stdin", Terminal() if terminal else piped)
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run_command


@dataclass(frozen=True)
class OnThisMachine:
    """A store with the demo project, and a local file that names them, in the current folder."""

    folder: Path
    server: LocalServer
    store: ProjectStore
    cipher: KeyFileCipher

    async def secrets(self, project_id: str = "demo") -> ProjectSecrets:
        """Return a project's secrets in the clear."""
        stored = await self.store.read(project_id)
        assert stored is not None
        return await open_secrets(self.cipher, project_id, stored.sealed)


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the AWS and Channeling configuration of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "CHANNELING_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def on_this_machine(
    no_aws: None,
    tmp_path: Path,
    embedded_dynamodb: EmbeddedDynamoDB,
    dynamodb: BotocoreDynamoDB,
    tables: TableNames,
) -> OnThisMachine:
    folder = tmp_path / ".channeling"
    cipher = open_key_file(folder / "secrets.key", create=True)
    server = LocalServer(
        os.getpid(),
        "http://127.0.0.1:9",
        embedded_dynamodb.endpoint_url,
        tables,
        folder / "secrets.key",
        "demo",
        dict.fromkeys(("anthropic", "openai", "openrouter"), "http://127.0.0.1:9"),
    )
    write_local_file(folder, server)
    store = ProjectStore(dynamodb, tables.projects)
    await ensure_demo_project(store, cipher, {"anthropic": "sk-ant-demo"}, demo_allowed=False, now_ms=1)
    return OnThisMachine(folder, server, store, cipher)


@pytest.fixture
def stores(on_this_machine: OnThisMachine, dynamodb: BotocoreDynamoDB) -> Stores:
    """The stores of the deployment that commands work on."""
    tables, cipher = on_this_machine.server.tables, on_this_machine.cipher
    return open_stores(dynamodb, tables, cipher, SystemClock(), os.urandom)


@pytest.fixture(autouse=True)
def working_folder_kept() -> Iterator[None]:
    """Go back to where the run was started, whatever a test did."""
    here = Path.cwd()
    yield
    os.chdir(here)
