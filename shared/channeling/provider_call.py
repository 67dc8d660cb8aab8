"""One call to a provider, from the request to the answer that begins, or its refusal."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from channeling.call import Limits
from channeling.clock import Clock
from channeling.exchange import Exchange
from channeling.limited_wait import Silence, cancel, refuse_stopped, wait_for, wait_for_task
from channeling.providers.provider_adapter import ProviderAdapter, SecondTry, no_second_try
from channeling.upstream import (
    UpstreamClient,
    UpstreamRequest,
    UpstreamResponse,
    UpstreamUnreachable,
    read_body,
)

_MAX_ERROR_BYTES = 1024 * 1024


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
class Refusal:
    """The provider's error answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def answer_of(
    call: ProviderCall,
    exchange: Exchange,
    limits: Limits,
    *,
    ping: Callable[[], Awaitable[None]] | None = None,
) -> UpstreamResponse | Refusal:
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
    refuse_stopped(limits)
    sending = asyncio.ensure_future(call.upstream.send(request))
    exchange.may_be_billed = True
    try:
        while True:
            try:
                response = await wait_for_task(sending, limits, pinging=ping is not None)
            except Silence:
                if ping is not None:
                    await ping()
            else:
                return response
    except UpstreamUnreachable:
        exchange.may_be_billed = False
        raise
    except BaseException:
        await cancel(sending)
        if not sending.cancelled() and sending.exception() is None:
            await sending.result().aclose()
        raise


async def _refusal(response: UpstreamResponse, limits: Limits) -> Refusal:
    try:
        body = await wait_for(read_body(response, max_bytes=_MAX_ERROR_BYTES), limits)
    finally:
        await response.aclose()
    return Refusal(response.status, response.headers, body)
