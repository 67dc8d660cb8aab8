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
        self._taken = asyncio.Event()
        self._waiting: asyncio.Future[None] | None = None
        self._reading = self._loop.create_task(self._read())
        limits.stop.add_done_callback(self._wake)
        cut.add_done_callback(self._wake)
        # The provider has ended its answer.
        self.ended = False

    async def next(self) -> bytes | None:
        """Return the next chunk, None at the end; raise what reading raised, Silence when a ping is due or the
        stream is to be cut, UpstreamFailed at the deadline, ClientGone or Overloaded when stopped."""
        left_s = max(0.0, self._limits.deadline_s - self._loop.time())
        is_late = await self._wait(min(left_s, self._limits.ping_after_s))
        # Before a chunk: a client that has left must stop a provider that writes faster than we read.
        refuse_stopped(self._limits)
        if self._cut.done():
            raise Silence  # before a chunk, too: leaving the provider makes an error of what is being read
        if self._unread.done():
            chunk = self._unread.result()
            self._unread = self._loop.create_future()
            self._taken.set()
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
        self._limits.stop.remove_done_callback(self._wake)
        self._cut.remove_done_callback(self._wake)
        unread, self._unread = self._unread, self._loop.create_future()
        if not unread.done() or unread.exception() is not None:
            return b""
        return unread.result() or b""

    async def _wait(self, timeout_s: float) -> bool:
        """Wait until there is something to look at; return whether the time was up before."""
        if self._unread.done() or self._limits.stop.done() or self._cut.done():
            return False
        self._waiting = self._loop.create_future()
        timer = self._loop.call_later(timeout_s, self._wake)
        try:
            await self._waiting
        finally:
            timer.cancel()
            self._waiting = None
        return not self._unread.done()

    def _wake(self, _: object = None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _read(self) -> None:
        try:
            async for chunk in self._chunks:
                self._taken.clear()
                self._unread.set_result(chunk)
                self._wake()
                await self._taken.wait()
        except Exception as error:
            self._unread.set_exception(error)
        else:
            self._unread.set_result(None)
        self._wake()
