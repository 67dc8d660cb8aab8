"""An app that knows nothing of Lambda, the FastAPI documentation's streaming example, runs unchanged."""

import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.answer import parse_answer
from emulator.artifact import host_architecture
from emulator.sam_cli import HOME
from tests.layers.runtime.conftest import StartRuntime
from tests.layers.runtime.runtime_api_stand_in import RuntimeApiStandIn, event, rest_event

pytestmark = pytest.mark.timeout(120)

RUNTIME_LAYER = Path(__file__).parents[3] / "layers/runtime"
# FastAPI documentation, "Custom Response", StreamingResponse.
TUTORIAL = """
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()


async def fake_video_streamer():
    for i in range(10):
        yield b"some fake video bytes"


@app.get("/")
async def main():
    return StreamingResponse(fake_video_streamer())
"""

BODY = b"some fake video bytes" * 10


async def test_the_tutorials_stream_arrives_piece_by_piece(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, tmp_path: Path
) -> None:
    start_runtime(_tutorial(tmp_path).app)
    for what in (event(), rest_event()):
        invocation = runtime_api.invoke(what)
        assert (await invocation.prelude())["statusCode"] == 200
        pieces = [await invocation.chunks.get() for _ in range(10)]
        assert pieces == [b"some fake video bytes"] * 10
        await invocation.over.wait()
        assert invocation.trailers == {}


async def test_where_nothing_streams_it_is_answered_whole(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, tmp_path: Path
) -> None:
    start_runtime(_tutorial(tmp_path).app, LAMBDA_ASGI_RESPONSE="buffered")
    assert (await runtime_api.invoke(event()).answer())["body"] == BODY.decode()
    # A mounted app finds its routes, and names its documentation's address, behind a stage.
    docs = await runtime_api.invoke(rest_event("/docs", stage_path="/prod/docs")).answer()
    assert docs["statusCode"] == 200
    assert "/prod/openapi.json" in docs["body"]


@pytest.fixture
def emulator_port(tmp_path: Path) -> Iterator[int]:
    """AWS's emulator on the tutorial's app, started as the managed runtime starts a wrapper."""
    _tutorial(tmp_path)
    [executable] = (HOME / "lib").glob(
        f"python3.*/site-packages/samcli/local/rapid/aws-lambda-rie-{host_architecture()}"
    )
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        port, api_port = first.getsockname()[1], second.getsockname()[1]
    addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    addresses += ["--runtime-api-address", f"127.0.0.1:{api_port}", "--log-level", "error"]
    executable.chmod(0o755)
    process = subprocess.Popen(
        [executable, *addresses, RUNTIME_LAYER / "bootstrap", sys.executable, "/var/runtime/bootstrap.py"],
        env={
            "PATH": os.defpath,
            "LAMBDA_TASK_ROOT": str(tmp_path),
            "_HANDLER": "tutorial.app",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )
    yield port
    process.terminate()
    process.wait()


@pytest.mark.sam
async def test_the_tutorial_runs_under_awss_own_emulator(emulator_port: int) -> None:
    answer = parse_answer(_invoked(emulator_port, event()))
    assert (answer.status, answer.body) == (200, BODY)
    whole = json.loads(_invoked(emulator_port, event(domain="h.execute-api.eu-west-1.amazonaws.com")))
    assert (whole["statusCode"], whole["body"]) == (200, BODY.decode())
    refused = json.loads(_invoked(emulator_port, {"key1": "value1"}))
    assert refused["errorType"] == "Runtime.MalformedEvent"


def _tutorial(folder: Path) -> Any:
    """Write the example as a module, and return it."""
    path = folder / "tutorial.py"
    path.write_text(TUTORIAL)
    spec = importlib.util.spec_from_file_location("tutorial", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _invoked(port: int, what: dict[str, Any]) -> bytes:
    """Return what the emulator answers to an invocation, once it listens."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(what))
            return connection.getresponse().read()
        except ConnectionRefusedError:
            time.sleep(0.02)  # It says nowhere that it listens.
        finally:
            connection.close()
