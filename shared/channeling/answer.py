"""Our answer to the client over ASGI: what can still be said depends on whether it has started, coded once here."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import orjson

from channeling.errors import GatewayError

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]  # ASGI's


class ClientGone(Exception):
    """The client left, or did not read until the deadline: nothing more can be said to it."""


class Answer:
    """One HTTP answer: `start`, any number of `write`, `end`. Every write waits for a slow reader until
    `deadline_s` (the loop's time) and raises ClientGone after that."""

    def __init__(self, send: Send, *, request_id: str, deadline_s: float) -> None:
        self._send = send
        self.request_id = request_id
        self._deadline_s = deadline_s
        self.started = False
        self.ended = False
        self._timer: asyncio.TimerHandle | None = None
        self._delivering: asyncio.Task[Any] | None = None
        self._is_late = self._is_expired = False

    async def start(self, status: int, headers: Sequence[tuple[str, str]], data: bytes = b"") -> None:
        """Send the status line and headers, and the body's first piece where there is one; `request-id` is ours
        where none came down from the provider."""
        start = self._start(status, headers)
        if data:
            await self._deliver(start, {"type": "http.response.body", "body": data, "more_body": True})
        else:
            await self._deliver(start)

    def _start(self, status: int, headers: Sequence[tuple[str, str]]) -> MutableMapping[str, Any]:
        names = {name for name, _ in headers}
        if "request-id" not in names:
            headers = [*headers, ("request-id", self.request_id)]
        raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
        self.started = True
        return {"type": "http.response.start", "status": status, "headers": raw}

    async def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        if data:
            await self._deliver({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        """Send the last piece of the body; after it nothing may follow."""
        if not self.ended:
            self.ended = True
            await self._deliver({"type": "http.response.body", "body": data, "more_body": False})

    async def whole(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Send all of an answer, as `start` and `end` do."""
        start = self._start(status, headers)
        self.ended = True
        await self._deliver(start, {"type": "http.response.body", "body": body, "more_body": False})

    async def refuse(self, error: GatewayError, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Answer an error: its status, its own headers and these, its JSON body. Only before `start`."""
        body = orjson.dumps(error.body(self.request_id))
        await self.whole(
            error.status, [("content-type", "application/json"), *error.headers.items(), *headers], body
        )

    def close(self) -> None:
        """Nothing more is to be sent: the deadline is waited for no longer."""
        if self._timer is not None:
            self._timer.cancel()

    async def _deliver(self, *messages: MutableMapping[str, Any]) -> None:
        """Send, and wait for a slow reader until the deadline, by one timer for all, as nearly none waits."""
        delivering: asyncio.Task[Any] | None = None
        try:
            if self._is_late:
                async with asyncio.timeout_at(self._deadline_s):  # past: what need not wait still goes out
                    await self._deliver_all(messages)
                return
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_at(self._deadline_s, self._expire)
            self._delivering = asyncio.current_task()
            try:
                await self._deliver_all(messages)
            finally:
                delivering, self._delivering = self._delivering, None
        except (OSError, TimeoutError) as error:
            raise ClientGone from error
        except asyncio.CancelledError:
            # As `asyncio.timeout` does: our own cancellation, and nobody else's, is the deadline.
            is_expired, self._is_expired = self._is_expired, False
            if is_expired and delivering is not None and delivering.uncancel() == 0:
                raise ClientGone from None
            raise

    async def _deliver_all(self, messages: Sequence[MutableMapping[str, Any]]) -> None:
        for message in messages:
            await self._send(message)

    def _expire(self) -> None:
        self._is_late = True
        if self._delivering is not None:
            self._is_expired = True
            self._delivering.cancel()
