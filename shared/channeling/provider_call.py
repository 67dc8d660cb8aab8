"""One call to a provider, from the request to the answer that begins, or its refusal."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from channeling.call import Limits
from channeling.clock import Clock
from channeling.exchange import Exchange
from channeling.limited_wait import Silence, cancel, refuse_stopped, wait_for_task
from channeling.providers.provider_adapter import ProviderAdapter, SecondTry, no_second_try
from channeling.upstream import (
    UpstreamClient,
    UpstreamRequest,
    UpstreamResponse,
    UpstreamUnreachable,
    read_body,
)

_OK = 200
_MAX_ERROR_BYTES = 1024 * 1024


class ProviderCall(Struct, frozen=True):
    """One call to a provider, with what judges its errors. `log_original` takes an account's error for the log."""

    upstream: UpstreamClient
    request: UpstreamRequest
    adapter: ProviderAdapter
    api_key: str
    log_original: Callable[[str], None]
    clock: Clock
    second_try: SecondTry = no_second_try


class Refusal(Struct, frozen=True):
    """The provider's error answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def answer_of(
    call: ProviderCall,
    exchange: Exchange,
    limits: Limits,
    *,
    ping: Callable[[], Awaitable[None]],
) -> UpstreamResponse | Refusal:
    """Return the answer that begins, or the provider's refusal: of the second try, if there is one.

    `ping` is called when a client that waits for a stream should hear something.
    """
    refuse_stopped(limits)
    answering = asyncio.ensure_future(answer_without_limits(call, exchange))
    try:
        while True:
            try:
                return await wait_for_task(answering, limits, pinging=True)
            except Silence:
                await ping()
    except BaseException:
        await cancel(answering)
        if not answering.cancelled() and answering.exception() is None:
            response = answering.result()
            if not isinstance(response, Refusal):
                await response.aclose()
        raise


async def answer_without_limits(call: ProviderCall, exchange: Exchange) -> UpstreamResponse | Refusal:
    """Return what `answer_of` does, however long it takes; to be awaited within a request's limits."""
    request, second_try = call.request, call.second_try
    while True:
        exchange.may_be_billed = True
        try:
            response = await call.upstream.send(request)
        except UpstreamUnreachable:
            exchange.may_be_billed = False
            raise
        if response.status == _OK:
            return response
        exchange.refused_by_provider = True  # whatever becomes of reading why
        try:
            body = await read_body(response, max_bytes=_MAX_ERROR_BYTES)
        finally:
            await response.aclose()
        refusal = Refusal(response.status, response.headers, body)
        again = second_try(refusal.status, refusal.body)
        if again is None:
            return refusal
        exchange.refused_by_provider = False
        request, second_try = again, no_second_try
