"""Streams that are cut end in good order: nothing that came is lost, and the provider is left before the client
is told, whatever leaving does to what is being read."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from channeling.answer import Answer
from channeling.call import Limits
from channeling.errors import UpstreamFailed
from channeling.exchange import Exchange
from channeling.provider_call import ProviderCall
from channeling.providers.answer_stream import Emitted
from channeling.providers.anthropic.adapter import AnthropicAdapter
from channeling.providers.anthropic.stream import AnthropicStream
from channeling.relay import relay_stream
from channeling.upstream import UpstreamRequest
from channeling.usage.token_counts import TokenCounts
from tests.stand_ins.anthropic_script import Script, Text, encoded, events_of
from tests.stand_ins.clock import SetClock
from tests.stand_ins.strict_reader import ReadStream, read_strictly

EVENTS = [
    encoded(event)
    for event in events_of(
        Script(blocks=(Text("One two three."),)), model="m", max_tokens=100, input_tokens=10
    )
]
BEGINNING, LATER, BEYOND = b"".join(EVENTS[:3]), EVENTS[3], EVENTS[4]


class Provider:
    """Its answer begins, and is then silent until it is left; `happened` says in which order things were done."""

    status = 200
    headers = {"content-type": "text/event-stream"}  # noqa: RUF012  # nobody writes to it

    def __init__(self, happened: list[str], *, when_left: bytes | Exception) -> None:
        self._happened = happened
        self._when_left = when_left
        self._left: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def send(self, _: UpstreamRequest) -> "Provider":
        return self

    async def chunks(self) -> AsyncIterator[bytes]:
        yield BEGINNING
        yield await self._left

    async def aclose(self) -> None:
        self._happened.append("left")
        if not self._left.done() and isinstance(self._when_left, Exception):
            self._left.set_exception(self._when_left)
        elif not self._left.done():
            self._left.set_result(self._when_left)
        for _ in range(3):  # what is being read ends before whoever cut goes on
            await asyncio.sleep(0)


class SpentInSilence:
    """A hold that covers what was read, and is used up by the silence that follows."""

    looked = False

    def begin(self) -> None: ...

    def input_is_known(self, counts: TokenCounts) -> None: ...

    def input_is_untold(self) -> None: ...

    async def keeps_up(self, emitted: Emitted) -> bool:
        return not self.looked

    def look_in_s(self) -> float | None:
        # Looked at once, when the first events have been read.
        asyncio.get_running_loop().call_later(0.005, setattr, self, "looked", True)
        return 0.01

    def metered_tokens(self) -> int:
        return 7


class SpentAtOnce(SpentInSilence):
    """A hold that the first events use up."""

    looked = True

    def look_in_s(self) -> float | None:
        return None


@dataclass
class Relayed:
    """What became of a stream: the client's bytes, what happened in which order, and what is to be billed."""

    exchange: Exchange
    happened: list[str] = field(default_factory=list)
    sent: bytearray = field(default_factory=bytearray)

    def read(self) -> ReadStream:
        return read_strictly(bytes(self.sent))


async def relay(holding: SpentInSilence, *, when_left: bytes | Exception) -> Relayed:
    """Relay the provider's stream under a hold."""
    relayed = Relayed(Exchange(streamed=True, body_bytes=10, sent_ms=0, max_tokens=100))

    async def send(message: dict[str, object]) -> None:
        body = message.get("body", b"")
        assert isinstance(body, bytes)
        relayed.sent.extend(body)
        if b"message_stop" in body:
            relayed.happened.append("ending written")

    loop = asyncio.get_running_loop()
    limits = Limits(loop.create_future(), loop.time() + 20, 20, 15.0)
    call = ProviderCall(
        Provider(relayed.happened, when_left=when_left),
        UpstreamRequest("POST", "http://provider", (), b"{}"),
        AnthropicAdapter(),
        "sk-ant",
        lambda _: None,
        SetClock(),
    )
    answer = Answer(send, request_id="req_1", deadline_s=loop.time() + 20)  # type: ignore[arg-type]
    await relay_stream(call, AnthropicStream("req_1"), answer, relayed.exchange, limits, [], holding)
    return relayed


async def test_a_cut_in_silence_is_no_error_of_the_provider() -> None:
    """The read that closing the connection breaks is ours to break: the client gets its ending, not an error."""
    relayed = await relay(SpentInSilence(), when_left=UpstreamFailed("the connection was closed"))
    assert relayed.read().message["stop_reason"] == "max_tokens"
    assert (relayed.exchange.cut, relayed.exchange.status) == (True, "ok")


async def test_what_had_come_when_a_stream_is_cut_reaches_the_client_and_the_bill() -> None:
    """A chunk that came in the moment of the cut was generated: it is billed, and what is billed is delivered."""
    relayed = await relay(SpentInSilence(), when_left=LATER)
    assert LATER in bytes(relayed.sent)
    assert relayed.read().message["stop_reason"] == "max_tokens"
    assert relayed.exchange.emitted.ascii_bytes == len("One ")
    assert relayed.exchange.cut


async def test_an_ending_that_had_come_when_a_stream_is_cut_is_the_ending() -> None:
    """A message that was complete after all is not called cut: it ends as the provider ended it."""
    relayed = await relay(SpentInSilence(), when_left=b"".join(EVENTS[3:]))
    assert bytes(relayed.sent) == b"".join(EVENTS)
    assert (relayed.exchange.cut, relayed.exchange.facts.output_is_final) == (False, True)


async def test_the_provider_is_left_before_the_client_is_told() -> None:
    """It generates, and bills, until it notices: a slow client must not keep it writing."""
    relayed = await relay(SpentAtOnce(), when_left=b"")
    assert relayed.happened[:2] == ["left", "ending written"]
    assert relayed.read().message["stop_reason"] == "max_tokens"
    assert BEYOND not in bytes(relayed.sent)
