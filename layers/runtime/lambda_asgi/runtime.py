"""One execution environment: initialise, restore from a snapshot, serve invocations."""

import asyncio
import importlib
import inspect
import random
from collections.abc import Callable, Mapping
from typing import Any, cast

from lambda_asgi.asgi import ASGIApp
from lambda_asgi.function_error import FunctionError
from lambda_asgi.invocation import DEADLINE_MARGIN_MS, Clock, InvocationServer
from lambda_asgi.lifespan import Lifespan
from lambda_asgi.log import log
from lambda_asgi.runtime_api import RuntimeApi, RuntimeApiError

RestoreHook = Callable[[], Any]


class BadConfiguration(Exception):
    """The function's handler or an environment variable cannot be used; the message names it."""


async def run(environ: Mapping[str, str], clock: Clock) -> int:
    """Run until cancelled; return an exit status when the environment cannot go on.

    Reads AWS_LAMBDA_RUNTIME_API, _HANDLER, AWS_LAMBDA_MAX_CONCURRENCY and AWS_LAMBDA_INITIALIZATION_TYPE (AWS
    Lambda Developer Guide, "Defined runtime environment variables"), and our own
    LAMBDA_ASGI_DEADLINE_MARGIN_MS.
    """
    address = environ.get("AWS_LAMBDA_RUNTIME_API")
    if address is None:
        log(
            "ERROR", "AWS_LAMBDA_RUNTIME_API is not set: this program is started by Lambda or by its emulator"
        )
        return 1
    api = RuntimeApi(address)
    try:
        concurrency = whole_number(environ, "AWS_LAMBDA_MAX_CONCURRENCY", default=1, minimum=1)
        margin_ms = whole_number(environ, "LAMBDA_ASGI_DEADLINE_MARGIN_MS", default=DEADLINE_MARGIN_MS)
        app, after_restore = load_handler(environ.get("_HANDLER", ""))
        lifespan = Lifespan(app)
        await lifespan.startup()
    except (Exception, SystemExit) as error:
        await _report(api.report_init_error, error, "initialisation")
        api.close()
        return 1
    server = InvocationServer(app, lifespan.state, clock, margin_ms)
    apis = [api, *(RuntimeApi(address) for _ in range(concurrency - 1))]
    try:
        if environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
            await _restore(api, after_restore)
        async with asyncio.TaskGroup() as loops:
            for each in apis:
                loops.create_task(_serve(server, each))
    except* RuntimeApiError as refusals:
        for refusal in refusals.exceptions:
            log("ERROR", f"the environment ends: {refusal}")
    finally:
        for each in apis:
            each.close()
        await lifespan.shutdown()
    return 1


def load_handler(handler: str) -> tuple[ASGIApp, RestoreHook | None]:
    """Return the app that `_HANDLER` names ("module.attribute", folders with slashes) and the `after_restore` of
    its module, if there is one; raise BadConfiguration, or whatever importing the module raises."""
    module_name, dot, attribute = handler.rpartition(".")
    if not dot or not module_name or not attribute:
        raise BadConfiguration(f"the handler {handler!r} is not of the form module.attribute")
    module = importlib.import_module(module_name.replace("/", "."))
    app = getattr(module, attribute, None)
    if not callable(app):
        raise BadConfiguration(
            f"the handler {handler!r} names no ASGI app: {module_name} has no such callable"
        )
    return cast(ASGIApp, app), getattr(module, "after_restore", None)


def whole_number(environ: Mapping[str, str], name: str, *, default: int, minimum: int = 0) -> int:
    """Return an environment variable as a whole number; raise BadConfiguration, which names it."""
    text = environ.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < minimum:
        raise BadConfiguration(f"{name} is {text[:40]!r}: it must be a whole number, at least {minimum}")
    return int(text)


async def _serve(server: InvocationServer, api: RuntimeApi) -> None:
    while True:
        await server.serve(api, await api.next_invocation())


async def _restore(api: RuntimeApi, after_restore: RestoreHook | None) -> None:
    """Wait for the restore, then undo what a snapshot must not share between its copies: randomness here, the
    rest in the app's hook. Raise RuntimeApiError when either fails."""
    await api.restore_next()
    try:
        random.seed()
        result = after_restore() if after_restore is not None else None
        if inspect.isawaitable(result):
            await result
    except Exception as error:
        await _report(api.report_restore_error, error, "restore")
        raise RuntimeApiError("the environment could not be restored") from error


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
