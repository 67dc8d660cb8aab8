"""A server that sends scripted bytes, right or wrong, and records the requests that reached it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from channeling.http1.client import HttpClient, HttpResponse

LIMIT_S = 60
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


@dataclass
class Peer:
    """One accepted connection, from the server's side."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: list[bytes]

    async def request(self) -> bytes:
        """Return the next request, head and body; raises IncompleteReadError at the connection's end."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lengths = [
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")
        ]
        body = await self.reader.readexactly(sum(lengths))
        self.requests.append(head + body)
        return head + body

    async def send(self, *pieces: bytes) -> None:
        """Send pieces, each by itself as far as the network lets them be."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def until_closed(self) -> None:
        """Wait until the client has closed the connection, whatever it sends before."""
        while await self.reader.read(65536):
            pass


Handler = Callable[[Peer], Awaitable[None]]


@dataclass
class RawServer:
    """What a server has seen."""

    port: int = 0
    host: str = "127.0.0.1"
    scheme: str = "http"
    accepted: int = 0
    ended: int = 0
    requests: list[bytes] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/"

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds of the connections accepted and ended."""
        async with asyncio.timeout(LIMIT_S), self.changed:
            await self.changed.wait_for(holds)


@asynccontextmanager
async def serving(
    handler: Handler,
    *,
    host: str = "127.0.0.1",
    name: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[RawServer]:
    """Serve every connection by `handler`, and close it when that returns; `name` is the URL's host."""
    seen = RawServer(host=name or (f"[{host}]" if ":" in host else host), scheme="https" if tls else "http")
    tasks = set[asyncio.Task[None]]()

    async def serve(peer: Peer) -> None:
        async with seen.changed:
            seen.accepted += 1
            seen.peers.append(peer)
            seen.changed.notify_all()
        try:
            await handler(peer)
            peer.writer.close()
            await peer.writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            peer.writer.transport.abort()
            async with seen.changed:
                seen.ended += 1
                seen.changed.notify_all()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(Peer(reader, writer, seen.requests)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, host, 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def scripted(*pieces: bytes, stays: bool = False) -> Handler:
    """Answer every request of a connection with these pieces; without `stays` close it after the first."""

    async def answer(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(*pieces)
            if not stays:
                return

    return answer


@asynccontextmanager
async def client_of(**options: object) -> AsyncIterator[HttpClient]:
    """A client that is closed at the end."""
    client = HttpClient(**options)  # type: ignore[arg-type] # whatever the test gives
    try:
        yield client
    finally:
        await client.aclose()
        await turns()


async def sent(client: HttpClient, url: str, body: bytes = b"", method: str = "POST") -> HttpResponse:
    """Send a request and return its response."""
    async with asyncio.timeout(LIMIT_S):
        return await client.send(method, url, [], body)


async def ask(client: HttpClient, url: str, body: bytes = b"", method: str = "POST") -> bytes:
    """Send a request and return the body of its response."""
    async with asyncio.timeout(LIMIT_S):
        return await (await client.send(method, url, [], body)).read(max_bytes=100_000_000)


async def turns(rounds: int = 5) -> None:
    """Let the loop go round."""
    for _ in range(rounds):
        await asyncio.sleep(0)
