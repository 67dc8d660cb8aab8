"""`make serve-lambda [PORT=8080]`: the built messages function behind a function URL on this machine.

The function runs in execution environments laid out as Lambda's, one for each request at a time, or with
--max-concurrency for several; each is frozen while it has nothing to do. Beside it run an embedded store with the
demo project and, when no provider's key is in the environment, the demo upstream.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from channeling_cli.failure import CommandFailed
from channeling_cli.listening_socket import base_url_of, listening_socket
from emulator.answer import FunctionFailed
from emulator.artifact import Artifact, BuildFailed, build_for_host, lay_out
from emulator.execution_environment import execution_environment
from emulator.function import Function
from emulator.function_url import FunctionUrl
from emulator.local_gateway import LocalGateway, local_gateway
from emulator.sam_cli import SamMissing, installed_sam
from emulator.sandbox import MEMORY_MEGABYTES, can_isolate
from emulator.url_server import running_url

_HOST = "127.0.0.1"
_NOT_ISOLATED = "Not laid out as on Lambda, which needs root on Linux: the function runs where its files lie."


async def serve(
    artifact: Artifact, gateway: LocalGateway, options: argparse.Namespace, log: IO[bytes]
) -> None:
    """Serve until SIGINT or SIGTERM; raise FunctionFailed when the function does not come up at all."""
    function = Function(
        lambda: execution_environment(
            artifact,
            gateway.environ,
            log=log,
            timeout_s=options.timeout,
            memory_megabytes=options.memory,
            max_concurrency=options.max_concurrency,
        ),
        timeout_s=options.timeout,
        max_environments=options.max_environments,
    )
    async with function:
        await function.start_ahead(1)
        listener = listening_socket(_HOST, options.port)
        ready = {
            "base_url": base_url_of(listener),
            "token": gateway.token,
            "project_id": gateway.backend.project_id,
            "hmac_secret": gateway.backend.hmac_secret,
        }
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        async with running_url(FunctionUrl(function), listener):
            sys.stdout.write(json.dumps(ready) + "\n")
            sys.stdout.flush()
            await stopped.wait()


def main(arguments: Sequence[str]) -> int:
    """Build and serve; print one line of JSON when it listens; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m emulator.front", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 takes a free one")
    parser.add_argument("--timeout", type=int, default=900, help="the function's timeout, in seconds")
    parser.add_argument("--memory", type=int, default=MEMORY_MEGABYTES, help="its memory, in megabytes")
    parser.add_argument("--max-concurrency", type=int, default=1, help="requests at a time in one process")
    parser.add_argument("--max-environments", type=int, default=50, help="processes at the same time")
    parser.add_argument("--build", type=Path, help="what was built already; without it, build now")
    options = parser.parse_args(arguments)
    if not can_isolate():
        print(_NOT_ISOLATED, file=sys.stderr)
    try:
        build = options.build
        if build is None:
            installed_sam()
            print("Building for this machine ...", file=sys.stderr, flush=True)
            build = build_for_host()
        with tempfile.TemporaryDirectory() as folder, local_gateway(os.environ) as gateway:
            asyncio.run(serve(lay_out(build, Path(folder)), gateway, options, sys.stderr.buffer))
    except (CommandFailed, SamMissing, BuildFailed, FunctionFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
