"""`python -m lambda_asgi`: what the layer's `bootstrap` starts."""

import asyncio
import os
import signal
import sys

from lambda_asgi.clock import SystemClock
from lambda_asgi.runtime import run
from lambda_asgi.shutdown import Shutdown


async def _run_until_terminated() -> int:
    clock, shutdown = SystemClock(), Shutdown()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: shutdown.ask(clock.now_ms()))
    status = await run(os.environ, clock, shutdown)
    if len(asyncio.all_tasks()) > 1:
        # An app that does not heed its cancellation would keep the loop, and so the process, from ending.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


sys.exit(asyncio.run(_run_until_terminated()))
