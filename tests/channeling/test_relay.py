"""Streams that are cut end in good order, whatever leaving the provider does to what is being read."""

import asyncio
from collections.abc import AsyncIterator

from channeling.answer import Answer
from channeling.call import Limits
from channeling.errors import UpstreamFailed
from channeling.exchange import Exchange
from channeling.providers.answer_stream import Emitted
from channeling.providers.anthropic.adapter import AnthropicAdapter
from channeling.providers.anthropic.stream import AnthropicStream
from channeling.relay import ProviderCall, relay_stream
from channeling.upstream import UpstreamRequest
from channeling.usage.token_counts import TokenCounts
from tests.stand_ins.anthropic_script import Script, encoded, events_of
from tests.stand_ins.clock import SetClock
from tests.stand_ins.strict_reader import read_strictly

EVENTS = [encoded(event) for event in events_of(Script(), model="m", max_tokens=100, input_tokens=10)]


class FailsWhenLeft:
    """A provider's answer that is silent after a few events; closing it fails the read under way at once."""

    status = 200
    headers = {"content-type": "text/event-stream"}  # noqa: RUF012  # nobody writes to it

    def __init__(self) -> None:
        self.left: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b"".join(EVENTS[:4])
        yield await self.left

    async def aclose(self) -> None:
        if not self.left.done():
            self.left.set_exception(UpstreamFailed("the connection was closed"))
        for _ in range(3):  # the read fails before whoever cut goes on
            await asyncio.sleep(0)


class Upstream:
    async def send(self, _: UpstreamRequest) -> FailsWhenLeft:
        return FailsWhenLeft()


class SpentInSilence:
    """A hold that covers what was read, and is used up by the silence that follows."""

    looked = False

    def begin(self) -> None: ...

    def input_is_known(self, counts: TokenCounts) -> None: ...

    async def keeps_up(self, emitted: Emitted) -> bool:
        return not self.looked

    def look_in_s(self) -> float | None:
        # Looked at once, when the first events have been read.
        asyncio.get_running_loop().call_later(0.005, setattr, self, "looked", True)
        return 0.01

    def metered_tokens(self) -> int:
        return 7


async def test_a_cut_in_silence_is_no_error_of_the_provider() -> None:
    """The read that closing the connection breaks is ours to break: the client gets its ending, not an error."""
    sent = bytearray()

    async def send(message: dict[str, object]) -> None:
        body = message.get("body", b"")
        assert isinstance(body, bytes)
        sent.extend(body)

    loop = asyncio.get_running_loop()
    limits = Limits(loop.create_future(), loop.time() + 20, 20, 15.0)
    exchange = Exchange(streamed=True, body_bytes=10, sent_ms=0, max_tokens=100)
    call = ProviderCall(
        Upstream(),  # type: ignore[arg-type]  # nothing closes it
        UpstreamRequest("POST", "http://provider", (), b"{}"),
        AnthropicAdapter(),
        "sk-ant",
        lambda _: None,
        SetClock(),
    )
    answer = Answer(send, request_id="req_1", deadline_s=loop.time() + 20)  # type: ignore[arg-type]
    await relay_stream(call, AnthropicStream("req_1"), answer, exchange, limits, [], SpentInSilence())
    assert read_strictly(bytes(sent)).message["stop_reason"] == "max_tokens"
    assert (exchange.cut, exchange.status) == (True, "ok")
