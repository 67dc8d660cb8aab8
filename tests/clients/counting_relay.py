"""A relay before the gateway that notes which requests a client makes: also those that reach no upstream."""

import contextlib
import re
import socket
import socketserver
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_REQUEST_LINE = re.compile(rb"(GET|HEAD|POST) (\S+) HTTP/1\.1\r\n")
_PIECE_BYTES = 65_536


class CountingRelay:
    """`with CountingRelay(base_url) as relay:` passes bytes on, both ways; `requests` are the request lines."""

    def __init__(self, base_url: str) -> None:
        address = urlsplit(base_url)
        self._target = (address.hostname or "", address.port or 80)
        self._lock = threading.Lock()
        self._upward: list[bytearray] = []

    @property
    def requests(self) -> list[str]:
        """What was asked for so far, such as `POST /v1/messages?beta=true`."""
        with self._lock:
            return [
                f"{method.decode()} {path.decode()}"
                for connection in self._upward
                for method, path in _REQUEST_LINE.findall(connection)
            ]

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
        self._server.server_close()

    def _carry(self, client: socket.socket) -> None:
        seen = bytearray()
        with self._lock:
            self._upward.append(seen)
        with socket.create_connection(self._target) as gateway:
            downward = threading.Thread(target=_pump, args=(gateway, client), name="relay-down")
            downward.start()
            try:
                while piece := client.recv(_PIECE_BYTES):
                    with self._lock:
                        seen += piece
                    gateway.sendall(piece)
            except OSError:
                pass  # the client reset the connection: the gateway is to see that it has left
            _shut(gateway)
            downward.join(20)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(_PIECE_BYTES):
            target.sendall(piece)
    except OSError:
        pass  # one side is gone, which ends the other
    _shut(target)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may be closed already
        connection.shutdown(socket.SHUT_RDWR)
