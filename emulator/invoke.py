"""`make invoke EVENT=events/x.json`: the built function answers one event on this machine, without Docker.

An embedded store with the demo project is started beside it and, when no provider key is in the environment, the
demo upstream. `{{TOKEN}}` in the event becomes a token minted now.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from channeling_cli.event_command import filled_event
from channeling_cli.failure import CommandFailed
from channeling_cli.local import ANTHROPIC_URL_VARIABLE, start_local_backend
from emulator.answer import Answer, FunctionFailed
from emulator.artifact import BuildFailed, build_for_host, lay_out
from emulator.rie import EmulatorFailed, running_emulator
from emulator.sam_cli import SamMissing, installed_sam

LIMIT_MICROUSD = 5_000_000
EVENT_BYTES_MAX = 6 * 1024 * 1024


@contextmanager
def local_gateway_environ(
    environ: Mapping[str, str] = os.environ, *, limit_microusd: int = LIMIT_MICROUSD
) -> Iterator[tuple[dict[str, str], str]]:
    """Run a store, the demo project and an upstream; yield the function's variables and a user's token.

    Raises what `start_local_backend` raises.
    """
    passed_on = {
        name: value
        for name, value in environ.items()
        if name.startswith("CHANNELING_") and name.endswith("_BASE_URL")
    }
    with start_local_backend(environ) as backend:
        token = backend.mint("demo-user", limit_microusd)
        function_environ = {**backend.gateway_environ(), **passed_on, "CHANNELING_MAX_BODY_BYTES": "6291456"}
        if not backend.is_demo:
            yield function_environ, token
            return
        with _demo_upstream() as base_url:
            yield {**function_environ, ANTHROPIC_URL_VARIABLE: base_url}, token


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


def print_answer(answer: Answer) -> None:
    """Print status, headers and body, as `curl -i` would."""
    out = sys.stdout.buffer
    out.write(f"HTTP {answer.status}\n".encode())
    lines = [f"{name}: {value}" for name, value in answer.headers.items()]
    lines += [f"set-cookie: {cookie}" for cookie in answer.cookies]
    out.write("".join(f"{line}\n" for line in lines).encode() + b"\n" + answer.body)
    if answer.body and not answer.body.endswith(b"\n"):
        out.write(b"\n")
    out.flush()


def read_event(path: Path) -> str:
    """Return an event's text; raise CommandFailed when it is no JSON object that Lambda would take."""
    try:
        text = path.read_text()
        if len(text) > EVENT_BYTES_MAX:
            raise CommandFailed(f"{path} is over Lambda's 6 MB for an event")
        if not isinstance(json.loads(text), dict):
            raise CommandFailed(f"{path} is not a JSON object")
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}; events are in events/") from error
    except (ValueError, RecursionError) as error:
        raise CommandFailed(f"{path} is not JSON: {error}") from error
    return text


def main(arguments: Sequence[str]) -> int:
    """Build, run and invoke; return the exit code."""
    parser = argparse.ArgumentParser(prog="make invoke", description=__doc__)
    parser.add_argument("event", type=Path, help="such as events/message_stream.json")
    event_path = parser.parse_args(arguments).event
    try:
        text = read_event(event_path)
        installed_sam()
        print("Building for this machine ...", file=sys.stderr, flush=True)
        build = build_for_host()
        with (
            tempfile.TemporaryDirectory() as folder,
            local_gateway_environ() as (environ, token),
            running_emulator(lay_out(build, Path(folder)), environ, log=sys.stderr.buffer) as emulator,
        ):
            print_answer(emulator.invoke(filled_event(text, token).encode()))
    except (CommandFailed, SamMissing, BuildFailed, EmulatorFailed, FunctionFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
