"""`.channeling/local.json`: where the server that runs on this machine is, for commands in other terminals.

It holds no secret, yet only its owner may read it: it names the file that the secrets' key is in.
"""

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from msgspec import structs

from channeling.tables import TableNames
from channeling_cli.failure import CommandFailed, ExitCode

FOLDER = ".channeling"
FILE = "local.json"
HOME_VARIABLE = "CHANNELING_HOME"
_FORM = 1


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that runs on this machine."""

    process_id: int
    base_url: str
    dynamodb_endpoint_url: str
    tables: TableNames
    key_file: Path
    project_id: str
    provider_urls: Mapping[str, str]


def folder_to_write(environ: Mapping[str, str], here: Path) -> Path:
    """Return the folder a server keeps its files in: CHANNELING_HOME, else `.channeling` in this one."""
    home = environ.get(HOME_VARIABLE, "").strip()
    return Path(home).absolute() if home else here / FOLDER


def write_local_file(folder: Path, server: LocalServer) -> None:
    """Write the file in one step, over that of a server before; raise CommandFailed."""
    content = {
        "form": _FORM,
        **asdict(server),
        "tables": structs.asdict(server.tables),
        "key_file": str(server.key_file),
    }
    draft = folder / f".{FILE}.{secrets.token_hex(8)}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(content, file, indent=2)
        draft.replace(folder / FILE)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise CommandFailed(
            f"cannot write {folder / FILE}: {error.strerror}",
            next_step=f"run in a folder that you can write to, or set {HOME_VARIABLE} to one",
        ) from error


def remove_local_file(folder: Path, process_id: int) -> None:
    """Remove the file if it is still this process's."""
    try:
        if _read(folder / FILE).process_id == process_id:
            (folder / FILE).unlink(missing_ok=True)
    except CommandFailed:
        return


def find_local_server(environ: Mapping[str, str], here: Path) -> LocalServer:
    """Return the server of CHANNELING_HOME, else of this folder or the nearest one above; raise CommandFailed."""
    if environ.get(HOME_VARIABLE, "").strip():
        candidates = [folder_to_write(environ, here) / FILE]
    else:
        candidates = [folder / FOLDER / FILE for folder in (here, *here.parents)]
    for path in candidates:
        if path.is_file():
            server = _read(path)
            if not _runs(server.process_id):
                raise CommandFailed(
                    f"the server that {path} speaks of has ended",
                    next_step="start it again (make run, or channeling serve), or name a stack: --stack NAME",
                    exit_code=ExitCode.NOT_FOUND,
                )
            return server
    raise CommandFailed(
        f"no server runs here: there is no {FOLDER}/{FILE} in {here} or above",
        next_step="start one in another terminal (make run, or channeling serve), or name a stack: --stack NAME",
        exit_code=ExitCode.NOT_FOUND,
    )


def _read(path: Path) -> LocalServer:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        if content["form"] != _FORM:
            raise ValueError("another version of Channeling wrote it")
        return LocalServer(
            process_id=int(content["process_id"]),
            base_url=str(content["base_url"]),
            dynamodb_endpoint_url=str(content["dynamodb_endpoint_url"]),
            tables=TableNames(**content["tables"]),
            key_file=Path(content["key_file"]),
            project_id=str(content["project_id"]),
            provider_urls=dict[str, str](content["provider_urls"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandFailed(
            f"{path} cannot be read: {error}",
            next_step="stop the server and start it again, which writes it anew",
        ) from error


def _runs(process_id: int) -> bool:
    if os.name != "posix":
        return True  # elsewhere signal 0 would end the process
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
