"""DynamoDB's stand-in as a process: `python -m bench.dynamodb [--port N] [--latency-ms N]`.

It speaks DynamoDB's JSON protocol over HTTP/1.1, checks no signature, and prints `{"port": N}` once it listens.
Each answer leaves `--latency-ms` after its request came, however many wait.
"""

import argparse
import asyncio
import gc
import re
import socket
import sys
import zlib
from typing import Any

import orjson
import uvloop

from bench.dynamodb.operations import Store
from bench.dynamodb.rejection import Rejected, invalid

_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"x-amz-target:\s*(\w+)\.(\w+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """One keep-alive connection; clients send the next request after the answer."""

    def __init__(self, store: Store, latency_s: float, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._latency_s = latency_s
        self._loop = loop
        self._received = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._received = self._received + data if self._received else data
        while self._received:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._received, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < whole:
                return
            head, body = self._received[:end], self._received[end + 4 : whole]
            self._received = self._received[whole:]
            answer = self._answer(head, body)
            if self._latency_s:
                self._loop.call_later(self._latency_s, self._transport.write, answer)
            else:
                self._transport.write(answer)

    def _answer(self, head: bytes, body: bytes) -> bytes:
        status = b"200 OK"
        try:
            content = self._carry_out(head, body)
        except Rejected as rejected:
            status = b"400 Bad Request"
            kind = f"com.amazonaws.dynamodb.v20120810#{rejected.kind}"
            content = {"__type": kind, "message": rejected.message, **rejected.fields}
        payload = orjson.dumps(content)
        return (
            b"HTTP/1.1 %b\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: %d\r\n"
            b"x-amzn-requestid: BENCH\r\nx-amz-crc32: %d\r\n\r\n%b"
            % (status, len(payload), zlib.crc32(payload), payload)
        )

    def _carry_out(self, head: bytes, body: bytes) -> dict[str, Any]:
        target = _TARGET.search(head)
        if target is None:
            raise invalid("a request without x-amz-target")
        try:
            asked = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Rejected("SerializationException", str(error)) from error
        if target[1] == b"Bench":
            self._store.clone(asked["TableName"], (asked["pk"], asked["sk"]), asked["Count"])
            return {}
        try:
            return self._store.answer(target[2].decode(), asked)
        except (KeyError, TypeError, AttributeError) as error:
            raise invalid(f"a parameter is missing or of another type: {error!r}") from error


async def _serve(port: int, latency_ms: float, ends_with_stdin: bool) -> None:
    loop = asyncio.get_running_loop()
    store = Store()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        server = await loop.create_server(
            lambda: Connection(store, latency_ms / 1000, loop), sock=listener, backlog=1024
        )
        sys.stdout.write(f'{{"port": {listener.getsockname()[1]}}}\n')
        sys.stdout.flush()
        # Nothing here makes cycles, and looking for some in a million items takes seconds.
        gc.disable()
        if ends_with_stdin:
            await loop.run_in_executor(None, sys.stdin.buffer.read)
        else:
            await asyncio.Event().wait()
        server.close()


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m bench.dynamodb", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 takes a free one")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--ends-with-stdin", action="store_true", help="end when the standard input does")
    options = parser.parse_args()
    try:
        uvloop.run(_serve(options.port, options.latency_ms, options.ends_with_stdin))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
