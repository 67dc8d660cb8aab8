"""The ASGI app's side of one invocation: its `receive` and `send`.

The stages, in order:

    STARTING   nothing was sent; an error can still be reported in the answer's place
    HELD       the app gave status and headers; they leave with the first body message (ASGI specification,
               HTTP, "Response Start")
    SENDING    the answer is on its way
    COMPLETE   the last body message was written
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Protocol

from lambda_asgi.asgi import Message

# About one connection, which the Lambda Runtime API keeps for itself (RFC 9110, 7.6.1).
_HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}


class Upload(Protocol):
    """Where the answer goes. Each method raises OSError when the other side is gone."""

    async def start(self, prelude: bytes, on_lost: Callable[[], None]) -> None:
        """Open the answer with its prelude (status, headers and cookies as JSON); call `on_lost` when the other
        side ends it before we do."""

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
        self._prelude = b""
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
            raise Disconnected("the Lambda Runtime API closed the response")
        match self.stage, message["type"]:
            case Stage.STARTING, "http.response.start":
                self._prelude = prelude_of(message["status"], message.get("headers", ()))
                self.stage = Stage.HELD
            case ((Stage.HELD | Stage.SENDING), "http.response.body"):
                await self._send_body(message)
            case stage, kind:
                raise RuntimeError(f"the app sent {kind!r} while its response was {stage.name.lower()}")

    async def _send_body(self, message: Message) -> None:
        data = b"" if self._method == "HEAD" else bytes(message.get("body", b""))
        more = bool(message.get("more_body", False))
        try:
            if self.stage is Stage.HELD:
                self.stage = Stage.SENDING
                await self._upload.start(self._prelude, self.disconnect)
            if data:
                await self._upload.write(data)
            if not more:
                # Before the wait in `finish`: an app that is cancelled there has ended its answer all the same.
                self.stage = Stage.COMPLETE
                self._over.set()
                await self._upload.finish()
        except OSError as error:
            self.disconnect()
            raise Disconnected("the Lambda Runtime API closed the response") from error


def prelude_of(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the JSON that precedes a streamed body: status, headers, and cookies apart from them.

    A name that comes twice is joined by commas (RFC 9110, 5.3): the prelude has one value a name. Raises
    ValueError for a status that no answer can have. Source: AWS Lambda Developer Guide, "Response streaming".
    """
    if not 200 <= status <= 599:
        raise ValueError(f"{status} is not the status of a final HTTP response")
    values: dict[str, list[str]] = {}
    cookies = []
    for name, value in headers:
        lower = bytes(name).lower()
        if lower == b"set-cookie":
            cookies.append(bytes(value).decode("latin-1"))
        elif lower not in _HOP_BY_HOP:
            values.setdefault(lower.decode("latin-1"), []).append(bytes(value).decode("latin-1"))
    joined = {name: ", ".join(several) for name, several in values.items()}
    return json.dumps({"statusCode": status, "headers": joined, "cookies": cookies}).encode("ascii")
