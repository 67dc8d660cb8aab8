"""One execution environment: initialise, restore from a snapshot, serve invocations, end."""

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

from lambda_asgi.clock import Clock
from lambda_asgi.function_error import FunctionError
from lambda_asgi.invocation import InvocationServer
from lambda_asgi.lifespan import Lifespan
from lambda_asgi.log import configure_logging, log
from lambda_asgi.runtime_api import Invocation, RuntimeApi, RuntimeApiError
from lambda_asgi.settings import load_handler, read_settings
from lambda_asgi.shutdown import Shutdown
from lambda_asgi.snapshot import SnapshotHooks, registered_hooks

# As AWS's own Python client ends (awslambdaric, bootstrap.py).
BEFORE_SNAPSHOT_STATUS, AFTER_RESTORE_STATUS = 64, 65
# As AWS's own Python client asks again (awslambdaric, lambda_runtime_client.py).
NEXT_ATTEMPTS, NEXT_DELAY_MS = 5, 100


async def run(environ: MutableMapping[str, str], clock: Clock, shutdown: Shutdown | None = None) -> int:
    """Run until the environment is asked to end or cannot go on; return the process's exit status.

    Reads AWS_LAMBDA_RUNTIME_API, what `settings` and `log` read, and sets _X_AMZN_TRACE_ID.
    """
    shutdown = shutdown or Shutdown()
    configure_logging(environ)
    address = environ.get("AWS_LAMBDA_RUNTIME_API")
    if address is None:
        log(
            "ERROR", "AWS_LAMBDA_RUNTIME_API is not set: this program is started by Lambda or by its emulator"
        )
        return 1
    api = RuntimeApi(address)
    try:
        settings = read_settings(environ)
        app, after_restore = load_handler(settings.handler)
        lifespan = Lifespan(app)
        await lifespan.startup()
    except (Exception, SystemExit) as error:
        await _report(api.report_init_error, error, "initialisation")
        api.close()
        return 1
    server = InvocationServer(app, lifespan.state, clock, settings, shutdown, environ)
    status = 0
    if settings.is_snapstart:
        hooks = registered_hooks()
        if after_restore is not None:
            hooks = SnapshotHooks(hooks.before_snapshot, [*hooks.after_restore, after_restore])
        status = await _restore(api, hooks)
        api.close()
    if status == 0:
        status = await _serve_all(
            server, [api, *(RuntimeApi(address) for _ in range(settings.concurrency - 1))]
        )
    await _end_lifespan(lifespan, server)
    return status


async def _serve_all(server: InvocationServer, apis: list[RuntimeApi]) -> int:
    """Serve on all connections until the environment ends; return its exit status."""
    try:
        async with asyncio.TaskGroup() as loops:
            tasks = [loops.create_task(_serve(server, api)) for api in apis]
    finally:
        for api in apis:
            api.close()
    return max(task.result() for task in tasks)


async def _serve(server: InvocationServer, api: RuntimeApi) -> int:
    """Serve one invocation after the other; return 1 when no more can be had, which ends the other loops too."""
    while not server.shutdown.takes_no_more.is_set():
        asking = asyncio.create_task(_next(api, server.clock))
        ending = asyncio.create_task(server.shutdown.takes_no_more.wait())
        try:
            await asyncio.wait({asking, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                break
            invocation, event_json = asking.result()
        except RuntimeApiError as error:
            log("ERROR", f"the environment ends: {error}")
            server.shutdown.take_no_more()
            return 1
        finally:
            asking.cancel()
            ending.cancel()
        del asking
        await server.serve(api, invocation, event_json)
        del event_json
    return 0


async def _next(api: RuntimeApi, clock: Clock) -> tuple[Invocation, bytes]:
    """Return the next invocation, asking again when it fails; raise RuntimeApiError when it fails for good."""
    for attempt in range(NEXT_ATTEMPTS):
        try:
            return await api.next_invocation()
        except RuntimeApiError as error:
            if error.is_final or attempt == NEXT_ATTEMPTS - 1:
                raise
            log("WARNING", f"{error}; asking again")
            await clock.wait_until_ms(clock.now_ms() + NEXT_DELAY_MS * 2**attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


async def _restore(api: RuntimeApi, hooks: SnapshotHooks) -> int:
    """Have the snapshot taken, wait for its restore, and undo what its copies must not share; return the exit
    status, 0 to go on."""
    try:
        await hooks.run_before_snapshot()
        await api.restore_next()
    except Exception as error:
        await _report(api.report_before_snapshot_error, error, "snapshot")
        return BEFORE_SNAPSHOT_STATUS
    # What this connection was is another machine's.
    api.close()
    try:
        await hooks.run_after_restore()
    except Exception as error:
        await _report(api.report_restore_error, error, "restore")
        return AFTER_RESTORE_STATUS
    return 0


async def _end_lifespan(lifespan: Lifespan, server: InvocationServer) -> None:
    """Let the app shut down, in what is left of the grace time where the environment was asked to end."""
    ending = asyncio.create_task(lifespan.shutdown())
    waiting: set[asyncio.Task[None]] = {ending}
    if server.shutdown.asked_ms is not None:
        until_ms = server.shutdown.asked_ms + server.settings.shutdown_grace_ms
        waiting.add(asyncio.create_task(server.clock.wait_until_ms(until_ms)))
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if not ending.done():
        log("ERROR", "the app's shutdown did not end within the grace time")
    for task in waiting:
        task.cancel()


async def _report(report: Callable[[FunctionError], Any], error: BaseException, phase: str) -> None:
    failure = FunctionError.from_exception(error)
    log(
        "ERROR",
        f"{phase} failed: {failure.message}",
        errorType=failure.error_type,
        stackTrace=failure.stack_trace,
    )
    try:
        await report(failure)
    except RuntimeApiError as report_error:
        log("ERROR", f"the {phase} error could not be reported: {report_error}")
