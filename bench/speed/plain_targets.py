"""What Channeling is held against at least: nothing in between, nginx, and two relays in Python."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.answers import ANTHROPIC_MODEL
from bench.speed.requests import Caller, body_of
from bench.speed.target import Place, Program, Running, running_program
from bench.wire.processes import ROOT, NotAvailable, free_port

RELAYS = ROOT / ".tools/peers/relays"
RELAY_PACKAGES = (
    "starlette==1.10.0",
    "uvicorn==0.54.0",
    "uvloop==0.23.0",
    "httptools==0.9.0",
    "httpx==0.28.1",
    "aiohttp==3.14.5",
)
_MODEL = ANTHROPIC_MODEL

_NGINX = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; client_max_body_size 32m; client_body_buffer_size 6m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


@contextmanager
def running_nothing(place: Place) -> Iterator[Running]:
    """Let the load generator speak with the providers' stand-in itself."""
    yield Running(place.upstream_port, (Caller({}),))


@contextmanager
def running_nginx(place: Place) -> Iterator[Running]:
    """Run nginx as a plain relay; raise NotAvailable."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if nginx is None:
        raise NotAvailable("nginx: skipped, it is not here (Debian: apt-get install nginx-light)")
    port = free_port()
    file = place.folder / "nginx.conf"
    file.write_text(_NGINX.format(folder=place.folder, upstream=place.upstream_port, port=port))
    # Its worker drops root's rights and could not enter the folder of the temporary files.
    place.folder.chmod(0o755)
    command: list[str | Path] = [nginx, "-c", file, "-p", place.folder, "-e", place.folder / "nginx.log"]
    with running_program(Program(command, port, body_of("json", _MODEL)), place.folder) as running:
        yield running


@contextmanager
def running_relay(place: Place, client: str, *, python: Path | None = None) -> Iterator[Running]:
    """Run the relay of Starlette and this HTTP client on uvicorn; raise NotAvailable.

    `python` has both installed; without it an environment of its own is made.
    """
    if python is None:
        install_relays()
        python = RELAYS / "bin/python"
    port = free_port()
    # One folder of sources, so that nothing of Channeling can be imported.
    command: list[str | Path] = [
        *(python, "-m", "uvicorn", f"relay_{client}:app", "--app-dir", ROOT / "bench/speed"),
        *("--port", str(port), "--no-access-log", "--log-level", "warning", "--backlog", "4096"),
        *("--loop", "uvloop", "--http", "httptools"),
    ]
    environ = {"UPSTREAM_URL": f"http://127.0.0.1:{place.upstream_port}"}
    program = Program(command, port, body_of("json", _MODEL), environ=environ)
    with running_program(program, place.folder) as running:
        yield running


def install_relays() -> None:
    """Make the relays' environment if it is not there; raise NotAvailable."""
    if (RELAYS / "bin/uvicorn").is_file():
        return
    commands: list[list[str | Path]] = [
        [sys.executable, "-m", "venv", RELAYS],
        [RELAYS / "bin/python", "-m", "pip", "install", "--quiet", *RELAY_PACKAGES],
    ]
    for command in commands:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - pip and venv
        if ran.returncode:
            raise NotAvailable(f"the relays: not installed: {(ran.stderr or ran.stdout).strip()[-300:]}")
