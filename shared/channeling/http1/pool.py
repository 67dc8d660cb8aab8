"""Connections that are kept open between requests: by origin, the last used first, and no more than so many."""

import asyncio
import time
from collections import deque

from channeling.http1.connection import Connection
from channeling.http1.errors import TooManyConnections
from channeling.http1.request_head import Origin


class ConnectionPool:
    """Counts every connection, and keeps those that rest. Whoever `take`s or `claim`s one gives it back or up."""

    def __init__(self, *, max_connections: int, max_idle_connections: int, idle_s: float) -> None:
        self._max_connections = max_connections
        self._max_idle_connections = max_idle_connections
        self._idle_s = idle_s
        self._idle: dict[Origin, deque[Connection]] = {}
        self._idle_count = 0
        self._busy: set[Connection] = set()
        self._connecting = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take(self, origin: Origin) -> Connection | None:
        """Return a connection that rests and can be used, or None."""
        resting = self._idle.get(origin)
        while resting:
            connection = resting.pop()
            self._idle_count -= 1
            is_fresh = time.monotonic() - connection.idle_since_s < self._idle_s
            if is_fresh and connection.is_usable():
                self._busy.add(connection)
                return connection
            connection.abort()
        self._idle.pop(origin, None)
        return None

    async def claim(self, origin: Origin, timeout_s: float) -> Connection | None:
        """Wait until one more connection may be opened, or until one to this origin rests, which is then returned;
        raise TooManyConnections. Where it is None, `add` or `give_up` must follow."""
        while len(self._busy) + self._connecting + self._idle_count >= self._max_connections:
            if self._idle_count:
                self._close_oldest()
                continue
            await self._turn(timeout_s)
            if (connection := self.take(origin)) is not None:
                return connection
        self._connecting += 1
        return None

    async def _turn(self, timeout_s: float) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._wake_one()  # it came at the same moment, and is somebody else's now
            if isinstance(error, TimeoutError):
                raise TooManyConnections("every connection is in use") from None
            raise

    def give_up(self) -> None:
        """No connection came of what was claimed."""
        self._connecting -= 1
        self._wake_one()

    def add(self, connection: Connection) -> None:
        """A connection came of what was claimed, and is in use."""
        self._connecting -= 1
        self._busy.add(connection)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose response was read to its end; close any other. May be called twice."""
        if connection not in self._busy:
            return
        self._busy.discard(connection)
        if connection.is_done and self._idle_count < self._max_idle_connections:
            connection.rest()
            self._idle.setdefault(connection.origin, deque()).append(connection)
            self._idle_count += 1
        else:
            connection.abort()
        self._wake_one()

    def close(self) -> None:
        """Close every connection; the requests under way end with ConnectionBroken."""
        for connection in [*self._busy, *(one for resting in self._idle.values() for one in resting)]:
            connection.abort()
        self._idle.clear()
        self._idle_count = 0

    def _close_oldest(self) -> None:
        origin = min(self._idle, key=lambda origin: self._idle[origin][0].idle_since_s)
        self._idle[origin].popleft().abort()
        self._idle_count -= 1
        if not self._idle[origin]:
            del self._idle[origin]

    def _wake_one(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
