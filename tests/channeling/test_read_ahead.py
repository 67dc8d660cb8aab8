"""Chunks come in order, one is read ahead, and whatever ends a wait ends it: silence, deadline, stop or cut."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from channeling.answer import ClientGone
from channeling.call import Limits, Stop
from channeling.errors import Overloaded, UpstreamFailed
from channeling.http1.errors import Interrupted
from channeling.limited_wait import Silence
from channeling.read_ahead import DirectReading, ReadAhead, read_ahead


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


class Response:
    """A response that can be waited for directly, whose connection has read `unread` ahead."""

    def __init__(self) -> None:
        self.ready: list[bytes | Exception | None] = []
        self.unread = b""
        self.waiting: asyncio.Future[None] | None = None

    def put(self, chunk: bytes | Exception | None) -> None:
        self.ready.append(chunk)
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)

    async def next_bytes(self) -> bytes:
        while not self.ready:
            self.waiting = asyncio.get_running_loop().create_future()
            try:
                await self.waiting
            finally:
                self.waiting = None
        chunk = self.ready.pop(0)
        if isinstance(chunk, Exception):
            raise chunk
        return chunk or b""

    def interrupt(self) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(Interrupted())

    def take_unread(self) -> bytes:
        unread = self.unread + b"".join(chunk for chunk in self.ready if isinstance(chunk, bytes))
        self.unread, self.ready = b"", []
        return unread


def reading_directly(
    response: Response, within: Limits | None = None
) -> tuple[DirectReading, "asyncio.Future[None]"]:
    cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    return DirectReading(response, within or limits(), cut), cut


async def test_directly_chunks_come_in_order_and_the_end() -> None:
    response = Response()
    direct, _ = reading_directly(response)
    for chunk in (b"one", b"two", None):
        response.put(chunk)
    assert [await direct.next(), await direct.next()] == [b"one", b"two"]
    assert not direct.ended
    assert await direct.next() is None
    assert direct.ended
    assert await direct.stop() == b""


async def test_directly_what_reading_raises_comes_after_what_was_read() -> None:
    response = Response()
    direct, _ = reading_directly(response)
    response.put(b"one")
    response.put(UpstreamFailed("broken off"))
    assert await direct.next() == b"one"
    with pytest.raises(UpstreamFailed, match="broken off"):
        await direct.next()
    await direct.stop()


async def test_directly_silence_is_told_again_and_again_and_nothing_is_lost() -> None:
    """The timer of a wait that was over early goes off in a later one, and is set anew."""
    response, loop = Response(), asyncio.get_running_loop()
    direct, _ = reading_directly(response, limits(ping_after_s=0.03))
    loop.call_later(0.01, response.put, b"one")
    async with asyncio.timeout(60):
        while True:
            try:
                assert await direct.next() == b"one"
                break
            except Silence:
                continue  # on a machine that is very busy
        for _ in range(3):
            with pytest.raises(Silence):
                await direct.next()
        response.put(b"late")
        assert await direct.next() == b"late"
    await direct.stop()


async def test_directly_the_deadline_ends_a_wait() -> None:
    direct, _ = reading_directly(Response(), limits(deadline_s=0.001, ping_after_s=15))
    with pytest.raises(UpstreamFailed, match="did not finish within 900 seconds"):
        await direct.next()
    await direct.stop()


@pytest.mark.parametrize(
    ("why", "raised"), [(Stop.CLIENT_LEFT, ClientGone), (Stop.SERVER_STOPS, Overloaded)], ids=str
)
@pytest.mark.parametrize("waiting", [True, False])
async def test_directly_a_stop_comes_before_a_chunk(
    why: Stop, raised: type[Exception], waiting: bool
) -> None:
    response, within = Response(), limits()
    direct, _ = reading_directly(response, within)
    if waiting:
        asyncio.get_running_loop().call_soon(within.stop.set_result, why)
    else:
        response.put(b"unread")
        within.stop.set_result(why)
    with pytest.raises(raised):
        await direct.next()
    assert await direct.stop() == (b"" if waiting else b"unread")


async def test_directly_a_chunk_that_came_with_the_stop_is_still_handed_out() -> None:
    """The stop and the chunk in one turn of the loop: the chunk is taken, not passed on, and billed."""
    response, within = Response(), limits()
    direct, _ = reading_directly(response, within)

    def both() -> None:
        response.put(b"unread")
        within.stop.set_result(Stop.CLIENT_LEFT)

    asyncio.get_running_loop().call_soon(both)
    with pytest.raises(ClientGone):
        await direct.next()
    assert await direct.stop() == b"unread"


@pytest.mark.parametrize("waiting", [True, False])
async def test_directly_a_cut_comes_before_the_error_that_it_makes(waiting: bool) -> None:
    response, loop = Response(), asyncio.get_running_loop()
    direct, cut = reading_directly(response)

    def both() -> None:
        response.put(UpstreamFailed("the connection was closed"))
        cut.set_result(None)

    if waiting:
        loop.call_soon(both)
    else:
        both()
    with pytest.raises(Silence):
        await direct.next()
    response.unread = b"had come"
    assert await direct.stop() == b"had come"


async def test_what_is_encoded_or_no_http_is_read_by_a_task() -> None:
    provider = Provider()
    cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    ahead = read_ahead(provider, limits(), cut)  # type: ignore[arg-type]  # its chunks are all that is used
    assert isinstance(ahead, ReadAhead)
    await ahead.stop()


async def test_stopping_leaves_the_provider() -> None:
    """Once it has returned, nothing reads any more."""
    provider = Provider()
    ahead, _ = reading(provider)
    await asyncio.sleep(0)  # the reader's turn
    assert await ahead.stop() == b""
    assert provider.closed
