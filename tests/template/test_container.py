"""The Dockerfile makes an image that serves: its files are there, what they import is locked, SIGTERM ends it well.

No image is built here: the Dockerfile's COPY lines are carried out into a folder, and its command is run in it.
"""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from channeling_cli.embedded_dynamodb import EmbeddedDynamoDB

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()


def copies() -> list[tuple[list[str], str]]:
    """Return the COPY lines: what is copied, and where to."""
    lines = [shlex.split(line)[1:] for line in DOCKERFILE.splitlines() if line.startswith("COPY ")]
    return [(words[:-1], words[-1]) for words in lines]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A folder with what the image has in its working directory."""
    folder = tmp_path / "app"
    folder.mkdir()
    for sources, target in copies():
        for source in map(ROOT.joinpath, sources):
            if source.is_dir():
                shutil.copytree(
                    source, folder / target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                into = folder / target if target.endswith("/") else folder
                into.mkdir(exist_ok=True)
                shutil.copy(source, into)
    return folder


@pytest.fixture
def environ(embedded_dynamodb: EmbeddedDynamoDB) -> dict[str, str]:
    key_file = {"CHANNELING_KMS_KEY_ID": "alias/not-used", "AWS_ENDPOINT_URL": embedded_dynamodb.endpoint_url}
    tables = {
        f"CHANNELING_{name}_TABLE": f"container-{name.lower()}" for name in ("PROJECTS", "BUDGETS", "USAGE")
    }
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "a", "AWS_REGION": "us-east-1"}
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": ".", "PORT": "0", **keys, **tables, **key_file}


def command() -> list[str]:
    [line] = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.M)
    words: list[str] = json.loads(line)
    assert words[0] == "python"
    return [sys.executable, *words[1:]]


def test_what_is_copied_is_sent_to_the_builder() -> None:
    let_through = [line[1:] for line in IGNORED if line.startswith("!")]
    assert IGNORED[0] == "*"
    for sources, _ in copies():
        for source in sources:
            assert any(source == each or source.startswith(f"{each}/") for each in let_through), source


def test_it_serves_until_sigterm(image: Path, environ: dict[str, str]) -> None:
    server = subprocess.Popen(
        command(), cwd=image, env=environ, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr is not None
        port = next(
            found[1] for line in server.stderr if (found := re.search(r"listening on port (\d+)", line))
        )
        base_url = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{base_url}/healthz", timeout=60).status_code == 200
        refused = httpx.post(f"{base_url}/v1/messages", json={}, timeout=60)
        assert refused.status_code == 401
        assert refused.json()["error"]["type"] == "authentication_error"
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=60)
        assert "stopped: no request is left" in said
        # uvicorn hands the signal on when all is done; to the first process of a container it does nothing.
        assert server.returncode in (0, -signal.SIGTERM)
    finally:
        server.kill()
        server.communicate()


def test_what_it_imports_is_in_its_lock_at_the_versions_that_are_tested(
    image: Path, environ: dict[str, str]
) -> None:
    listing = (
        "import sys, serve, channeling.app, channeling_cli.server as server;"
        "print(serve.__file__, channeling.app.__file__, server.__file__);"
        "print(*{n.partition('.')[0] for n in sys.modules})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", listing], cwd=image, env=environ, capture_output=True, text=True, check=True
    )
    files, names = ran.stdout.splitlines()
    assert all(Path(file).is_relative_to(image) for file in files.split())
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements/container.lock").read_text(), re.M))
    assert (
        pins.items()
        <= dict(
            re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements/run.lock").read_text(), re.M)
        ).items()
    )
    own = {"channeling", "channeling_cli", "serve"}
    # anyio takes the first where it is there; uvloop makes the other itself.
    tools = {"sniffio", "cython_runtime"}
    third_party = set(names.split()) - sys.stdlib_module_names - own - tools
    installed = {name for name in third_party if not name.startswith(("_", "__"))}
    assert installed <= {name.replace("-", "_") for name in pins}


def test_without_its_variables_it_says_what_is_missing(image: Path, environ: dict[str, str]) -> None:
    del environ["CHANNELING_USAGE_TABLE"]
    ran = subprocess.run(command(), cwd=image, env=environ, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "CHANNELING_USAGE_TABLE is not set" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_it_runs_as_nobody() -> None:
    assert re.search(r"^USER 65534:65534$", DOCKERFILE, re.M)
