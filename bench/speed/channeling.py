"""Channeling as a target: `channeling serve`, on DynamoDB's stand-in, with every provider's stand-in behind it."""

import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import orjson

from bench.speed.cores import UPSTREAM_CORE, pinned
from bench.speed.requests import Caller, body_of
from bench.speed.target import Place, Program, Running, running_program
from bench.wire.processes import ROOT, first_line, free_port, running
from channeling_cli.local import start_local_backend

USERS = 16
_LIMIT_MICROUSD = 10**12


@contextmanager
def running_dynamodb(folder: Path, latency_ms: float = 0.0) -> Iterator[int]:
    """Run DynamoDB's stand-in; yield its port."""
    command = [sys.executable, "-m", "bench.dynamodb", "--ends-with-stdin", "--latency-ms", str(latency_ms)]
    environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    with running(pinned(UPSTREAM_CORE, command), folder, "dynamodb.err", environ=environ) as process:
        yield int(first_line(process, folder / "dynamodb.err")["port"])


def clone_item(dynamodb_url: str, table: str, key: tuple[str, str], count: int) -> None:
    """Have DynamoDB's stand-in write an item again under the partitions "<its own>-0" and on."""
    content = orjson.dumps({"TableName": table, "pk": key[0], "sk": key[1], "Count": count})
    request = urllib.request.Request(dynamodb_url, content, {"x-amz-target": "Bench.Clone"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=120):  # noqa: S310 - as above
        pass


@contextmanager
def running_channeling(
    place: Place,
    model: str,
    *,
    latency_ms: float = 0.0,
    users: int = USERS,
    as_function: bool = False,
    dynamodb_port: int | None = None,
    under: Sequence[str | Path] = (),
) -> Iterator[Running]:
    """Run `channeling serve`, or the messages function's application on uvicorn, with users of its own.

    Its store is a fresh one, unless the port of one that runs is given. `under` is a program that runs its own.
    """
    with ExitStack() as stack:
        if dynamodb_port is None:
            dynamodb_port = stack.enter_context(running_dynamodb(place.folder, latency_ms))
        environ = gateway_environ(place, dynamodb_port)
        with start_local_backend(environ, folder=place.folder) as backend:
            # This makes the tables and the project as `channeling serve` does, which then finds them.
            callers = [
                Caller({"x-api-key": backend.mint(f"user-{number}", _LIMIT_MICROUSD)})
                for number in range(users)
            ]
            function_environ = environ | backend.gateway_environ()
        port = free_port()
        programs = Path(sys.executable).parent
        command: list[str | Path] = [programs / "channeling", "serve", "--port", str(port)]
        command += ["--data", place.folder]
        if as_function:
            command = [programs / "uvicorn", "app:app", "--app-dir", ROOT / "functions/messages"]
            command += ["--port", str(port), "--no-access-log", "--log-level", "warning"]
            environ = function_environ
        program = Program([*under, *command], port, body_of("json", model), callers, environ)
        with running_program(program, place.folder) as serving:
            yield serving


def gateway_environ(place: Place, dynamodb_port: int) -> dict[str, str]:
    """Return what `channeling serve` is told: its store, and every provider's stand-in."""
    upstream_url = f"http://127.0.0.1:{place.upstream_port}"
    return {
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{dynamodb_port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "ANTHROPIC_API_KEY": "sk-ant-bench",
        "OPENAI_API_KEY": "sk-bench",
        "OPENROUTER_API_KEY": "sk-or-bench",
        "CHANNELING_ANTHROPIC_BASE_URL": upstream_url,
        "CHANNELING_OPENAI_BASE_URL": f"{upstream_url}/v1",
        "CHANNELING_OPENROUTER_BASE_URL": f"{upstream_url}/api/v1",
        # As a deployed function has it; `serve` reads projects four times a second, for those who change them.
        "CHANNELING_PROJECT_CACHE_MILLISECONDS": "60000",
        "CHANNELING_MAX_CONCURRENT": "128",
    }
