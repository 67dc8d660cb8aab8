"""`claude gateway`, Anthropic's own (npm `@anthropic-ai/claude-code`), with a spend limit, on Postgres.

Configured as code.claude.com/docs/en/claude-apps-gateway-config and -spend-limits say; the limit is set through its
admin API, for the day, and it fails closed. Nobody signs in here: the sessions of the study's users are signed with
the `session.jwt_secret` that this configuration itself chooses, and the identity provider that the gateway asks for
at its start is the provider's stand-in.
"""

import os
import shutil
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from bench.wire.channeling_gateway import anthropic_body
from bench.wire.gateway import Gateway, Ledger, Refusal, Task
from bench.wire.processes import ROOT, NotAvailable, free_port, listens, running, wait_until
from channeling.auth.jws import encode_signed

PACKAGES = ROOT / ".tools/peers/claude/node_modules/@anthropic-ai"
_SESSION_SECRET, ADMIN_KEY = "s" * 40, "a" * 40
_AUDIENCE = "claude-gateway"
_NANOUSD_PER_CENT = 10_000_000


def binary() -> Path:
    """Return the program for this platform; raise NotAvailable."""
    found = [path for path in sorted(PACKAGES.glob("claude-code-*/claude")) if path.is_file()]
    if not found:
        raise NotAvailable("claude gateway: skipped, it is not installed here (make bench-peers)")
    return found[0]


def refusal(status: int, body: bytes) -> Refusal:
    """Return what an answer other than 200 means to the client."""
    error = orjson.loads(body).get("error", {}) if status == 429 else {}
    return "spent" if str(error.get("message")).startswith("spend limit reached") else "failed"


@contextmanager
def running_claude_gateway(task: Task) -> Iterator[Gateway]:
    """Run it; raise NotAvailable when it or Postgres is not here."""
    program = binary()
    with running_postgres(task.folder) as postgres_url:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        configuration = gateway_configuration(url, port, task.provider_url, postgres_url)
        file = task.folder / "gateway.yaml"
        file.write_bytes(orjson.dumps(configuration))
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(task.folder), "CLAUDE_GATEWAY_ALLOW_LOOPBACK": "1"}
        command: list[str | Path] = ["/bin/sh", "-c", 'exec "$0" gateway --config "$1" >&2', program, file]
        with running(command, task.folder, "gateway.err", environ=environ) as process:
            wait_until(lambda: listens(port), process, task.folder / "gateway.err")
            set_organization_limit(url, task.limit // _NANOUSD_PER_CENT)
            yield Gateway(
                name="claude gateway",
                url=f"{url}/v1/messages",
                headers={user: {"authorization": f"Bearer {session_of(url, user)}"} for user in task.users},
                bodies={user: anthropic_body(task, user) for user in task.users},
                ending=b"event: message_stop",
                refusal=refusal,
                ledger=lambda user: _ledger(url, user),
            )


def gateway_configuration(url: str, port: int, provider_url: str, postgres_url: str) -> dict[str, Any]:
    """Return its configuration file's content: it fails closed."""
    return {
        "listen": {"host": "127.0.0.1", "port": port, "public_url": url},
        "oidc": {"issuer": provider_url, "client_id": "study", "client_secret": "study"},
        "session": {"jwt_secret": _SESSION_SECRET},
        "store": {"postgres_url": postgres_url},
        "upstreams": [
            {"provider": "anthropic", "base_url": provider_url, "auth": {"api_key": "sk-ant-study"}}
        ],
        "admin": {"write_keys": [{"id": "study", "key": ADMIN_KEY}]},
        "enforcement": {"fail_closed_on_error": True},
    }


def set_organization_limit(url: str, cents: int) -> None:
    """Set what every user may spend a day, through its admin API."""
    limit = {"scope": {"type": "organization"}, "amount": str(cents), "period": "daily"}
    _admin(f"{url}/v1/organizations/spend_limits", limit)


def session_of(issuer: str, user: str) -> str:
    """Return the session of a user, signed with the configuration's secret."""
    now_s = int(time.time())
    claims = {"sub": user, "email": f"{user}@example.com", "name": user, "iss": issuer, "aud": _AUDIENCE}
    return encode_signed({**claims, "iat": now_s, "exp": now_s + 3_600}, _SESSION_SECRET)


def _admin(url: str, content: Any = None) -> Any:
    headers = {"x-api-key": ADMIN_KEY, "content-type": "application/json"}
    data = None if content is None else orjson.dumps(content)
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - a loopback address of this study
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        return orjson.loads(answer.read())


def _ledger(url: str, user: str) -> Ledger:
    listed = _admin(f"{url}/v1/organizations/spend_limits/effective?user_ids[]={user}")["data"]
    [cents] = [
        entry["period_to_date_spend"]
        for entry in listed
        if entry["period"] == "daily" and entry["scope"]["user_id"] == user
    ]
    return Ledger(int(Decimal(cents) * _NANOUSD_PER_CENT))


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """Run a Postgres of its own, as the user `postgres` where this is root, who may not run it."""
    programs = _postgres_programs()
    home, port = folder / "postgres", free_port()
    home.mkdir()
    as_user: Sequence[str] = ()
    if os.geteuid() == 0:
        shutil.chown(home, "postgres", "postgres")
        folder.chmod(0o711)
        as_user = ("/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
    environ = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    log = folder / "postgres.err"
    create: list[str | Path] = [
        *as_user,
        programs / "initdb",
        "-D",
        home / "db",
        "-A",
        "trust",
        "-U",
        "postgres",
        "--no-sync",
    ]
    with running(create, folder, log.name, environ=environ) as creating:
        if creating.wait(60):
            raise NotAvailable(
                f"claude gateway: skipped, Postgres cannot be set up: {log.read_text()[-300:]}"
            )
    serve: list[str | Path] = [*as_user, programs / "postgres", "-D", home / "db", "-p", str(port), "-F"]
    serve += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    with running(serve, folder, log.name, environ=environ) as process:
        wait_until(lambda: listens(port), process, log)
        yield f"postgres://postgres@127.0.0.1:{port}/postgres"


def _postgres_programs() -> Path:
    """Return the folder of Postgres' programs, which Debian keeps off the path; raise NotAvailable."""
    found = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).resolve().parent)
    if not found:
        raise NotAvailable("claude gateway: skipped, it needs Postgres (Debian: apt-get install postgresql)")
    return found[-1]
