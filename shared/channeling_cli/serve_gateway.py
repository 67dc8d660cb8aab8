"""`channeling serve`: the gateway on one machine, with its store, a demo project and a token to try it with."""

import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from channeling.json_logs import LineHandler, ReadableFormatter, log_lines
from channeling.settings import Settings
from channeling_cli.amounts import usd_text
from channeling_cli.banner import Banner, command_to_type, print_banner
from channeling_cli.demo_project import KEY_VARIABLES
from channeling_cli.listening_socket import base_url_of, listening_socket
from channeling_cli.local import ANTHROPIC_URL_VARIABLE, LocalBackend, start_local_backend
from channeling_cli.local_file import LocalServer, folder_to_write, remove_local_file, write_local_file
from channeling_cli.output import print_json, print_line
from channeling_cli.serve_options import ServeOptions

if TYPE_CHECKING:
    from channeling.doors import Doors

DEMO_USER = "demo-user"
RECONCILE_PERIOD_S = 60.0


def serve_gateway(options: ServeOptions) -> None:
    """Run Channeling on this machine until Ctrl-C.

    Raises CommandFailed, SettingsError, AdminSecretError, and what `start_local_backend` raises.
    """
    log_lines(LineHandler(sys.stderr, ReadableFormatter()), logging.WARNING)
    environ = dict(os.environ)
    if options.max_request_seconds is not None:
        environ["CHANNELING_MAX_REQUEST_SECONDS"] = str(options.max_request_seconds)
    folder = options.data.absolute() if options.data is not None else folder_to_write(environ, Path.cwd())
    _end_on_signals()
    try:
        with (
            listening_socket(options.host, options.port) as listener,
            start_local_backend(environ, folder=folder) as backend,
        ):
            _serve(listener, backend, environ, folder, options)
    except KeyboardInterrupt:
        pass  # uvicorn raises the signal again that ended it; whether that comes through depends on the moment
    print_line("stopped", style="dim", to_stderr=True)


def _serve(
    listener: socket.socket,
    backend: LocalBackend,
    environ: Mapping[str, str],
    folder: Path,
    options: ServeOptions,
) -> None:
    # Not at the top: a port in use or a store that does not answer is said before all of it is loaded.
    from channeling.app import create_app
    from channeling.garbage import spare_what_stays
    from channeling.reconcile.run import reconcile_every
    from channeling_cli.admin_mount import with_admin
    from channeling_cli.server import serve_until_stopped

    base_url = base_url_of(listener)
    token = backend.mint(DEMO_USER, options.budget_microusd)
    doors, close = _open_doors(backend)
    settings = _settings(environ, backend)
    served = with_admin(create_app(settings, doors), settings, doors, folder, base_url)
    spare_what_stays()

    def announce() -> None:
        write_local_file(folder, _local_server(base_url, backend, settings))
        if options.as_json:
            print_json(
                {
                    "base_url": base_url,
                    "project_id": backend.project_id,
                    "hmac_secret": backend.hmac_secret,
                    "token": token,
                    "dashboard_url": served.page_url,
                    "admin_token": served.admin_token,
                }
            )
        else:
            budget_usd = usd_text(options.budget_microusd)
            print_banner(_banner(base_url, token, budget_usd, served.signed_in_url, backend, environ))

    try:
        healing = partial(reconcile_every, RECONCILE_PERIOD_S, doors.dynamodb, settings, doors.clock)
        serve_until_stopped(
            served.app, listener, when_ready=announce, when_stopped=close, in_background=healing
        )
    finally:
        remove_local_file(folder, os.getpid())


def _open_doors(backend: LocalBackend) -> tuple["Doors", Callable[[], Awaitable[None]]]:
    """Return doors for the server's event loop, and what closes them."""
    from channeling.clock import SystemClock
    from channeling.doors import Doors
    from channeling.upstream import HttpUpstream, UpstreamClient
    from channeling_cli.demo_switch import UpstreamWithDemo
    from channeling_cli.lean_store import open_lean_store

    providers = HttpUpstream()
    upstream: UpstreamClient = providers
    if backend.is_demo:
        from channeling_cli.demo_upstream import DemoUpstream

        upstream = UpstreamWithDemo(upstream, DemoUpstream())
    store = open_lean_store(backend.dynamodb_endpoint_url)

    async def close() -> None:
        await upstream.aclose()
        await store.aclose()

    doors = Doors(
        store.dynamodb,
        backend.cipher,
        upstream,
        SystemClock(),
        secrets.token_bytes,
        # The demo is no server.
        connect_ahead=_connect_to_nobody if backend.is_demo else providers.connect_ahead,
    )
    return doors, close


def _connect_to_nobody(url: str) -> None:
    pass


def _settings(environ: Mapping[str, str], backend: LocalBackend) -> Settings:
    # The store is near and mostly idle: a change made in another terminal is to hold for the very next request.
    defaults = {"CHANNELING_PROJECT_CACHE_MILLISECONDS": "250"}
    # A KMS key that is set for other commands is not this server's: its secrets are sealed with its own key file.
    own = {name: value for name, value in environ.items() if name != "CHANNELING_KMS_KEY_ID"}
    return Settings.from_environ(defaults | own | backend.gateway_environ())


def _local_server(base_url: str, backend: LocalBackend, settings: Settings) -> LocalServer:
    assert backend.key_file is not None  # noqa: S101 - `serve` always gives the backend a folder
    return LocalServer(
        process_id=os.getpid(),
        base_url=base_url,
        dynamodb_endpoint_url=backend.dynamodb_endpoint_url,
        tables=backend.tables,
        key_file=backend.key_file,
        project_id=backend.project_id,
        provider_urls={str(provider): url for provider, url in settings.base_urls.items()},
    )


def _banner(
    base_url: str,
    token: str,
    budget_usd: str,
    dashboard_url: str,
    backend: LocalBackend,
    environ: Mapping[str, str],
) -> Banner:
    provider_keys = backend.secrets.provider_keys
    lacks_key = bool(environ.get(ANTHROPIC_URL_VARIABLE, "").strip()) and "anthropic" not in provider_keys
    return Banner(
        command=command_to_type(sys.argv[0], Path.cwd()),
        base_url=base_url,
        token=token,
        budget_usd=budget_usd,
        dashboard_url=dashboard_url,
        provider_names=tuple(sorted(provider_keys)),
        is_demo=backend.is_demo,
        missing_key=KEY_VARIABLES["anthropic"] if lacks_key else None,
        lasting_store_url=None if backend.is_embedded else backend.dynamodb_endpoint_url,
    )


def _end_on_signals() -> None:
    """Make SIGTERM, and SIGHUP of a closed terminal, end the server as Ctrl-C does.

    uvicorn handles SIGINT and SIGTERM while it serves and raises them again when it is done, which by default would
    end this process before the store's child and the local file are cleared away.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
