"""What the stand-ins for providers share: a real HTTP server on loopback that tells what it saw.

It runs on a thread with an event loop of its own, so that blocking and asyncio tests can both use it. Tests wait on
conditions: `wait_until` (blocking; from asyncio: `await asyncio.to_thread(upstream.wait_until, ...)`).
"""

import argparse
import asyncio
import base64
import contextlib
import socket
import sys
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar
from urllib.parse import parse_qs

import orjson

from tests.stand_ins.raw_http import ClientLeft, Connection, RecordedRequest, read_request, send_whole

S = TypeVar("S")


@dataclass(slots=True)
class UpstreamServer(ABC, Generic[S]):
    """The running server; its script can be changed at any time.

    A provider's own says what its scripts are called (`named`, by `script_header` or a model that begins with
    `script_model`), which one is used where none was set (`plain`), and how one becomes an answer (`answer`).
    """

    script: S | None = None
    port: int = 0
    requests: list[RecordedRequest] = field(default_factory=list)
    connections: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _queue: list[S] = field(default_factory=list)
    _named: Counter[str] = field(default_factory=Counter)
    _released: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _gate: asyncio.Condition = field(default_factory=asyncio.Condition)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _thread: threading.Thread | None = None

    script_header: ClassVar[str]
    script_model: ClassVar[str]

    @property
    @abstractmethod
    def named(self) -> Mapping[str, tuple[S, ...]]:
        """The scripts by name: several in a row answer one request each; the last one stays."""

    @property
    @abstractmethod
    def plain(self) -> S:
        """The script of a request for which none was set."""

    @abstractmethod
    async def answer(self, connection: Connection, request: RecordedRequest) -> None:
        """Answer a request."""

    @property
    def base_url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, name="upstream", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join(10)
        self._loop.close()

    def reset(self) -> None:
        """Forget what was seen, queued and released, and say the plain answer again."""
        with self._changed:
            self.requests = []
        self.script, self._queue, self._released = None, [], 0
        self._named.clear()

    def then(self, *scripts: S) -> None:
        """Answer the next requests with these scripts, one each, before the standing one is used again."""
        self._queue.extend(scripts)

    def release(self, pieces: int = sys.maxsize) -> None:
        """Let gated answers send this many more pieces of content, between them."""

        async def release() -> None:
            async with self._gate:
                self._released += pieces
                self._gate.notify_all()

        asyncio.run_coroutine_threadsafe(release(), self._loop).result(10)

    def wait_until(self, holds: Callable[[list[RecordedRequest]], bool], timeout_s: float = 20.0) -> None:
        """Block until a condition on the recorded requests holds; raise TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self.requests), timeout_s):
                raise TimeoutError(f"the stand-in saw only {self.requests}")

    async def _start(self) -> None:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, limit=64 * 1024 * 1024
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        """Close every connection, one that is just being accepted too: nothing may be left to the collector.

        The first turns are for those: CPython 3.11 fails to make a transport of a socket that was accepted before
        the server was closed (`Server._attach` asserts that it is open), and leaves the socket open.
        """
        await _let_the_loop_turn()
        if self._server is not None:
            self._server.close()
        await _let_the_loop_turn()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await _let_the_loop_turn()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def note(self, request: RecordedRequest, **changes: Any) -> None:
        with self._changed:
            for name, value in changes.items():
                setattr(request, name, value)
            self._changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = Connection(self.connections, reader, writer)
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, ClientLeft, asyncio.CancelledError
        ):
            while (request := await read_request(connection)) is not None:
                if request.path.startswith("/stand-in/"):
                    await self._control(connection, request)
                    continue
                with self._changed:
                    self.requests.append(request)
                    self._changed.notify_all()
                await self._answer_watched(connection, request)
        writer.transport.abort()
        self._writers.discard(writer)

    async def _answer_watched(self, connection: Connection, request: RecordedRequest) -> None:
        """Answer while listening for the client's leaving; a byte of its next request is kept for that."""
        watch = asyncio.ensure_future(connection.reader.read(1))
        answer = asyncio.ensure_future(self.answer(connection, request))
        try:
            await asyncio.wait({watch, answer}, return_when=asyncio.FIRST_COMPLETED)
            if watch.done() and not _byte_of(watch):
                answer.cancel()
                await asyncio.gather(answer, return_exceptions=True)
                if not request.answered:
                    self.note(request, client_left=True)
                raise ClientLeft
            await answer
        except ConnectionError:
            self.note(request, client_left=True)
            raise
        finally:
            answer.cancel()
            if watch.done():
                connection.unread = _byte_of(watch)
            else:
                watch.cancel()
            await asyncio.gather(watch, answer, return_exceptions=True)

    async def _control(self, connection: Connection, request: RecordedRequest) -> None:
        if request.path == "/stand-in/release":
            count = int(parse_qs(request.query).get("count", ["1000000"])[0])
            async with self._gate:
                self._released += count
                self._gate.notify_all()
            await send_whole(connection, 200, b"{}", [("content-type", "application/json")])
            return
        listing = [
            {
                "method": seen.method,
                "path": seen.path,
                "query": seen.query,
                "headers": seen.headers,
                "body_base64": base64.b64encode(seen.body).decode(),
                "client_left": seen.client_left,
                "answered": seen.answered,
                "pieces_sent": seen.pieces_sent,
            }
            for seen in self.requests
        ]
        await send_whole(connection, 200, orjson.dumps(listing), [("content-type", "application/json")])

    def script_for(self, request: RecordedRequest, model: str) -> S:
        """Return the script that answers a request."""
        name = request.header(self.script_header)
        if name is None and model.startswith(self.script_model):
            name = model.removeprefix(self.script_model)
        if name is not None:
            scripts = self.named[name]
            self._named[name] += 1
            return scripts[min(self._named[name], len(scripts)) - 1]
        if self._queue:
            return self._queue.pop(0)
        return self.script if self.script is not None else self.plain

    async def pass_gate(self) -> None:
        """Wait until another piece of content may be sent."""
        async with self._gate:
            await self._gate.wait_for(lambda: self._released > 0)
            self._released -= 1


async def _let_the_loop_turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def closed_port_url() -> str:
    """Return the address of a port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _byte_of(watch: asyncio.Future[bytes]) -> bytes:
    return b"" if watch.cancelled() or watch.exception() is not None else watch.result()


def serve_until_input_ends(start: Callable[[int], "UpstreamServer[Any]"]) -> None:
    """Serve as a process of its own until standard input ends; `start` gets the port that was asked for."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, default=0)
    with start(arguments.parse_args().port) as upstream:
        sys.stdout.write(orjson.dumps({"base_url": upstream.base_url}).decode() + "\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.read()
