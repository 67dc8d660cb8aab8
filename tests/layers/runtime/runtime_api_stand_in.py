"""A stand-in for the Lambda Runtime API that shows each chunk of an answer when it arrives, not at the end."""

import asyncio
import base64
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PRELUDE_END = b"\0" * 8
ARN = "arn:aws:lambda:eu-west-1:111122223333:function:messages"
FUNCTION_URL_HOST = "abc123.lambda-url.eu-west-1.on.aws"
FAR_MS = 4_000_000_000_000


def event(
    path: str = "/",
    *,
    method: str = "GET",
    query: str = "",
    headers: dict[str, str] | None = None,
    body: str | None = None,
    domain: str | None = FUNCTION_URL_HOST,
    stage: str = "$default",
    **more: Any,
) -> dict[str, Any]:
    """Return a function URL's event, payload format 2.0; with another `domain`, an HTTP API's."""
    host = domain or "localhost"
    whole = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": host, "x-forwarded-proto": "https", "x-forwarded-port": "443"} | (headers or {}),
        "requestContext": {
            "domainName": domain,
            "stage": stage,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7"},
        },
        "isBase64Encoded": False,
    }
    if body is not None:
        whole["body"] = body
    return whole | more


def rest_event(
    path: str = "/", *, method: str = "GET", stage_path: str | None = None, **more: Any
) -> dict[str, Any]:
    """Return a REST API's event, payload format 1.0."""
    host = "h.execute-api.eu-west-1.amazonaws.com"
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {"Host": host},
        "multiValueHeaders": {"Host": [host]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {
            "path": stage_path or path,
            "stage": "prod",
            "protocol": "HTTP/1.1",
            "identity": {"sourceIp": "192.0.2.7"},
        },
        "body": None,
        "isBase64Encoded": False,
    } | more


@dataclass(slots=True)
class Invocation:
    """One queued event and everything that came back for it."""

    request_id: str
    event_json: bytes
    headers: dict[str, str]
    reading: asyncio.Event
    refuse_with: bytes | None = None
    response_headers: dict[str, str] = field(default_factory=dict)
    chunks: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    trailers: dict[str, str] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    body_bytes: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def prelude(self) -> dict[str, Any]:
        """Return the answer's prelude, which is a chunk of its own."""
        chunk = await self.chunks.get()
        assert chunk.endswith(PRELUDE_END)
        parsed: dict[str, Any] = json.loads(chunk.removesuffix(PRELUDE_END))
        return parsed

    async def body(self) -> bytes:
        """Return what is left of the answer, once it is over."""
        await self.over.wait()
        return b"".join(self.chunks.get_nowait() for _ in range(self.chunks.qsize()))

    async def answer(self) -> dict[str, Any]:
        """Return a buffered answer, which came in one piece."""
        parsed: dict[str, Any] = json.loads(await self.body())
        assert "lambda-runtime-function-response-mode" not in self.response_headers
        return parsed

    def trailer_error(self) -> dict[str, Any]:
        """Return the error object of the trailers."""
        parsed: dict[str, Any] = json.loads(
            base64.b64decode(self.trailers["lambda-runtime-function-error-body"])
        )
        return parsed


class RuntimeApiStandIn:
    """Serves /next, /response, /error, /init/error and /restore on a loopback port."""

    def __init__(self) -> None:
        self.init_error: dict[str, Any] | None = None
        self.restore_error: dict[str, Any] | None = None
        self.restore = asyncio.Event()
        self.calls: list[str] = []
        self.connections = 0
        self.close_after_next = False
        self.next_statuses: list[int] = []
        self.response_status = 202
        self.error_status = 202
        self._moved = asyncio.Condition()
        self._waiting: set[asyncio.StreamWriter] = set()
        self._queue: asyncio.Queue[Invocation] = asyncio.Queue()
        self._invocations: dict[str, Invocation] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen; return host:port."""
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        self._server = await asyncio.start_server(self._connected, sock=listener)
        host, port = listener.getsockname()
        return f"{host}:{port}"

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def drop_waiting(self) -> None:
        """Break the connections that wait for an invocation, once there are any."""
        await self.until(lambda: bool(self._waiting))
        for writer in self._waiting:
            writer.transport.abort()
        self._waiting.clear()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds that this stand-in changes as it answers."""
        async with self._moved:
            await self._moved.wait_for(holds)

    def invoke(
        self,
        what: dict[str, Any] | bytes,
        *,
        deadline_ms: int = FAR_MS,
        paused: bool = False,
        refuse_with: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Invocation:
        """Queue an event. `paused`: read nothing of its answer's body until `reading` is set; `refuse_with`:
        answer with these bytes once its prelude came, and close."""
        reading = asyncio.Event()
        if not paused:
            reading.set()
        request_id = f"request-{len(self._invocations)}"
        context = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
            "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
        } | (headers or {})
        event_json = what if isinstance(what, bytes) else json.dumps(what).encode()
        invocation = Invocation(request_id, event_json, context, reading, refuse_with)
        self._invocations[request_id] = invocation
        self._queue.put_nowait(invocation)
        return invocation

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._call(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # The runtime closed its end.
        except asyncio.CancelledError:
            pass  # close() of this stand-in; asyncio would print a cancelled connection handler.
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        method, path, headers = await _head(reader)
        self.calls.append(f"{method} {path}")
        parts = path.removeprefix("/2018-06-01/runtime/").split("/")
        match parts:
            case ["invocation", "next"]:
                return await self._next(writer)
            case ["restore", "next"]:
                await self.restore.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                return True
            case ["invocation", request_id, "response"]:
                return await self._take_response(self._invocations[request_id], headers, reader, writer)
        error = json.loads(await reader.readexactly(int(headers["content-length"])))
        match parts:
            case ["invocation", request_id, "error"]:
                invocation = self._invocations[request_id]
                invocation.error, invocation.response_headers = error, headers
                invocation.over.set()
            case ["init", "error"]:
                self.init_error = error
            case ["restore", "error"]:
                self.restore_error = error
            case _:
                raise AssertionError(f"the Runtime API has no {path}")
        writer.write(f"HTTP/1.1 {self.error_status} X\r\nContent-Length: 0\r\n\r\n".encode())
        return True

    async def _next(self, writer: asyncio.StreamWriter) -> bool:
        if self.next_statuses:
            status = self.next_statuses.pop(0)
            async with self._moved:
                self._moved.notify_all()
            writer.write(f"HTTP/1.1 {status} Error\r\nContent-Length: 0\r\n\r\n".encode())
            return True
        self._waiting.add(writer)
        async with self._moved:
            self._moved.notify_all()
        invocation = await self._queue.get()
        self._waiting.discard(writer)
        lines = [f"{name}: {value}" for name, value in invocation.headers.items()]
        lines.append(f"Content-Length: {len(invocation.event_json)}")
        writer.write("\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode() + invocation.event_json)
        return True

    async def _take_response(
        self,
        invocation: Invocation,
        headers: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        invocation.response_headers = headers
        if "content-length" in headers:
            invocation.chunks.put_nowait(await reader.readexactly(int(headers["content-length"])))
            invocation.over.set()
            writer.write(f"HTTP/1.1 {self.response_status} X\r\nContent-Length: 0\r\n\r\n".encode())
            return True
        invocation.chunks.put_nowait(await _chunk(reader))
        if invocation.refuse_with is not None:
            writer.write(invocation.refuse_with)
            return False
        await invocation.reading.wait()
        while chunk := await _chunk(reader):
            invocation.body_bytes += len(chunk)
            invocation.chunks.put_nowait(chunk)
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            name, _, value = line.decode().partition(":")
            invocation.trailers[name.lower()] = value.strip()
        invocation.over.set()
        if self.close_after_next:
            writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            return False
        status = f"HTTP/1.1 {self.response_status} X\r\nContent-Length: 16\r\n\r\n"
        writer.write(status.encode() + b'{"status":"OK"}\n')
        return True


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    size = int(await reader.readuntil(b"\r\n"), 16)
    if size == 0:
        return b""
    chunk = await reader.readexactly(size)
    assert await reader.readexactly(2) == b"\r\n"
    return chunk


async def _head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]]:
    method, path, version = (await reader.readuntil(b"\r\n")).decode().split()
    assert version == "HTTP/1.1"
    headers: dict[str, str] = {}
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return method, path, headers
