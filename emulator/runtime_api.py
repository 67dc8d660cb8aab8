"""Lambda's side of the Runtime API for one execution environment, on a loopback port.

Unlike AWS's own emulator it takes answers as they are written, and as many invocations at a time as asked for.
Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes" (version 2018-06-01), and its
section on response streaming for custom runtimes.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import Callable
from typing import Any

from emulator.answer import FunctionFailed
from emulator.invocation import Invocation

ARN = "arn:aws:lambda:us-east-1:111122223333:function:messages"
_PREFIX = "/2018-06-01/runtime/"
_PIECE_BYTES_MAX = 65_536


class RuntimeApi:
    """Hands invocations to a runtime and takes its answers. `on_change` is called when it asks for another one,
    takes one, or ends one."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.init_error: dict[str, Any] | None = None
        self.waiting = 0
        self.under_way: dict[str, Invocation] = {}
        # What `next` answers in place of an invocation, for as long as it is set.
        self.next_status: int | None = None
        self._on_change = on_change
        self._queue: asyncio.Queue[Invocation] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen; return host:port."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def invoke(self, invocation: Invocation) -> None:
        """Queue an invocation for the next `next`."""
        self.under_way[invocation.request_id] = invocation
        self._queue.put_nowait(invocation)

    def end_all(self, failure: FunctionFailed) -> None:
        """End what is under way: the process is gone."""
        for invocation in self.under_way.values():
            invocation.end(failure)
        self.under_way.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs each connection in a task
        self._tasks.add(task)
        try:
            while await self._call(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # The runtime closed its end, or died.
        except asyncio.CancelledError:
            pass  # close(); asyncio would print a cancelled handler of a connection.
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        method, path, headers = await _read_head(reader)
        match method, path.removeprefix(_PREFIX).split("/"):
            case "GET", ["invocation", "next"]:
                return await self._next(reader, writer)
            case "POST", ["invocation", request_id, "response"]:
                await self._take_response(request_id, headers, reader)
            case "POST", ["invocation", request_id, "error"]:
                error = _json_or_text(await _read_body(reader, headers))
                self._end(request_id, FunctionFailed(error))
            case "POST", ["init", "error"]:
                self.init_error = _json_or_text(await _read_body(reader, headers))
                self._on_change()
            case _:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                return False
        writer.write(b'HTTP/1.1 202 Accepted\r\nContent-Length: 15\r\n\r\n{"status":"OK"}')
        return True

    async def _next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self.next_status is not None:
            writer.write(f"HTTP/1.1 {self.next_status} Error\r\nContent-Length: 0\r\n\r\n".encode())
            return True
        self.waiting += 1
        self._on_change()
        # A runtime that closes its connection must not take an invocation with it.
        gone = asyncio.ensure_future(reader.read(1))
        taking = asyncio.ensure_future(self._queue.get())
        try:
            await asyncio.wait({gone, taking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.waiting -= 1
            gone.cancel()
            if not taking.done():
                taking.cancel()
        if not taking.done() or taking.cancelled():
            return False
        await asyncio.gather(gone, return_exceptions=True)
        invocation = taking.result()
        lines = [
            "HTTP/1.1 200 OK",
            "Content-Type: application/json",
            f"Lambda-Runtime-Aws-Request-Id: {invocation.request_id}",
            f"Lambda-Runtime-Deadline-Ms: {invocation.deadline_ms}",
            f"Lambda-Runtime-Invoked-Function-Arn: {ARN}",
            f"Lambda-Runtime-Trace-Id: {invocation.trace_id}",
            f"Content-Length: {len(invocation.event)}",
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode() + invocation.event)
        return True

    async def _take_response(
        self, request_id: str, headers: dict[str, str], reader: asyncio.StreamReader
    ) -> None:
        invocation = self.under_way.get(request_id)
        if invocation is None:
            raise ConnectionError("an answer to nothing that is under way")
        if headers.get("lambda-runtime-function-response-mode") != "streaming":
            await invocation.take_whole(await _read_body(reader, headers))
            self._end(request_id)
            return
        while size := int(await reader.readuntil(b"\r\n"), 16):
            while size:
                piece = await reader.read(min(size, _PIECE_BYTES_MAX))
                if not piece:
                    raise ConnectionError("the answer is cut off")
                size -= len(piece)
                await invocation.take(piece)
            await reader.readexactly(2)
        trailers = await _read_fields(reader)
        error = trailers.get("lambda-runtime-function-error-body")
        self._end(request_id, FunctionFailed(_json_or_text(base64.b64decode(error))) if error else None)

    def _end(self, request_id: str, failure: FunctionFailed | None = None) -> None:
        invocation = self.under_way.pop(request_id, None)
        if invocation is not None:
            invocation.end(failure)
        self._on_change()


def _json_or_text(payload: bytes) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(payload)
    return payload.decode(errors="replace")


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await _read_fields(reader)
    return body


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]]:
    method, path, _ = (await reader.readuntil(b"\r\n")).decode().split()
    return method, path, await _read_fields(reader)


async def _read_fields(reader: asyncio.StreamReader) -> dict[str, str]:
    fields: dict[str, str] = {}
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.lower()] = value.strip()
    return fields
