"""One invocation, from its event to its acknowledged answer."""

import asyncio
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from lambda_asgi import invocation_context
from lambda_asgi.asgi import ASGIApp, Scope
from lambda_asgi.buffered_response import BufferedResponse
from lambda_asgi.clock import Clock
from lambda_asgi.conversation import Conversation, Stage
from lambda_asgi.function_error import FunctionError
from lambda_asgi.http1 import ProtocolError
from lambda_asgi.log import log
from lambda_asgi.runtime_api import Invocation, RuntimeApi, RuntimeApiError
from lambda_asgi.scope import HttpRequest, MalformedEvent, http_request
from lambda_asgi.settings import Settings
from lambda_asgi.shutdown import LastMoments, Shutdown, after_shutdown, before_deadline
from lambda_asgi.streamed_response import StreamedResponse

_TRACE_VARIABLE = "_X_AMZN_TRACE_ID"


class AppExited(Exception):
    """The app asked for the process to end, which would have ended every other invocation in it."""


@dataclass(frozen=True, slots=True)
class InvocationServer:
    """Serves invocations with one app.

    An app that does not heed its cancellation stays in `abandoned` until it ends.
    """

    app: ASGIApp
    state: Mapping[str, Any]
    clock: Clock
    settings: Settings
    shutdown: Shutdown
    environ: MutableMapping[str, str]
    abandoned: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, api: RuntimeApi, invocation: Invocation, event_json: bytes) -> None:
        """Answer one invocation; what cannot be told to Lambda is logged."""
        context = invocation.context
        invocation_context.request_id.set(context.request_id)
        invocation_context.trace_id.set(context.trace_id)
        if not self.settings.is_concurrent:
            # For the X-Ray SDK; one variable cannot stand for several invocations.
            _set_or_remove(self.environ, _TRACE_VARIABLE, context.trace_id)
        try:
            request = http_request(event_json, context, self.state)
        except MalformedEvent as error:
            failure = FunctionError("Runtime.MalformedEvent", str(error)[:1_000])
            _log_failure(failure)
            await _report(api, invocation, failure)
            return
        finally:
            # An event may have megabytes, and a stream may last for minutes.
            del event_json
        await self._answer(api, invocation, request)

    async def _answer(self, api: RuntimeApi, invocation: Invocation, request: HttpRequest) -> None:
        streams = self.settings.response_mode.streams(request.front)
        upload = (api.streamed if streams else api.buffered)(invocation, request.front)
        conversation = Conversation(request.scope["method"], request.body, upload)
        scope, now_ms = request.scope, self.clock.now_ms()
        del request
        deadline_ms = invocation.context.deadline_ms
        moments = before_deadline(deadline_ms, self.settings.deadline_margin_ms, now_ms)
        failure = await self._run(scope, conversation, moments)
        if failure is not None:
            _log_failure(failure)
        ending = asyncio.create_task(_end(api, invocation, upload, conversation, failure))
        if not await self._done_by(ending, lambda: self._now_last(moments).over_ms):
            ending.cancel()
            log("ERROR", "the Runtime API took no end of the answer before the deadline")
            upload.close()
            api.close()
            return
        ending.result()

    async def _run(
        self, scope: Scope, conversation: Conversation, moments: LastMoments
    ) -> FunctionError | None:
        """Run the app to its end, or to the guard; return what went wrong, if anything did."""
        ending = asyncio.Event()
        scope["extensions"]["lambda.context"] |= {"cancel_ms": moments.cancel_ms, "ending": ending}
        task = asyncio.create_task(_call(self.app, scope, conversation))
        if await self._done_by(task, lambda: self._now_last(moments).tell_ms):
            return _failure(task, conversation)
        ending.set()
        if await self._done_by(task, lambda: self._now_last(moments).cancel_ms):
            return _failure(task, conversation)
        task.cancel()
        if not await self._done_by(task, lambda: self._now_last(moments).give_up_ms):
            conversation.disconnect()
            self.abandoned.add(task)
            task.add_done_callback(self.abandoned.discard)
        heeded = "" if task.done() else " and does not heed its cancellation"
        if self._now_last(moments).cancel_ms < moments.cancel_ms:
            return FunctionError(
                "Runtime.Shutdown", f"the app was still running when the environment ended{heeded}"
            )
        left_ms = moments.over_ms - moments.cancel_ms
        return FunctionError(
            "Runtime.DeadlineGuard", f"the app was still running {left_ms} ms before the deadline{heeded}"
        )

    def _now_last(self, moments: LastMoments) -> LastMoments:
        """Return what the last moments are now that the environment may have been asked to end."""
        if self.shutdown.asked_ms is None:
            return moments
        return after_shutdown(moments, self.shutdown.asked_ms, self.settings.shutdown_grace_ms)

    async def _done_by(self, task: asyncio.Task[None], time_ms: Callable[[], int]) -> bool:
        """Wait for a task, at most until a time; return whether it is done. A cancelled wait cancels the task."""
        while not task.done() and self.clock.now_ms() < time_ms():
            others = [asyncio.create_task(self.clock.wait_until_ms(time_ms()))]
            if not self.shutdown.takes_no_more.is_set():
                others.append(asyncio.create_task(_wait(self.shutdown.takes_no_more)))
            try:
                await asyncio.wait({task, *others}, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                task.cancel()
                await asyncio.wait({task})
                raise
            finally:
                for other in others:
                    other.cancel()
        return task.done()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _call(app: ASGIApp, scope: Scope, conversation: Conversation) -> None:
    try:
        await app(scope, conversation.receive, conversation.send)
    except (SystemExit, KeyboardInterrupt) as error:
        raise AppExited(f"the app asked for the process to end: {error!r}") from error


def _failure(task: asyncio.Task[None], conversation: Conversation) -> FunctionError | None:
    if task.cancelled():
        return FunctionError("Runtime.Cancelled", "the app cancelled itself")
    error = task.exception()
    if error is not None:
        return FunctionError.from_exception(error)
    if conversation.stage in (Stage.STARTING, Stage.HELD):
        return FunctionError("Runtime.NoResponse", "the app returned without sending a response")
    if conversation.stage is Stage.SENDING:
        return FunctionError("Runtime.IncompleteResponse", "the app returned before its last body message")
    return None


async def _end(
    api: RuntimeApi,
    invocation: Invocation,
    upload: StreamedResponse | BufferedResponse,
    conversation: Conversation,
    failure: FunctionError | None,
) -> None:
    """Bring the invocation to the end that its stage allows, and hear what Lambda says of it."""
    stage = conversation.stage
    nothing_left = stage in (Stage.STARTING, Stage.HELD) or (
        isinstance(upload, BufferedResponse) and stage is Stage.SENDING and not upload.is_too_large
    )
    if nothing_left:
        await _report(api, invocation, failure or FunctionError("Runtime.NoResponse", "no response"))
        return
    try:
        response = await upload.finished(failure if stage is Stage.SENDING else None)
    except (OSError, ProtocolError) as error:
        log("ERROR", f"the Runtime API did not take the whole answer: {error}")
        api.close()
        return
    if response.status != 202:
        log("ERROR", f"the Runtime API refused the answer: {response.status} {response.body[:200]!r}")
    if not response.keep_alive or stage is not Stage.COMPLETE:
        api.close()


async def _report(api: RuntimeApi, invocation: Invocation, failure: FunctionError) -> None:
    try:
        await api.report_invocation_error(invocation, failure)
    except RuntimeApiError as error:
        # One invocation's trouble; whether the Runtime API is there at all, the next call will show.
        log("ERROR", f"the invocation's error could not be reported: {error}")


def _log_failure(failure: FunctionError) -> None:
    log("ERROR", failure.message, errorType=failure.error_type, stackTrace=failure.stack_trace)


def _set_or_remove(environ: MutableMapping[str, str], name: str, value: str | None) -> None:
    if value is None:
        environ.pop(name, None)
    else:
        environ[name] = value
