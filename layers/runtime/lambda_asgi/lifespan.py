"""ASGI lifespan: the app's startup and shutdown, once per execution environment."""

import asyncio
from typing import Any

from lambda_asgi.asgi import ASGIApp, Message, Scope
from lambda_asgi.log import log


class StartupFailed(Exception):
    """The app said that it cannot start; the message is its own."""


class Lifespan:
    """One run of the app's lifespan (ASGI specification, Lifespan 2.0)."""

    def __init__(self, app: ASGIApp) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._error: Exception | SystemExit | None = None

    async def startup(self) -> None:
        """Start the app; raise StartupFailed, with what the app said, when it cannot.

        An app that raises before it answers has no lifespan (the specification's own rule); that it raised is
        logged.
        """
        scope: Scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        self._task = asyncio.create_task(self._run(scope))
        message = await self._answer_to("lifespan.startup")
        if message is None:
            self._task = None
            if self._error is not None:
                log("INFO", f"the app has no lifespan: {type(self._error).__name__}: {self._error}"[:1_000])
        elif message["type"] == "lifespan.startup.failed":
            self._task.cancel()
            raise StartupFailed(message.get("message", "") or "the app's startup failed")

    async def shutdown(self) -> None:
        """Let the app close what its startup opened; a failure is logged, there is nobody else to tell."""
        if self._task is None:
            return
        message = await self._answer_to("lifespan.shutdown")
        if message is None or message["type"] != "lifespan.shutdown.complete":
            reason = self._error if message is None else message.get("message", "")
            log("ERROR", f"the app's shutdown failed: {reason}"[:1_000])

    async def _run(self, scope: Scope) -> None:
        try:
            await self._app(scope, self._to_app.get, self._from_app.put)
        except (Exception, SystemExit) as error:
            self._error = error

    async def _answer_to(self, message_type: str) -> Message | None:
        """Return the app's answer, or None when the app ended without one."""
        assert self._task is not None  # noqa: S101 - both callers made or checked it
        self._to_app.put_nowait({"type": message_type})
        answer = asyncio.create_task(self._from_app.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if self._from_app.empty() and not answer.done():
            answer.cancel()
            return None
        return await answer
