"""One invocation as Lambda's side of the Runtime API sees it: an event out, an answer in as it comes."""

import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from emulator.answer import PRELUDE_END, FunctionFailed

# Pieces of an answer that wait for the client to take them; then the function waits too.
_PIECES_MAX = 8


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """Status, headers and cookies of an answer whose body is still on its way."""

    status: int
    headers: dict[str, str]
    cookies: list[str]


@dataclass(slots=True)
class Invocation:
    """An event with its deadline, in milliseconds since 1970, and what comes back for it."""

    request_id: str
    event: bytes
    deadline_ms: int
    trace_id: str
    over: asyncio.Event = field(default_factory=asyncio.Event)
    failure: FunctionFailed | None = None
    _pieces: deque[bytes] = field(default_factory=deque)
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _rest: bytes = b""

    async def take(self, piece: bytes) -> None:
        """Take a piece of a streamed answer; waits while the client is slow."""
        if not piece or self.over.is_set():
            return
        self._pieces.append(piece)
        self._more.set()
        while len(self._pieces) > _PIECES_MAX and not self.over.is_set():
            self._room.clear()
            await self._room.wait()

    def end(self, failure: FunctionFailed | None = None) -> None:
        """End the answer, well or with what went wrong; only the first end counts."""
        if self.over.is_set():
            return
        self.failure = failure
        self.over.set()
        self._more.set()
        self._room.set()

    async def head(self) -> AnswerHead:
        """Return the head of the answer once it has come; raise FunctionFailed when an error came in its place."""
        prelude = b""
        while PRELUDE_END not in prelude:
            piece = await self._get()
            if piece is None:
                raise self.failure or FunctionFailed({"errorType": "Runtime.InvalidResponse"})
            prelude += piece
        prelude, _, self._rest = prelude.partition(PRELUDE_END)
        return _head_of(json.loads(prelude))

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes; raise FunctionFailed where it breaks off."""
        if self._rest:
            yield self._rest
        while (piece := await self._get()) is not None:
            yield piece
        if self.failure is not None:
            raise self.failure

    async def take_whole(self, payload: bytes) -> None:
        """Take a buffered answer: the JSON object of status, headers and body, or any other JSON value.

        Source: AWS Lambda Developer Guide, "Invoking Lambda function URLs", response payload format.
        """
        try:
            answer = json.loads(payload)
        except ValueError:
            self.end(FunctionFailed({"errorType": "Runtime.InvalidResponse"}))
            return
        if not isinstance(answer, dict) or "statusCode" not in answer:
            answer = {
                "statusCode": 200,
                "headers": {"content-type": "application/json"},
                "body": payload.decode(),
            }
        body = str(answer.get("body") or "").encode()
        if answer.get("isBase64Encoded"):
            body = base64.b64decode(body)
        await self.take(json.dumps({k: v for k, v in answer.items() if k != "body"}).encode() + PRELUDE_END)
        await self.take(body)
        self.end()

    async def _get(self) -> bytes | None:
        """Return the next piece; None once the answer is over."""
        while not self._pieces:
            if self.over.is_set():
                return None
            self._more.clear()
            await self._more.wait()
        self._room.set()
        return self._pieces.popleft()


def _head_of(prelude: Any) -> AnswerHead:
    if not isinstance(prelude, dict) or not isinstance(prelude.get("statusCode"), int):
        raise FunctionFailed({"errorType": "Runtime.InvalidResponse", "errorMessage": "no statusCode"})
    headers = {str(name): str(value) for name, value in (prelude.get("headers") or {}).items()}
    return AnswerHead(prelude["statusCode"], headers, [str(each) for each in prelude.get("cookies") or ()])
