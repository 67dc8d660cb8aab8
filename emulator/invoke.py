"""`make invoke [EVENT=events/x.json]`: the built function answers all events, or one, on this machine.

An embedded store with the demo project is started beside it and, when no provider key is in the environment, the
demo upstream. `{{TOKEN}}` in the event becomes a token minted now.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from channeling_cli.event_command import filled_event
from channeling_cli.failure import CommandFailed
from emulator.answer import Answer, FunctionFailed
from emulator.artifact import BuildFailed, build_for_host, lay_out
from emulator.local_gateway import local_gateway
from emulator.rie import Emulator, EmulatorFailed, running_emulator
from emulator.sam_cli import ROOT, SamMissing, installed_sam

EVENTS = ROOT / "events"
_NOT_FOR_MESSAGES = ("env.json", "reconcile.json")
EVENT_BYTES_MAX = 6 * 1024 * 1024


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


def all_events() -> list[Path]:
    """Return the events that the messages function is for, each a situation of its own."""
    return [path for path in sorted(EVENTS.glob("**/*.json")) if path.name not in _NOT_FOR_MESSAGES]


def main(arguments: Sequence[str]) -> int:
    """Build, run and invoke; return the exit code. Of one event alone, a function error is a failure."""
    parser = argparse.ArgumentParser(prog="make invoke", description=__doc__)
    parser.add_argument("events", nargs="*", type=Path, help="such as events/message_stream.json; none: all")
    parser.add_argument("--build", type=Path, help="what was built already; without it, build now")
    options = parser.parse_args(arguments)
    paths, build = options.events or all_events(), options.build
    try:
        texts = [read_event(path) for path in paths]
        installed_sam()
        if build is None:
            print("Building for this machine ...", file=sys.stderr, flush=True)
            build = build_for_host()
        with (
            tempfile.TemporaryDirectory() as folder,
            local_gateway(os.environ) as gateway,
            running_emulator(
                lay_out(build, Path(folder)), gateway.environ, log=sys.stderr.buffer
            ) as emulator,
        ):
            for path, text in zip(paths, texts, strict=True):
                event = filled_event(text, gateway.token).encode()
                if len(paths) == 1:
                    print_answer(emulator.invoke(event))
                else:
                    print(f"{path.relative_to(EVENTS) if path.is_relative_to(EVENTS) else path}: ", end="")
                    print(_summary(emulator, event), flush=True)
    except (CommandFailed, SamMissing, BuildFailed, EmulatorFailed, FunctionFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _summary(emulator: Emulator, event: bytes) -> str:
    try:
        answer = emulator.invoke(event)
    except FunctionFailed as error:
        return str(error)
    kind = answer.headers.get("content-type", "no content").partition(";")[0]
    return f"HTTP {answer.status}, {kind}, {len(answer.body)} bytes"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
