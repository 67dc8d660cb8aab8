"""`python -m lambda_asgi`: what the layer's `bootstrap` starts."""

import asyncio
import os
import signal
import sys

from lambda_asgi.invocation import SystemClock
from lambda_asgi.runtime import run


async def _run_until_terminated() -> int:
    environment = asyncio.ensure_future(run(os.environ, SystemClock()))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, environment.cancel)
    try:
        return await environment
    except asyncio.CancelledError:
        return 0


sys.exit(asyncio.run(_run_until_terminated()))
