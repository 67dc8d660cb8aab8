"""A relay before the gateway that notes which requests a client makes, also those that reach no upstream, and the
status of each answer."""

import contextlib
import re
import socket
import socketserver
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_REQUEST_LINE = re.compile(rb"(GET|HEAD|POST) (\S+) HTTP/1\.1\r\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_PIECE_BYTES = 65_536


class CountingRelay:
    """`with CountingRelay(base_url) as relay:` passes bytes on, both ways; `requests` are the request lines."""

    def __init__(self, base_url: str) -> None:
        address = urlsplit(base_url)
        self._target = (address.hostname or "", address.port or 80)
        self._changed = threading.Condition()
        self._upward: list[bytearray] = []
        self._downward: list[bytearray] = []
        self._clients: list[socket.socket] = []

    @property
    def requests(self) -> list[str]:
        """What was asked for so far, such as `POST /v1/messages?beta=true`."""
        with self._changed:
            return [
                f"{method.decode()} {path.decode()}"
                for connection in self._upward
                for method, path in _REQUEST_LINE.findall(connection)
            ]

    @property
    def statuses(self) -> list[int]:
        """The HTTP statuses of the answers so far, those of one connection after those of the one before."""
        with self._changed:
            return self._read_statuses()

    def wait_for_status(self, status: int, timeout_s: float = 30.0) -> None:
        """Return once an answer with that status has come down; raise TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: status in self._read_statuses(), timeout_s):
                raise TimeoutError(f"no {status} came down, but {self._read_statuses()}")

    def _read_statuses(self) -> list[int]:
        return [int(status) for seen in self._downward for status in _STATUS_LINE.findall(seen)]

    def __enter__(self) -> Self:
        relay = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                relay._carry(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="relay")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join(10)
        with self._changed:
            clients = list(self._clients)
        # A client that keeps its connections open would have the closing wait for as long as it lives.
        for client in clients:
            _shut(client)
        self._server.server_close()

    def _carry(self, client: socket.socket) -> None:
        upward, downward = bytearray(), bytearray()
        with self._changed:
            self._upward.append(upward)
            self._downward.append(downward)
            self._clients.append(client)
        with socket.create_connection(self._target) as gateway:
            down = threading.Thread(target=self._pump, args=(gateway, client, downward), name="relay-down")
            down.start()
            self._pump(client, gateway, upward)
            down.join(20)

    def _pump(self, source: socket.socket, target: socket.socket, seen: bytearray) -> None:
        try:
            while piece := source.recv(_PIECE_BYTES):
                with self._changed:
                    seen += piece
                    self._changed.notify_all()
                target.sendall(piece)
        except OSError:
            pass  # one side is gone, which ends the other: the gateway is to see a client that has left
        _shut(target)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may be closed already
        connection.shutdown(socket.SHUT_RDWR)
