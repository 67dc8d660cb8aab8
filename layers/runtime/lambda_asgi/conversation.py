"""The ASGI app's side of one invocation: its `receive` and `send`.

The stages, in order:

    STARTING   nothing was sent; an error can still be reported in the answer's place
    HELD       the app gave status and headers; they leave with the first body message (ASGI specification,
               HTTP, "Response Start")
    SENDING    the answer is on its way
    COMPLETE   the last body message was written
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from lambda_asgi.asgi import Message
from lambda_asgi.response_head import ResponseHead, response_head


class Upload(Protocol):
    """Where the answer goes. Each method raises OSError when the other side is gone."""

    def check(self, head: ResponseHead) -> None:
        """Raise ValueError for a head that could not be sent."""

    async def start(self, head: ResponseHead, on_lost: Callable[[], None]) -> None:
        """Open the answer with status and headers; call `on_lost` when the other side ends it before we do."""

    async def write(self, data: bytes) -> None:
        """Send body bytes now, and wait while the other side is slower than the app."""

    async def finish(self) -> None:
        """Mark the end of the answer."""


class Disconnected(OSError):
    """The Lambda Runtime API no longer takes this answer."""


class Stage(Enum):
    STARTING = auto()
    HELD = auto()
    SENDING = auto()
    COMPLETE = auto()


class Conversation:
    """What the app hears and says in one invocation (ASGI specification, HTTP & WebSocket, version 2.4)."""

    def __init__(self, method: str, body: bytes, upload: Upload) -> None:
        # Request state
        self._method = method
        self._body: bytes | None = body
        # Response state
        self.stage = Stage.STARTING
        self.disconnected = False
        self._head: ResponseHead | None = None
        self._body_bytes = 0
        self._upload = upload
        self._over = asyncio.Event()

    def disconnect(self) -> None:
        """Tell the app, at its next `receive` or `send`, that nobody takes the answer any more."""
        self.disconnected = True
        self._over.set()

    async def receive(self) -> Message:
        """Return the whole request body, then, once the answer is complete or lost, `http.disconnect`."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        # Lambda never says that the client went away.
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take the app's next message; raise Disconnected, or RuntimeError when it is out of order."""
        if self.disconnected:
            raise Disconnected("the answer is not taken any more")
        match self.stage, message["type"]:
            case Stage.STARTING, "http.response.start":
                head = response_head(message["status"], message.get("headers", ()), method=self._method)
                self._upload.check(head)
                self._head, self.stage = head, Stage.HELD
            case ((Stage.HELD | Stage.SENDING), "http.response.body"):
                await self._send_body(message)
            case stage, kind:
                raise RuntimeError(f"the app sent {kind!r} while its response was {stage.name.lower()}")

    async def _send_body(self, message: Message) -> None:
        data = b"" if self._method == "HEAD" else bytes(message.get("body", b""))
        more = bool(message.get("more_body", False))
        assert self._head is not None  # noqa: S101 - it was set when the stage became HELD
        self._check_length(self._head, len(data), more)
        try:
            if self.stage is Stage.HELD:
                self.stage = Stage.SENDING
                await self._upload.start(self._head, self.disconnect)
            if data:
                await self._upload.write(data)
            if not more:
                # Before the wait in `finish`: an app that is cancelled there has ended its answer all the same.
                self.stage = Stage.COMPLETE
                self._over.set()
                await self._upload.finish()
        except OSError as error:
            self.disconnect()
            raise Disconnected(f"the answer is not taken any more: {error}") from error

    def _check_length(self, head: ResponseHead, data_bytes: int, more: bool) -> None:
        """Raise RuntimeError when the body is not as long as its content-length: a client would wait, or cut it."""
        self._body_bytes += data_bytes
        promised = head.body_bytes
        if promised is not None and (
            self._body_bytes > promised or (not more and self._body_bytes < promised)
        ):
            raise RuntimeError(
                f"the app sent {self._body_bytes} bytes of a body that has {promised} by its status and headers"
            )
