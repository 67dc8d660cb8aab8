"""Reading a provider's chunks ahead of whoever passes them on, who is woken by whatever comes first.

Where a response's waits can be ended from outside, as those over HTTP can, its connection reads ahead by itself and
is waited for directly. Any other is read by a task.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from channeling.call import Limits
from channeling.errors import UpstreamFailed
from channeling.http1.errors import Interrupted
from channeling.limited_wait import Silence, cancel, late, refuse_stopped
from channeling.upstream import UpstreamHttpResponse, UpstreamResponse


class Reading(Protocol):
    """A stream that is being read."""

    @property
    def ended(self) -> bool:
        """Whether the provider has ended its answer."""

    async def next(self) -> bytes | None:
        """Return the next chunk, None at the end; raise what reading raised, Silence when a ping is due or the
        stream is to be cut, UpstreamFailed at the deadline, ClientGone or Overloaded when stopped."""

    async def stop(self) -> bytes:
        """Stop reading; return what had come and was not taken."""


def read_ahead(response: UpstreamResponse, limits: Limits, cut: asyncio.Future[None]) -> Reading:
    """Begin to read a response; once `cut` is done there is only Silence."""
    if isinstance(response, UpstreamHttpResponse) and response.reads_directly:
        return DirectReading(response, limits, cut)
    return ReadAhead(response.chunks(), limits, cut)


class Interruptible(Protocol):
    """A response whose waits can be ended from outside: `UpstreamHttpResponse` says what each does."""

    async def next_bytes(self) -> bytes: ...

    def interrupt(self) -> None: ...

    def take_unread(self) -> bytes: ...


class _Alarm:
    """Calls `ring` at the time that it is set to, unless it is unset before. One timer serves many waits, set anew
    when it goes off too early: one for each would be set and unset with each chunk."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._due_s: float | None = None

    def set(self, due_s: float) -> None:
        """Ring at the loop's time `due_s`, and at no other."""
        self._due_s = due_s
        if self._timer is not None and self._timer.when() > due_s:
            self.cancel()
        if self._timer is None:
            self._timer = self._loop.call_at(due_s, self._look)

    def unset(self) -> None:
        """Do not ring."""
        self._due_s = None

    def cancel(self) -> None:
        """Leave no timer behind."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._due_s is None:
            return
        if self._loop.time() >= self._due_s:
            self._ring()
        else:
            self._timer = self._loop.call_at(self._due_s, self._look)


class DirectReading:
    """`Reading` of a response whose connection reads ahead, until 256 kB wait to be taken."""

    def __init__(self, response: Interruptible, limits: Limits, cut: asyncio.Future[None]) -> None:
        self._response = response
        self._limits = limits
        self._cut = cut
        self._loop = asyncio.get_running_loop()
        self._unread = b""
        self._is_waiting = False
        self._alarm = _Alarm(self._loop, self._interrupt)
        limits.stop.add_done_callback(self._interrupt)
        cut.add_done_callback(self._interrupt)
        self.ended = False

    async def next(self) -> bytes | None:
        limits, came = self._limits, False
        failure: UpstreamFailed | None = None
        now_s = self._loop.time()
        left_s = max(0.0, limits.deadline_s - now_s)
        if not limits.stop.done() and not self._cut.done():
            self._is_waiting = True
            self._alarm.set(now_s + min(left_s, limits.ping_after_s))
            try:
                self._unread = await self._response.next_bytes()
                came = True
            except Interrupted:
                pass
            except UpstreamFailed as error:
                failure = error
            finally:
                self._is_waiting = False
                self._alarm.unset()
        # Before a chunk: a client that has left must stop a provider that writes faster than we read.
        refuse_stopped(limits)
        if self._cut.done():
            raise Silence  # before a chunk, too: leaving the provider makes an error of what is being read
        if failure is not None:
            raise failure
        if came:
            chunk, self._unread = self._unread, b""
            self.ended = not chunk
            return chunk or None
        if left_s > limits.ping_after_s:
            raise Silence
        raise late(limits)

    async def stop(self) -> bytes:
        self._alarm.cancel()
        self._limits.stop.remove_done_callback(self._interrupt)
        self._cut.remove_done_callback(self._interrupt)
        unread, self._unread = self._unread, b""
        return unread + self._response.take_unread()

    def _interrupt(self, _: object = None) -> None:
        if self._is_waiting:
            self._response.interrupt()


class ReadAhead:
    """`Reading` of any chunks, by one task for the whole stream: a task, or a wait for several things, for each
    chunk costs more than all that is done with it. The next is asked for when the last has been taken."""

    def __init__(self, chunks: AsyncIterator[bytes], limits: Limits, cut: asyncio.Future[None]) -> None:
        self._chunks = chunks
        self._limits = limits
        self._cut = cut
        self._loop = asyncio.get_running_loop()
        self._unread: asyncio.Future[bytes | None] = self._loop.create_future()
        self._taken: asyncio.Future[None] = self._loop.create_future()
        self._waiting: asyncio.Future[None] | None = None
        self._alarm = _Alarm(self._loop, self._wake)
        self._reading = self._loop.create_task(self._read())
        limits.stop.add_done_callback(self._wake)
        cut.add_done_callback(self._wake)
        self.ended = False

    async def next(self) -> bytes | None:
        now_s = self._loop.time()
        left_s = max(0.0, self._limits.deadline_s - now_s)
        is_late = await self._wait(now_s + min(left_s, self._limits.ping_after_s))
        # Before a chunk: a client that has left must stop a provider that writes faster than we read.
        refuse_stopped(self._limits)
        if self._cut.done():
            raise Silence  # before a chunk, too: leaving the provider makes an error of what is being read
        if self._unread.done():
            chunk = self._unread.result()
            self._unread = self._loop.create_future()
            if not self._taken.done():
                self._taken.set_result(None)
            self.ended = chunk is None
            return chunk
        if is_late and left_s > self._limits.ping_after_s:
            raise Silence
        raise late(self._limits)

    async def stop(self) -> bytes:
        await cancel(self._reading)
        self._alarm.cancel()
        self._limits.stop.remove_done_callback(self._wake)
        self._cut.remove_done_callback(self._wake)
        unread, self._unread = self._unread, self._loop.create_future()
        if not unread.done() or unread.exception() is not None:
            return b""
        return unread.result() or b""

    async def _wait(self, due_s: float) -> bool:
        """Wait until there is something to look at; return whether the time was up before."""
        if self._unread.done() or self._limits.stop.done() or self._cut.done():
            return False
        self._waiting = self._loop.create_future()
        self._alarm.set(due_s)
        try:
            await self._waiting
        finally:
            self._waiting = None
            self._alarm.unset()
        return not self._unread.done()

    def _wake(self, _: object = None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _read(self) -> None:
        try:
            async for chunk in self._chunks:
                self._taken = self._loop.create_future()
                self._unread.set_result(chunk)
                self._wake()
                await self._taken
        except Exception as error:
            self._unread.set_exception(error)
        else:
            self._unread.set_result(None)
        self._wake()
