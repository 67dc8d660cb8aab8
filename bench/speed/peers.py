"""The other gateways, each started as its own documentation says, in an environment of its own.

LiteLLM: a master key, no database; LITELLM_MODE=PRODUCTION, its local table of costs, OpenAI's models by chat
completions. Portkey: the custom host in headers; as npm installs it on Node 20 it answers streams with
"TypeError: immutable", for @hono/node-server puts another Response in the place of Node's: a preload keeps Node's.
claude-code-router: one provider behind chat completions. `claude gateway`: bench/wire/claude_gateway.py.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.answers import ANTHROPIC_MODEL, OPENAI_MODEL
from bench.speed.requests import Caller, body_of
from bench.speed.target import Place, Program, Running, running_program
from bench.wire.claude_gateway import (
    binary,
    gateway_configuration,
    running_postgres,
    session_of,
    set_organization_limit,
)
from bench.wire.processes import ROOT, NotAvailable, free_port

PEERS = ROOT / ".tools/peers"
LITELLM = PEERS / "litellm/bin/litellm"
PORTKEY = PEERS / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
ROUTER = PEERS / "ccr/node_modules/@musistudio/claude-code-router/dist/cli.js"
_MASTER_KEY = "sk-bench-master"
_LIMIT_CENTS = 100_000_000
_KEEP_RESPONSE = """\
const define = Object.defineProperty;
Object.defineProperty = (on, name, what) =>
  on === globalThis && name === "Response" ? on : define(on, name, what);
"""


@contextmanager
def running_litellm(place: Place, model: str) -> Iterator[Running]:
    """Run LiteLLM's proxy; raise NotAvailable."""
    _require(LITELLM, "LiteLLM")
    upstream = f"http://127.0.0.1:{place.upstream_port}"
    port = free_port()
    configuration = {
        "model_list": [
            {
                "model_name": ANTHROPIC_MODEL,
                "litellm_params": {
                    "model": f"anthropic/{ANTHROPIC_MODEL}",
                    "api_base": upstream,
                    "api_key": "sk-ant",
                },
            },
            {
                "model_name": OPENAI_MODEL,
                "litellm_params": {
                    "model": f"openai/{OPENAI_MODEL}",
                    "api_base": f"{upstream}/v1",
                    "api_key": "sk",
                },
            },
        ],
        "general_settings": {"master_key": _MASTER_KEY},
        "litellm_settings": {"use_chat_completions_url_for_anthropic_messages": True},
    }
    # JSON is YAML.
    file = _written(place.folder / "litellm.yaml", json.dumps(configuration))
    command: list[str | Path] = [LITELLM, "--config", file, "--host", "127.0.0.1", "--port", str(port)]
    environ = {"LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    callers = (Caller({"x-api-key": _MASTER_KEY}),)
    with running_program(
        Program(command, port, body_of("json", model), callers, environ), place.folder
    ) as one:
        yield one


@contextmanager
def running_portkey(place: Place) -> Iterator[Running]:
    """Run Portkey's gateway in front of the Messages API; raise NotAvailable."""
    _require(PORTKEY, "Portkey")
    port = free_port()
    preload = _written(place.folder / "keep_response.mjs", _KEEP_RESPONSE)
    command: list[str | Path] = ["node", "--import", preload, PORTKEY, f"--port={port}", "--headless"]
    headers = {
        "x-portkey-provider": "anthropic",
        "x-portkey-custom-host": f"http://127.0.0.1:{place.upstream_port}/v1",
        "x-api-key": "sk-ant-bench",
        "authorization": "Bearer sk-ant-bench",
    }
    environ = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
    program = Program(command, port, body_of("json", ANTHROPIC_MODEL), (Caller(headers),), environ)
    with running_program(program, place.folder) as one:
        yield one


@contextmanager
def running_router(place: Place) -> Iterator[Running]:
    """Run claude-code-router, which translates to chat completions; raise NotAvailable."""
    _require(ROUTER, "claude-code-router")
    port = free_port()
    url = f"http://127.0.0.1:{place.upstream_port}/v1/chat/completions"
    configuration = {
        "HOST": "127.0.0.1",
        "PORT": port,
        "APIKEY": _MASTER_KEY,
        "LOG": False,
        "NON_INTERACTIVE_MODE": True,
        "Providers": [{"name": "openai", "api_base_url": url, "api_key": "sk", "models": [OPENAI_MODEL]}],
        "Router": {"default": f"openai,{OPENAI_MODEL}"},
    }
    folder = place.folder / ".claude-code-router"
    folder.mkdir(exist_ok=True)
    _written(folder / "config.json", json.dumps(configuration))
    command: list[str | Path] = ["node", ROUTER, "start"]
    callers = (Caller({"x-api-key": _MASTER_KEY}),)
    program = Program(
        command,
        port,
        body_of("json", ANTHROPIC_MODEL),
        callers,
        {"NODE_ENV": "production", "SERVICE_PORT": str(port)},
    )
    with running_program(program, place.folder) as one:
        yield one


@contextmanager
def running_claude(place: Place, *, caps: bool) -> Iterator[Running]:
    """Run `claude gateway`, with or without a spend limit for everybody; raise NotAvailable.

    It wants Postgres in either case. That runs on the stand-ins' core, as Channeling's store does.
    """
    program = binary()
    with running_postgres(place.folder) as postgres_url:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        configuration = gateway_configuration(
            url, port, f"http://127.0.0.1:{place.upstream_port}", postgres_url
        )
        file = _written(place.folder / "gateway.yaml", json.dumps(configuration))
        users = [session_of(url, f"user-{number}") for number in range(16)]
        callers = [Caller({"authorization": f"Bearer {session}"}) for session in users]
        command: list[str | Path] = [program, "gateway", "--config", file]
        environ = {"CLAUDE_GATEWAY_ALLOW_LOOPBACK": "1"}
        with running_program(
            Program(command, port, body_of("json", ANTHROPIC_MODEL), callers, environ), place.folder
        ) as one:
            if caps:
                set_organization_limit(url, _LIMIT_CENTS)
            yield one


def _require(program: Path, name: str) -> None:
    if not program.exists():
        raise NotAvailable(f"skipped, it is not installed here (make bench-peers): {name}")


def _written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file
