"""Connections that are kept open between requests: by origin, the last used first, and no more than so many."""

import asyncio
import time
from collections import deque
from typing import NamedTuple

from channeling.http1.connection import Connection
from channeling.http1.errors import NotSent, TooManyConnections
from channeling.http1.request_head import Origin


class _Turn(NamedTuple):
    """Who waits: for a connection that rests, or (None) for leave to open one."""

    origin: Origin
    granted: "asyncio.Future[Connection | None]"


class ConnectionPool:
    """Counts every connection, and keeps those that rest. Whoever takes one gives it back.

    Who waits is served in order: a connection that comes free goes to the first in the queue, not to whoever asks
    next. A connection that the server closes while it rests is forgotten at once (`forget`).
    """

    def __init__(self, *, max_connections: int, max_idle_connections: int, idle_s: float) -> None:
        self._max_connections = max_connections
        self._max_idle_connections = max_idle_connections
        self._idle_s = idle_s
        self._idle: dict[Origin, deque[Connection]] = {}
        self._idle_count = 0
        self._busy: set[Connection] = set()
        self._connecting = 0
        self._queue: deque[_Turn] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    def take(self, origin: Origin) -> Connection | None:
        """Return a connection that rests and can be used, or None; None too while others wait for one."""
        return None if self._queue else self._resting(origin)

    async def claim(self, origin: Origin, timeout_s: float) -> Connection | None:
        """Return a connection that rests, or None for leave to open one: `add` or `give_up` must follow.

        Raises TooManyConnections, or NotSent where the pool was closed.
        """
        if self._is_closed:
            raise NotSent("the client was closed")
        if not self._queue:
            if (connection := self._resting(origin)) is not None:
                return connection
            if self._has_room():
                self._connecting += 1
                return None
        turn = _Turn(origin, asyncio.get_running_loop().create_future())
        self._queue.append(turn)
        try:
            async with asyncio.timeout(timeout_s):
                return await turn.granted
        except TimeoutError:
            self._take_back(turn)
            raise TooManyConnections("every connection is in use") from None
        except asyncio.CancelledError:
            self._take_back(turn)
            raise

    def give_up(self) -> None:
        """No connection came of what was claimed."""
        self._connecting -= 1
        self._serve_queue()

    def add(self, connection: Connection) -> None:
        """A connection came of what was claimed, and is in use; raise NotSent where the pool was closed."""
        self._connecting -= 1
        if self._is_closed:
            connection.abort()
            raise NotSent("the client was closed")
        connection.on_lost = self.forget
        self._busy.add(connection)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose response was read to its end; close any other. May be called twice."""
        if connection not in self._busy:
            return
        self._busy.discard(connection)
        if connection.is_done and self._idle_count < self._max_idle_connections and not self._is_closed:
            connection.rest()
            self._idle.setdefault(connection.origin, deque()).append(connection)
            self._idle_count += 1
            self._sweep_in(self._idle_s)
        else:
            connection.abort()
        if self._queue:
            self._serve_queue()

    def forget(self, connection: Connection) -> None:
        """Count a connection no more that has been closed while it rested."""
        resting = self._idle.get(connection.origin)
        if resting is not None and connection in resting:
            resting.remove(connection)
            self._idle_count -= 1
            if not resting:
                del self._idle[connection.origin]
            self._serve_queue()

    def drop(self) -> None:
        """Close every connection; the requests under way end with ConnectionBroken."""
        for connection in [*self._busy, *(one for resting in self._idle.values() for one in resting)]:
            connection.abort()
        self._idle.clear()
        self._idle_count = 0
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def close(self) -> None:
        """Close every connection and open no more; who waits for one is told."""
        self._is_closed = True
        self.drop()
        while self._queue:
            granted = self._queue.popleft().granted
            if not granted.done():
                granted.set_exception(NotSent("the client was closed"))

    def _resting(self, origin: Origin) -> Connection | None:
        while resting := self._idle.get(origin):
            connection = resting.pop()
            self._idle_count -= 1
            if not resting:
                del self._idle[origin]
            is_fresh = time.monotonic() - connection.idle_since_s < self._idle_s
            if is_fresh and connection.is_usable():
                self._busy.add(connection)
                return connection
            connection.abort()
        return None

    def _has_room(self) -> bool:
        """Say whether one more may be opened, closing the one that has rested longest if that makes room."""
        if len(self._busy) + self._connecting + self._idle_count < self._max_connections:
            return True
        if not self._idle_count:
            return False
        self._close_oldest()
        return True

    def _serve_queue(self) -> None:
        while self._queue:
            origin, granted = self._queue[0]
            connection = None
            if not granted.done():
                connection = self._resting(origin)
                if connection is None:
                    if not self._has_room():
                        return
                    self._connecting += 1
                granted.set_result(connection)
            self._queue.popleft()

    def _take_back(self, turn: _Turn) -> None:
        """Somebody waits no more: what was granted at the same moment is somebody else's now."""
        granted = turn.granted
        if not granted.done() or granted.cancelled() or granted.exception() is not None:
            granted.cancel()
            if turn in self._queue:
                self._queue.remove(turn)
            return
        connection = granted.result()
        if connection is None:
            self.give_up()
        else:
            self.give_back(connection)

    def _close_oldest(self) -> None:
        origin = min(self._idle, key=lambda origin: self._idle[origin][0].idle_since_s)
        oldest = self._idle[origin].popleft()
        self._idle_count -= 1
        if not self._idle[origin]:
            del self._idle[origin]
        oldest.abort()

    def _sweep_in(self, delay_s: float) -> None:
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(delay_s, self._sweep_idle)

    def _sweep_idle(self) -> None:
        """Close what has rested too long: the server would, and nothing else may ever ask for it."""
        self._sweep = None
        now_s = time.monotonic()
        while self._idle_count:
            rested_s = now_s - min(resting[0].idle_since_s for resting in self._idle.values())
            if rested_s < self._idle_s:
                self._sweep_in(self._idle_s - rested_s + 0.01)
                return
            self._close_oldest()
