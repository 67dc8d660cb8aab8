"""Carrying a provider's answer to the client: whole or as a stream, with pings in silence, until one side ends it.

Three things can wake the relay while it waits for the provider: the client left or this server stops, the
deadline is near, or nothing was sent for a while. The exchange is filled in as bytes pass, so that whatever
happens it can be billed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from channeling.answer import Answer, ClientGone
from channeling.call import Limits, Stop
from channeling.clock import Clock
from channeling.errors import GatewayError, Overloaded, UpstreamFailed
from channeling.exchange import Exchange
from channeling.providers.answer_stream import AnswerStream
from channeling.providers.error_answer import Relay
from channeling.providers.provider_adapter import ProviderAdapter
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


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """One call to a provider, with what reads its answer. `log_original` takes an account's error for the log."""

    upstream: UpstreamClient
    request: UpstreamRequest
    adapter: ProviderAdapter
    api_key: str
    log_original: Callable[[str], None]
    clock: Clock
    # Called once, when a stream has said what its input is billed as.
    input_is_known: Callable[[TokenCounts], None] | None = None


class _Silence(Exception):
    """Nothing came from the provider for `ping_after_s`."""


async def relay_whole(call: ProviderCall, exchange: Exchange, limits: Limits) -> WholeBody:
    """Return the provider's answer, read to its end.

    Raises GatewayError for what the client gets instead, and ClientGone; the exchange says what to bill.
    """
    answer = await _whole_body(call, exchange, limits)
    if answer.status != 200:
        return answer
    try:
        whole = call.adapter.whole_answer(answer.body)
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
    response = await _headers_of_answer(call, exchange, limits)
    try:
        if response.status != 200:
            return await _error_body(call, response, exchange, limits)
        # The provider sends the status of such an answer when all of it is written, and billed.
        exchange.body_began = True
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
) -> WholeBody | None:
    """Pass a stream on until its end, good or bad; return None, or an error answer that came instead of a stream.

    Every byte is with the client when this returns, but the response is not ended. Raises GatewayError while
    nothing was sent, and ClientGone.
    """

    async def ping() -> None:
        if not answer.started:
            await answer.start(200, [*STREAM_HEADERS, *budget_headers])
        await answer.write(PING)

    exchange.facts, exchange.emitted = stream.facts, stream.emitted
    try:
        response = await _headers_of_answer(call, exchange, limits, ping=ping)
        try:
            if response.status != 200:
                whole = await _error_body(call, response, exchange, limits)
                if not answer.started:
                    return whole
                await answer.write(_as_error_event(whole.body))
                return None
            _refuse_other_media(response)
            headers = [*call.adapter.answer_headers(response.headers), *budget_headers]
            await _pass_on(call, response, stream, answer, exchange, limits, headers)
        finally:
            await response.aclose()
    except GatewayError as error:
        if not answer.started:
            raise
        await answer.write(stream.fail(error))
    finally:
        exchange.facts, exchange.emitted = stream.facts, stream.emitted
    return None


async def _pass_on(
    call: ProviderCall,
    response: UpstreamResponse,
    stream: AnswerStream,
    answer: Answer,
    exchange: Exchange,
    limits: Limits,
    headers: Sequence[tuple[str, str]],
) -> None:
    chunks = response.chunks()
    pending: asyncio.Task[bytes | None] | None = None
    chunk: bytes | None = None
    input_is_known = call.input_is_known
    try:
        while not stream.ended:
            pending = pending or asyncio.ensure_future(_next_chunk(chunks))
            try:
                chunk = await _wait_for_task(pending, limits, pinging=True)
            except _Silence:
                data = PING
            else:
                pending = None
                data = stream.finish() if chunk is None else stream.feed(chunk)
                if input_is_known is not None and stream.facts.usage is not None:
                    input_is_known(stream.facts.usage)
                    input_is_known = None
                if data and exchange.first_token_ms is None:
                    exchange.first_token_ms = call.clock.now_ms()
            if data:
                if not answer.started:
                    await answer.start(200, headers)
                await answer.write(data)
    finally:
        if pending is not None:
            await _cancel(pending)
            if not pending.cancelled() and pending.exception() is None and (unread := pending.result()):
                stream.feed(unread)  # metered, so billed, though nobody is there to read it
    exchange.status = "failed" if stream.error else "ok"
    # An error event before any output is a refusal that came late: providers bill nothing for it.
    exchange.refused_by_provider = chunk is not None and bool(stream.error) and not exchange.written_bytes


async def _headers_of_answer(
    call: ProviderCall,
    exchange: Exchange,
    limits: Limits,
    *,
    ping: Callable[[], Awaitable[None]] | None = None,
) -> UpstreamResponse:
    _refuse_stopped(limits)
    sending = asyncio.ensure_future(call.upstream.send(call.request))
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


async def _error_body(
    call: ProviderCall, response: UpstreamResponse, exchange: Exchange, limits: Limits
) -> WholeBody:
    exchange.refused_by_provider = True
    body = await _wait_for(read_body(response, max_bytes=_MAX_ERROR_BYTES), limits)
    decision = call.adapter.error_answer(response.status, response.headers, body, api_key=call.api_key)
    if isinstance(decision, Relay):
        return WholeBody(decision.status, call.adapter.answer_headers(response.headers), decision.body)
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


async def _wait_for_task(task: asyncio.Future[T], limits: Limits, *, pinging: bool) -> T:
    now_s = asyncio.get_running_loop().time()
    timeout_s = max(0.0, limits.deadline_s - now_s)
    if pinging:
        timeout_s = min(timeout_s, limits.ping_after_s)
    waiting: set[asyncio.Future[Any]] = {task, limits.stop}
    await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    # Before a result: a client that has left must stop a provider that writes faster than we read.
    _refuse_stopped(limits)
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
