"""Carrying a provider's answer to the client: whole or as a stream, with pings in silence, until one side ends it.

Three things can wake the relay while it waits for the provider: the client left or this server stops, the
deadline is near, or nothing was sent for a while. The exchange is filled in as bytes pass, so that whatever
happens it can be billed.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from channeling.answer import Answer
from channeling.call import Limits
from channeling.errors import GatewayError, UpstreamFailed
from channeling.exchange import Exchange
from channeling.limited_wait import Silence, cancel, refuse_stopped, wait_for
from channeling.provider_call import ProviderCall, Refusal, answer_of, answer_without_limits
from channeling.providers.answer_stream import AnswerStream, Emitted
from channeling.providers.error_answer import Relay
from channeling.providers.provider_adapter import AnswerReader
from channeling.read_ahead import read_ahead
from channeling.sse import PING
from channeling.upstream import UpstreamResponse, read_body
from channeling.usage.token_counts import TokenCounts

STREAM_HEADERS = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))


class WholeBody(Struct, frozen=True):
    """What to send the client once the hold is settled: status, headers without the budget's, body."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


class Holding(Protocol):
    """The hold that a stream runs under, which has to grow with it."""

    def begin(self) -> None:
        """The provider has begun to answer."""

    def input_is_known(self, counts: TokenCounts) -> None:
        """The stream has said what its input is billed as. Called once."""

    def input_is_untold(self) -> None:
        """Something has come, and none of it says what the input is billed as."""

    async def keeps_up(self, emitted: Emitted) -> bool:
        """Hold more where it is needed; return False where the stream is to be cut now."""

    def look_in_s(self) -> float | None:
        """Return after how many seconds of silence `keeps_up` is to be asked; None: never."""

    def metered_tokens(self) -> int:
        """Return the output tokens that a cut stream tells its client."""


async def relay_whole(
    call: ProviderCall, reader: AnswerReader, exchange: Exchange, limits: Limits
) -> WholeBody:
    """Return the provider's answer, read to its end.

    Raises GatewayError for what the client gets instead, and ClientGone; the exchange says what to bill.
    """
    answer = await _whole_body(call, exchange, limits)
    if answer.status != 200:
        return answer
    try:
        whole = reader.whole_answer(answer.body)
    except GatewayError:
        exchange.refused_by_provider = True  # a proxy's page or an error under a 200: no model wrote it
        raise
    exchange.facts, exchange.emitted = whole.facts, whole.emitted
    exchange.first_token_ms = call.clock.now_ms()
    if whole.failure is not None:
        exchange.refused_by_provider = not whole.facts.output_is_final  # as for a stream
        raise whole.failure
    exchange.status = "ok"
    return answer if whole.body is answer.body else WholeBody(answer.status, answer.headers, whole.body)


async def relay_count(call: ProviderCall, exchange: Exchange, limits: Limits) -> WholeBody:
    """Return the provider's answer to a token count, in its own bytes; raises as `relay_whole` does."""
    answer = await _whole_body(call, exchange, limits)
    if answer.status == 200:
        call.adapter.count_of(answer.body)
    return answer


async def _whole_body(call: ProviderCall, exchange: Exchange, limits: Limits) -> WholeBody:
    refuse_stopped(limits)
    answer = await wait_for(_read_whole(call, exchange), limits)
    return _error_body(call, answer) if isinstance(answer, Refusal) else answer


async def _read_whole(call: ProviderCall, exchange: Exchange) -> WholeBody | Refusal:
    response = await answer_without_limits(call, exchange)
    if isinstance(response, Refusal):
        return response
    try:
        # The provider sends the status of such an answer when all of it is written, and billed.
        exchange.began = True
        body = await read_body(response)
    finally:
        await response.aclose()
    return WholeBody(200, call.adapter.answer_headers(response.headers), body)


async def relay_stream(
    call: ProviderCall,
    stream: AnswerStream,
    answer: Answer,
    exchange: Exchange,
    limits: Limits,
    budget_headers: Sequence[tuple[str, str]],
    holding: Holding,
) -> WholeBody | None:
    """Pass a stream on until its end, good, bad or cut; return None, or an error answer that came instead.

    Every byte is with the client when this returns, but the response is not ended. Raises GatewayError while
    nothing was sent, and ClientGone.
    """

    async def ping() -> None:
        if not answer.started:
            await answer.start(200, [*STREAM_HEADERS, *budget_headers], PING)
        else:
            await answer.write(PING)

    exchange.facts, exchange.emitted = stream.facts, stream.emitted
    try:
        response = await answer_of(call, exchange, limits, ping=ping)
        if isinstance(response, Refusal):
            whole = _error_body(call, response)
            if not answer.started:
                return whole
            await answer.write(_as_error_event(whole.body))
            return None
        try:
            _refuse_other_media(response)
            headers = [*call.adapter.answer_headers(response.headers), *budget_headers]
            await _pass_on(call, response, stream, answer, exchange, limits, headers, holding)
        finally:
            await response.aclose()
    except GatewayError as error:
        if not answer.started:
            raise
        await answer.write(stream.fail(error))
    finally:
        exchange.facts, exchange.emitted, exchange.began = stream.facts, stream.emitted, stream.started
    return None


async def _pass_on(
    call: ProviderCall,
    response: UpstreamResponse,
    stream: AnswerStream,
    answer: Answer,
    exchange: Exchange,
    limits: Limits,
    headers: Sequence[tuple[str, str]],
    holding: Holding,
) -> None:
    holding.begin()
    cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    watch = _Watch(holding, stream, response, cut)
    reading = read_ahead(response, limits, cut)
    input_is_known = False
    try:
        while not stream.ended:
            try:
                data = _take(await reading.next(), stream)
            except Silence:
                data = b"" if cut.done() else PING
            if not input_is_known and not stream.ended:
                if stream.facts.usage is not None:
                    holding.input_is_known(stream.facts.usage)
                    input_is_known = True
                else:
                    holding.input_is_untold()
            if data and data != PING and exchange.first_token_ms is None:
                exchange.first_token_ms = call.clock.now_ms()
            if not stream.ended and (cut.done() or not await holding.keeps_up(stream.emitted)):
                # The provider first: it writes, and bills, until it notices.
                data += stream.feed(await reading.stop())
                await response.aclose()
                exchange.cut = not stream.ended
                data += stream.cut("max_tokens", holding.metered_tokens())
            # A failure that comes before any output can still be a status; after it, trying again is the user's to
            # decide, since what was written is billed.
            if data and (answer.started or stream.failure is None or exchange.written_bytes):
                if answer.started:
                    await answer.write(data)
                else:
                    await answer.start(200, headers, data)
    finally:
        await watch.stop()
        stream.feed(await reading.stop())
    exchange.status = "failed" if stream.error else "ok"
    # An error event before any output is a refusal that came late: providers bill nothing for it, or say what.
    exchange.refused_by_provider = (
        not reading.ended
        and bool(stream.error)
        and not exchange.written_bytes
        and not exchange.cut
        and not stream.facts.output_is_final
    )
    if stream.failure is not None and not answer.started:
        raise stream.failure


def _take(chunk: bytes | None, stream: AnswerStream) -> bytes:
    return stream.finish() if chunk is None else stream.feed(chunk)


class _Watch:
    """Sees that the hold keeps up where no chunk makes anyone look: in silence, while a client reads slowly. Most
    streams are over before the first look, so that a task is made no earlier."""

    def __init__(
        self, holding: Holding, stream: AnswerStream, response: UpstreamResponse, cut: asyncio.Future[None]
    ) -> None:
        self._holding = holding
        self._stream = stream
        self._response = response
        self._cut = cut
        self._watching: asyncio.Task[None] | None = None
        look_s = holding.look_in_s()
        loop = asyncio.get_running_loop()
        self._first_look = None if look_s is None else loop.call_later(look_s, self._start)

    async def stop(self) -> None:
        """Look no more; a look that is under way is ended."""
        if self._first_look is not None:
            self._first_look.cancel()
        if self._watching is not None:
            await cancel(self._watching)

    def _start(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while await self._holding.keeps_up(self._stream.emitted):
            look_s = self._holding.look_in_s()
            if look_s is None:
                return
            await asyncio.sleep(look_s)  # time passing is the event
        self._cut.set_result(None)
        await self._response.aclose()


def _error_body(call: ProviderCall, refusal: Refusal) -> WholeBody:
    decision = call.adapter.error_answer(refusal.status, refusal.headers, refusal.body, api_key=call.api_key)
    if isinstance(decision, Relay):
        return WholeBody(decision.status, call.adapter.answer_headers(refusal.headers), decision.body)
    call.log_original(decision.original)
    raise decision.error


def _refuse_other_media(response: UpstreamResponse) -> None:
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        raise UpstreamFailed(
            "the upstream provider answered a streaming request with something that is no stream"
        )


def _as_error_event(body: bytes) -> bytes:
    """The status line went out with the first ping, so that the provider's error follows as an event.

    JSON without its line ends is the same JSON: a string cannot hold one.
    """
    return b"event: error\ndata: " + body.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n\n"
