"""Reading a provider's chunks, one ahead of whoever passes them on, who is woken by whatever comes first."""

import asyncio
from collections.abc import AsyncIterator

from channeling.call import Limits
from channeling.errors import UpstreamFailed
from channeling.limited_wait import Silence, cancel, refuse_stopped


class ReadAhead:
    """A provider's chunks, read by one task for the whole stream: a task, or a wait for several things, for each
    chunk costs more than all that is done with it. The next is asked for when the last has been taken."""

    def __init__(self, chunks: AsyncIterator[bytes], limits: Limits, cut: asyncio.Future[None]) -> None:
        self._chunks = chunks
        self._limits = limits
        self._cut = cut
        self._loop = asyncio.get_running_loop()
        self._unread: asyncio.Future[bytes | None] = self._loop.create_future()
        self._taken: asyncio.Future[None] = self._loop.create_future()
        self._waiting: asyncio.Future[None] | None = None
        # One for many waits, set anew when it goes off: a timer for each would be set and unset with each chunk.
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0
        self._reading = self._loop.create_task(self._read())
        limits.stop.add_done_callback(self._wake)
        cut.add_done_callback(self._wake)
        # The provider has ended its answer.
        self.ended = False

    async def next(self) -> bytes | None:
        """Return the next chunk, None at the end; raise what reading raised, Silence when a ping is due or the
        stream is to be cut, UpstreamFailed at the deadline, ClientGone or Overloaded when stopped."""
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
        raise UpstreamFailed(
            f"the upstream provider did not finish within {self._limits.max_request_s} seconds"
        )

    async def stop(self) -> bytes:
        """Stop reading; return the chunk that had come and was not taken."""
        await cancel(self._reading)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
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
        self._waiting, self._due_s = self._loop.create_future(), due_s
        if self._timer is not None and self._timer.when() > due_s:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(due_s, self._look_at_time)
        try:
            await self._waiting
        finally:
            self._waiting = None
        return not self._unread.done()

    def _look_at_time(self) -> None:
        self._timer = None
        if self._waiting is None:
            return
        if self._loop.time() >= self._due_s:
            self._wake()
        else:
            self._timer = self._loop.call_at(self._due_s, self._look_at_time)

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
