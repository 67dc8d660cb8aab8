"""One invocation, from its event to its acknowledged answer."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lambda_asgi.asgi import ASGIApp, Scope
from lambda_asgi.conversation import Conversation, Stage
from lambda_asgi.function_error import FunctionError
from lambda_asgi.http1 import ProtocolError
from lambda_asgi.log import log
from lambda_asgi.response_upload import ResponseUpload
from lambda_asgi.runtime_api import Invocation, RuntimeApi
from lambda_asgi.scope import MalformedEvent, http_request

DEADLINE_MARGIN_MS = 2_000


class Clock(Protocol):
    """Wall-clock time in milliseconds since 1970, as Lambda's deadlines are."""

    def now_ms(self) -> int: ...

    async def wait_until_ms(self, time_ms: int) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def wait_until_ms(self, time_ms: int) -> None:
        # Asked again after each wait: the timer runs on the monotonic clock, the deadline on the wall clock.
        while (left_ms := time_ms - self.now_ms()) > 0:  # noqa: ASYNC110 - no event says that time has passed
            await asyncio.sleep(left_ms / 1_000)


@dataclass(frozen=True, slots=True)
class InvocationServer:
    """Serves invocations with one app; `deadline_margin_ms` before Lambda's deadline the app is cancelled.

    An app that does not heed its cancellation stays in `abandoned` until it ends.
    """

    app: ASGIApp
    state: Mapping[str, Any]
    clock: Clock
    deadline_margin_ms: int = DEADLINE_MARGIN_MS
    abandoned: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, api: RuntimeApi, invocation: Invocation) -> None:
        """Answer one invocation; raise RuntimeApiError when the Runtime API cannot be spoken to any more."""
        request_id = invocation.context.request_id
        try:
            request = http_request(invocation.event_json, invocation.context, self.state)
        except MalformedEvent as error:
            malformed = FunctionError("Runtime.MalformedEvent", str(error)[:1_000])
            log("ERROR", malformed.message, request_id=request_id, errorType=malformed.error_type)
            await api.report_invocation_error(invocation, malformed)
            return
        upload = api.upload(invocation)
        conversation = Conversation(request.scope["method"], request.body, upload)
        failure = await self._run(request.scope, conversation, invocation.context.deadline_ms)
        if failure is not None:
            log(
                "ERROR",
                failure.message,
                request_id=request_id,
                errorType=failure.error_type,
                stackTrace=failure.stack_trace,
            )
        ending = asyncio.create_task(_end(api, invocation, upload, conversation, failure))
        if not await self._done_by(ending, invocation.context.deadline_ms):
            ending.cancel()
            log(
                "ERROR",
                "the Runtime API took no end of the answer before the deadline",
                request_id=request_id,
            )
            upload.close()
            api.close()
            return
        ending.result()

    async def _run(self, scope: Scope, conversation: Conversation, deadline_ms: int) -> FunctionError | None:
        """Run the app to its end, or to the guard; return what went wrong, if anything did."""
        # A function with a short timeout keeps three quarters of it for the app.
        margin_ms = min(self.deadline_margin_ms, max(0, deadline_ms - self.clock.now_ms()) // 4)
        task = asyncio.create_task(_call(self.app, scope, conversation))
        if await self._done_by(task, deadline_ms - margin_ms):
            return _failure(task, conversation)
        task.cancel()
        # Half of the margin is the app's to end its stream and its books; the rest is for telling Lambda.
        if not await self._done_by(task, deadline_ms - margin_ms // 2):
            conversation.disconnect()
            self.abandoned.add(task)
            task.add_done_callback(self.abandoned.discard)
        heeded = "" if task.done() else " and does not heed its cancellation"
        return FunctionError(
            "Runtime.DeadlineGuard", f"the app was still running {margin_ms} ms before the deadline{heeded}"
        )

    async def _done_by(self, task: asyncio.Task[None], time_ms: int) -> bool:
        """Wait for a task, at most until a time; return whether it is done. A cancelled wait cancels the task."""
        timer = asyncio.create_task(self.clock.wait_until_ms(time_ms))
        try:
            await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            raise
        finally:
            timer.cancel()
        return task.done()


async def _call(app: ASGIApp, scope: Scope, conversation: Conversation) -> None:
    await app(scope, conversation.receive, conversation.send)


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
    upload: ResponseUpload,
    conversation: Conversation,
    failure: FunctionError | None,
) -> None:
    """Bring the invocation to the end that its stage allows, and hear what Lambda says of it."""
    request_id = invocation.context.request_id
    if conversation.stage in (Stage.STARTING, Stage.HELD):
        await api.report_invocation_error(
            invocation, failure or FunctionError("Runtime.NoResponse", "no response")
        )
        return
    try:
        if conversation.stage is Stage.SENDING and failure is not None:
            await upload.fail(failure)
        response = await upload.acknowledgement()
    except (OSError, ProtocolError) as error:
        log("ERROR", f"the Runtime API did not take the whole answer: {error}", request_id=request_id)
        api.close()
        return
    if response.status != 202:
        log(
            "ERROR",
            f"the Runtime API refused the answer: {response.status} {response.body[:200]!r}",
            request_id=request_id,
        )
    if not response.keep_alive or conversation.stage is not Stage.COMPLETE:
        api.close()
