"""What the built messages function needs around it on this machine: a store, the demo project and an upstream."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from channeling_cli.failure import CommandFailed
from channeling_cli.local import ANTHROPIC_URL_VARIABLE, LocalBackend, start_local_backend

LIMIT_MICROUSD = 5_000_000


@dataclass(frozen=True, slots=True)
class LocalGateway:
    """A running store with the demo project: the function's variables for it, and a user's token."""

    environ: dict[str, str]
    token: str
    backend: LocalBackend


@contextmanager
def local_gateway(
    environ: Mapping[str, str], *, limit_microusd: int = LIMIT_MICROUSD
) -> Iterator[LocalGateway]:
    """Run a store, the demo project and, where no provider's key is in the environment, the demo upstream.

    Raises what `start_local_backend` raises.
    """
    passed_on = {
        name: value
        for name, value in environ.items()
        if name.startswith("CHANNELING_") and name.endswith("_BASE_URL")
    }
    with start_local_backend(environ) as backend:
        token = backend.mint("demo-user", limit_microusd)
        function_environ = {**backend.gateway_environ(), **passed_on}
        with _demo_upstream() if backend.is_demo else nullcontext() as base_url:
            if base_url is not None:
                function_environ[ANTHROPIC_URL_VARIABLE] = base_url
            yield LocalGateway(function_environ, token, backend)


@contextmanager
def _demo_upstream() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "channeling_cli.demo_upstream", "--port", "0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        line = process.stdout.readline() if process.stdout is not None else b""
        if not line:
            raise CommandFailed("the demo upstream did not start; its own message is above")
        yield json.loads(line)["base_url"]
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
