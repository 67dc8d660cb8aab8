"""Chunks come in order, one is read ahead, and whatever ends a wait ends it: silence, deadline, stop or cut."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from channeling.answer import ClientGone
from channeling.call import Limits, Stop
from channeling.errors import Overloaded, UpstreamFailed
from channeling.limited_wait import Silence
from channeling.read_ahead import ReadAhead


class Provider:
    """Chunks that a test hands out; `asked` is how many were asked for, `closed` whether reading was left."""

    def __init__(self) -> None:
        self.ready: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.asked = 0
        self.closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            while True:
                self.asked += 1
                chunk = await self.ready.get()
                if isinstance(chunk, Exception):
                    raise chunk
                if chunk is None:
                    return
                yield chunk
        except asyncio.CancelledError:
            self.closed = True
            raise


def limits(*, deadline_s: float = 60.0, ping_after_s: float = 60.0) -> Limits:
    loop = asyncio.get_running_loop()
    return Limits(
        loop.create_future(),
        deadline_s=loop.time() + deadline_s,
        max_request_s=900,
        ping_after_s=ping_after_s,
    )


def reading(provider: Provider, within: Limits | None = None) -> tuple[ReadAhead, "asyncio.Future[None]"]:
    cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    return ReadAhead(provider.chunks(), within or limits(), cut), cut


async def test_chunks_come_in_order_and_one_is_read_ahead() -> None:
    provider = Provider()
    ahead, _ = reading(provider)
    for chunk in (b"one", b"two", b"three", None):
        provider.ready.put_nowait(chunk)
    assert await ahead.next() == b"one"
    assert (provider.asked, provider.ready.qsize()) == (1, 3), "the next is asked for when one is taken"
    assert await ahead.next() == b"two"
    assert not ahead.ended
    assert await ahead.next() == b"three"
    assert await ahead.next() is None
    assert ahead.ended
    assert await ahead.stop() == b""


async def test_what_reading_raises_comes_after_what_was_read() -> None:
    provider = Provider()
    ahead, _ = reading(provider)
    provider.ready.put_nowait(b"one")
    provider.ready.put_nowait(UpstreamFailed("broken off"))
    assert await ahead.next() == b"one"
    with pytest.raises(UpstreamFailed, match="broken off"):
        await ahead.next()
    assert await ahead.stop() == b""


async def test_silence_is_told_and_what_comes_after_it_is_not_lost() -> None:
    provider = Provider()
    ahead, _ = reading(provider, limits(ping_after_s=0.001))
    for _ in range(2):
        with pytest.raises(Silence):
            await ahead.next()
    provider.ready.put_nowait(b"late")
    while True:
        try:
            assert await ahead.next() == b"late"
            break
        except Silence:
            continue
    await ahead.stop()


async def test_silence_after_a_chunk_that_was_waited_for_is_told() -> None:
    """The timer of the first wait goes off in the second, too early for it, and is set anew."""
    provider = Provider()
    ahead, _ = reading(provider, limits(ping_after_s=0.05))
    asyncio.get_running_loop().call_later(0.02, provider.ready.put_nowait, b"one")
    async with asyncio.timeout(60):
        while True:
            try:
                assert await ahead.next() == b"one"
                break
            except Silence:
                continue  # on a machine that is very busy
        for _ in range(2):
            with pytest.raises(Silence):
                await ahead.next()
    await ahead.stop()


async def test_the_deadline_ends_a_wait() -> None:
    ahead, _ = reading(Provider(), limits(deadline_s=0.001, ping_after_s=15))
    with pytest.raises(UpstreamFailed, match="did not finish within 900 seconds"):
        await ahead.next()
    await ahead.stop()


@pytest.mark.parametrize(
    ("why", "raised"), [(Stop.CLIENT_LEFT, ClientGone), (Stop.SERVER_STOPS, Overloaded)], ids=str
)
@pytest.mark.parametrize("waiting", [True, False])
async def test_a_stop_comes_before_a_chunk(why: Stop, raised: type[Exception], waiting: bool) -> None:
    """Whether it comes while waiting or a chunk is there too; the chunk is still handed out, to be billed."""
    provider, within = Provider(), limits()
    ahead, _ = reading(provider, within)
    if waiting:
        asyncio.get_running_loop().call_soon(within.stop.set_result, why)
    else:
        provider.ready.put_nowait(b"unread")
        await asyncio.sleep(0)  # the reader's turn
        within.stop.set_result(why)
    with pytest.raises(raised):
        await ahead.next()
    assert await ahead.stop() == (b"" if waiting else b"unread")


async def test_a_cut_comes_before_the_error_that_it_makes() -> None:
    provider = Provider()
    ahead, cut = reading(provider)
    asyncio.get_running_loop().call_soon(cut.set_result, None)
    provider.ready.put_nowait(UpstreamFailed("the connection was closed"))
    with pytest.raises(Silence):
        await ahead.next()
    assert await ahead.stop() == b""


async def test_stopping_leaves_the_provider() -> None:
    """Once it has returned, nothing reads any more."""
    provider = Provider()
    ahead, _ = reading(provider)
    await asyncio.sleep(0)  # the reader's turn
    assert await ahead.stop() == b""
    assert provider.closed
