"""Carrying a provider's answer to the client: whole or as a stream, with pings in silence, until one side ends it.

Three things can wake the relay while it waits for the provider: the client left or this server stops, the
deadline is near, or nothing was sent for a while. The exchange is filled in as bytes pass, so that whatever
happens it can be billed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from channeling.answer import Answer, ClientGone
from channeling.call import Limits, Stop
from channeling.clock import Clock
from channeling.errors import GatewayError, Overloaded, UpstreamFailed
from channeling.exchange import Exchange
from channeling.providers.answer_stream import AnswerStream, Emitted
from channeling.providers.error_answer import Relay
from channeling.providers.provider_adapter import (
    AnswerReader,
    ProviderAdapter,
    SecondTry,
    no_second_try,
)
from channeling.sse import PING
from channeling.upstream import (
    UpstreamClient,
    UpstreamRequest,
    UpstreamResponse,
    UpstreamUnreachable,
    read_body,
)
from channeling.usage.token_counts import TokenCounts

STREAM_HEADERS = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
_MAX_ERROR_BYTES = 1024 * 1024

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WholeBody:
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

    async def keeps_up(self, emitted: Emitted) -> bool:
        """Hold more where it is needed; return False where the stream is to be cut now."""

    def look_in_s(self) -> float | None:
        """Return after how many seconds of silence `keeps_up` is to be asked; None: never."""

    def metered_tokens(self) -> int:
        """Return the output tokens that a cut stream tells its client."""


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """One call to a provider, with what judges its errors. `log_original` takes an account's error for the log."""

    upstream: UpstreamClient
    request: UpstreamRequest
    adapter: ProviderAdapter
    api_key: str
    log_original: Callable[[str], None]
    clock: Clock
    second_try: SecondTry = no_second_try


@dataclass(frozen=True, slots=True)
class _Refusal:
    """The provider's error answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Silence(Exception):
    """Nothing came from the provider for `ping_after_s`."""


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
    exchange.facts, exchange.emitted, exchange.status = whole.facts, whole.emitted, "ok"
    exchange.first_token_ms = call.clock.now_ms()
    return replace(answer, body=whole.body)


async def relay_count(call: ProviderCall, exchange: Exchange, limits: Limits) -> WholeBody:
    """Return the provider's answer to a token count, in its own bytes; raises as `relay_whole` does."""
    answer = await _whole_body(call, exchange, limits)
    if answer.status == 200:
        call.adapter.count_of(answer.body)
    return answer


async def _whole_body(call: ProviderCall, exchange: Exchange, limits: Limits) -> WholeBody:
    response = await _answer_of(call, exchange, limits)
    if isinstance(response, _Refusal):
        return _error_body(call, response)
    try:
        # The provider sends the status of such an answer when all of it is written, and billed.
        exchange.began = True
        body = await _wait_for(read_body(response), limits)
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
            await answer.start(200, [*STREAM_HEADERS, *budget_headers])
        await answer.write(PING)

    exchange.facts, exchange.emitted = stream.facts, stream.emitted
    try:
        response = await _answer_of(call, exchange, limits, ping=ping)
        if isinstance(response, _Refusal):
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
    watching = asyncio.ensure_future(_watch(holding, stream, response, cut))
    reading = _Reading(response.chunks())
    input_is_known = False
    try:
        while not stream.ended:
            try:
                data = _take(await reading.next(limits, cut), stream)
            except _Silence:
                data = b"" if cut.done() else PING
            if not input_is_known and stream.facts.usage is not None and not stream.ended:
                holding.input_is_known(stream.facts.usage)
                input_is_known = True
            if data and data != PING and exchange.first_token_ms is None:
                exchange.first_token_ms = call.clock.now_ms()
            if not stream.ended and (cut.done() or not await holding.keeps_up(stream.emitted)):
                # The provider first: it writes, and bills, until it notices.
                data += await reading.stop(stream)
                await response.aclose()
                exchange.cut = not stream.ended
                data += stream.cut("max_tokens", holding.metered_tokens())
            if data and (answer.started or stream.failure is None):
                if not answer.started:
                    await answer.start(200, headers)
                await answer.write(data)
    finally:
        await _cancel(watching)
        await reading.stop(stream)
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


async def _watch(
    holding: Holding, stream: AnswerStream, response: UpstreamResponse, cut: asyncio.Future[None]
) -> None:
    """See that the hold keeps up where no chunk makes anyone look: in silence, while a client reads slowly."""
    while (look_s := holding.look_in_s()) is not None:
        await asyncio.sleep(look_s)  # time passing is the event
        if not await holding.keeps_up(stream.emitted):
            cut.set_result(None)
            await response.aclose()
            return


class _Reading:
    """A provider's chunks, one asked for at a time; a wait that was given up goes on with the next call."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._pending: asyncio.Task[bytes | None] | None = None
        # The provider has ended its answer.
        self.ended = False

    async def next(self, limits: Limits, cut: asyncio.Future[None]) -> bytes | None:
        """Return the next chunk, None at the end; raise _Silence when a ping is due or the stream is `cut`."""
        self._pending = self._pending or asyncio.ensure_future(_next_chunk(self._chunks))
        chunk = await _wait_for_task(self._pending, limits, pinging=True, cut=cut)
        self._pending, self.ended = None, chunk is None
        return chunk

    async def stop(self, stream: AnswerStream) -> bytes:
        """Stop reading; a chunk that had come is metered, so billed, and what it makes returned."""
        pending, self._pending = self._pending, None
        if pending is None:
            return b""
        await _cancel(pending)
        if pending.cancelled() or pending.exception() is not None or not (unread := pending.result()):
            return b""
        return stream.feed(unread)


async def _answer_of(
    call: ProviderCall,
    exchange: Exchange,
    limits: Limits,
    *,
    ping: Callable[[], Awaitable[None]] | None = None,
) -> UpstreamResponse | _Refusal:
    """Return the answer that begins, or the provider's refusal: of the second try, if there is one."""
    request, second_try = call.request, call.second_try
    while True:
        response = await _headers_of_answer(call, request, exchange, limits, ping=ping)
        if response.status == 200:
            return response
        exchange.refused_by_provider = True  # whatever becomes of reading why
        refusal = await _refusal(response, limits)
        again = second_try(refusal.status, refusal.body)
        if again is None:
            return refusal
        exchange.refused_by_provider = False
        request, second_try = again, no_second_try


async def _headers_of_answer(
    call: ProviderCall,
    request: UpstreamRequest,
    exchange: Exchange,
    limits: Limits,
    *,
    ping: Callable[[], Awaitable[None]] | None = None,
) -> UpstreamResponse:
    _refuse_stopped(limits)
    sending = asyncio.ensure_future(call.upstream.send(request))
    exchange.may_be_billed = True
    try:
        while True:
            try:
                response = await _wait_for_task(sending, limits, pinging=ping is not None)
            except _Silence:
                if ping is not None:
                    await ping()
            else:
                return response
    except UpstreamUnreachable:
        exchange.may_be_billed = False
        raise
    except BaseException:
        await _cancel(sending)
        if not sending.cancelled() and sending.exception() is None:
            await sending.result().aclose()
        raise


async def _refusal(response: UpstreamResponse, limits: Limits) -> _Refusal:
    try:
        body = await _wait_for(read_body(response, max_bytes=_MAX_ERROR_BYTES), limits)
    finally:
        await response.aclose()
    return _Refusal(response.status, response.headers, body)


def _error_body(call: ProviderCall, refusal: _Refusal) -> WholeBody:
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


async def _next_chunk(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)


async def _wait_for(awaitable: Awaitable[T], limits: Limits) -> T:
    task = asyncio.ensure_future(awaitable)
    try:
        return await _wait_for_task(task, limits, pinging=False)
    finally:
        await _cancel(task)


async def _wait_for_task(
    task: asyncio.Future[T], limits: Limits, *, pinging: bool, cut: asyncio.Future[None] | None = None
) -> T:
    now_s = asyncio.get_running_loop().time()
    timeout_s = max(0.0, limits.deadline_s - now_s)
    if pinging:
        timeout_s = min(timeout_s, limits.ping_after_s)
    waiting: set[asyncio.Future[Any]] = {task, limits.stop}
    if cut is not None:
        waiting.add(cut)
    await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    # Before a result: a client that has left must stop a provider that writes faster than we read.
    _refuse_stopped(limits)
    if cut is not None and cut.done():
        raise _Silence  # before a result, too: leaving the provider makes an error of what is being read
    if task.done():
        return task.result()
    if pinging and timeout_s == limits.ping_after_s:
        raise _Silence
    raise UpstreamFailed(f"the upstream provider did not finish within {limits.max_request_s} seconds")


def _refuse_stopped(limits: Limits) -> None:
    if not limits.stop.done():
        return
    if limits.stop.result() is Stop.CLIENT_LEFT:
        raise ClientGone
    raise Overloaded("the gateway is being stopped; the request can be tried again")


async def _cancel(task: asyncio.Future[T]) -> None:
    """End a task and wait until it has let go of its connection; its outcome stays in it."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio does not report it
