"""A function URL: HTTP on one side, invocations on the other. An ASGI app.

A streamed answer goes to the client as the function writes it. The function is not told that its client has left:
its answer is then taken to the end and dropped, as Lambda does. Left out: TLS, CORS by the URL itself, the limit of
200 MB an answer, and the 2 MB a second after its first 6 MB.
"""

import json
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from emulator.answer import FunctionFailed
from emulator.function import Function, Throttled
from emulator.url_event import UrlRequest, event_of

EVENT_BYTES_MAX = 6 * 1024 * 1024
_OWN_HEADERS = ("connection", "content-length", "transfer-encoding", "date", "server")
_JSON = [(b"content-type", b"application/json")]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class BrokenOff(Exception):
    """The answer ended in the middle; the server is to close the connection without a proper end."""


class FunctionUrl:
    """Answers each request by one invocation of a function."""

    def __init__(self, function: Function) -> None:
        self._function = function

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI specification, HTTP, version 2.3); raise BrokenOff for an answer cut short."""
        trace_id = f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
        body = await _body_of(receive)
        event = event_of(
            _request_of(scope, body), request_id=str(uuid.uuid4()), trace_id=trace_id, now_s=time.time()
        )
        payload = json.dumps(event, ensure_ascii=False).encode()
        if len(payload) > EVENT_BYTES_MAX:
            await _say(send, 413, {"Message": f"Request must be smaller than {EVENT_BYTES_MAX} bytes"})
            return
        try:
            invocation = await self._function.invoke(payload, trace_id)
            head = await invocation.head()
        except Throttled:
            await _say(
                send, 429, {"Reason": "ConcurrentInvocationLimitExceeded", "message": "Rate Exceeded."}
            )
            return
        except FunctionFailed:
            await _say(send, 502, None)
            return
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in head.headers.items()
            if name.lower() not in _OWN_HEADERS
        ]
        headers += [(b"set-cookie", cookie.encode("latin-1")) for cookie in head.cookies]
        headers.append((b"x-amzn-requestid", invocation.request_id.encode()))
        headers.append((b"x-amzn-trace-id", trace_id.encode()))
        await send({"type": "http.response.start", "status": head.status, "headers": headers})
        try:
            async for piece in invocation.body():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except FunctionFailed as error:
            raise BrokenOff(str(error)) from error
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _body_of(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BrokenOff("the client left in the middle of its request")
        # Longer ones are refused; that much is kept to see that they are.
        if len(body) <= EVENT_BYTES_MAX:
            body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _request_of(scope: Message, body: bytes) -> UrlRequest:
    return UrlRequest(
        scope["method"],
        scope["raw_path"].partition(b"?")[0].decode("latin-1"),
        scope["query_string"].decode("latin-1"),
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
        body,
        str((scope.get("client") or ("127.0.0.1", 0))[0]),
        scope["http_version"],
    )


async def _say(send: Send, status: int, content: dict[str, str] | None) -> None:
    """Answer in the URL's own words; what the function said of its error is not for clients."""
    body = b"Internal Server Error" if content is None else json.dumps(content).encode()
    headers = [(b"content-type", b"text/plain")] if content is None else _JSON
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
