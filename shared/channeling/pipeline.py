"""The life of a request for a message, from the caller's bytes to the settled bill, in one function.

authenticate → route → translate → price → hold → call the provider, pass its answer on → bill, record, settle → end
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from channeling.admit import Admitted
from channeling.answer import Answer, ClientGone
from channeling.budget_answer import BudgetState, budget_headers
from channeling.budget_marks import tell_of_marks
from channeling.budgets.item import BudgetItem
from channeling.budgets.settlement import Ended
from channeling.budgets.store import window_of
from channeling.call import Call, Stop
from channeling.caller import Caller, Routed, authenticate, refuse_capped, route_request
from channeling.errors import GatewayError, UpstreamFailed
from channeling.exchange import NOTICE_MS, Exchange
from channeling.gateway import Gateway
from channeling.hold_request import count_input, hold_request
from channeling.message_request import MessageRequest, parse_message_request
from channeling.output_meter import ByteRates, OutputMeter
from channeling.provider_call import ProviderCall
from channeling.providers.provider_adapter import MessageCall, SecondTry, no_second_try
from channeling.relay import WholeBody, relay_stream, relay_whole
from channeling.request_prices import RequestPrices
from channeling.settle_request import settle_request
from channeling.standing_hold import StandingHold
from channeling.upstream import UpstreamRequest
from channeling.usage.output_history import OutputHistory

_log = logging.getLogger(__name__)
CLAMPED_HEADER = "x-channeling-max-tokens"

Headers = Sequence[tuple[str, str]]


async def answer_message(gateway: Gateway, call: Call, answer: Answer) -> None:
    """Answer POST /v1/messages. Raises GatewayError while nothing is held; a client that left is no error.

    It must run to its end, since only that ends the hold: `run_to_its_end` sees to it.
    """
    caller = await authenticate(gateway, call.headers)
    refuse_capped(caller, call.started_ms / 1000)
    request = parse_message_request(call.body)
    routed = route_request(gateway, caller, request)
    book = await gateway.price_book(caller.project)
    prices = RequestPrices(book, routed.route.provider, routed.target.model, call.started_ms / 1000)
    if routed.route.provider == "openrouter":
        # OpenRouter alone has several sellers of a model, and can be told what is the most to pay.
        routed = routed.held_at(prices.plain_rates(request))
    # Before the hold: it may not be one that can be asked.
    message_call = _message_call(call, request, routed)
    # While the store is asked: on a cold start it takes as long to greet the provider.
    gateway.doors.connect_ahead(message_call.request.url)
    admitted = await hold_request(gateway, call, caller, request, routed, prices)
    standing = _standing_hold(gateway, call, caller, request, routed, admitted)
    exchange = _new_exchange(gateway, request, admitted)
    with gateway.outputs.running(caller.project.project_id, routed.target.model, standing.least_tokens):
        unsent = await _relay(
            gateway, call, answer, request, routed, message_call, admitted, standing, exchange
        )
    hold = await standing.last()
    ended = await settle_request(gateway, call, caller, request, routed, prices, admitted, hold, exchange)
    await _finish(answer, unsent, admitted, ended)
    if ended is not None:
        await tell_of_marks(gateway, caller, hold, ended)


async def run_to_its_end(work: Coroutine[Any, Any, None], stop: asyncio.Future[Stop]) -> None:
    """Run work that must not be cancelled half-way: a cancellation tells it that the server stops, and waits."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        if not stop.done():
            stop.set_result(Stop.SERVER_STOPS)
        await asyncio.wait({task})
        raise


def provider_call_of(
    gateway: Gateway,
    call: Call,
    routed: Routed,
    request: UpstreamRequest,
    second_try: SecondTry = no_second_try,
) -> ProviderCall:
    """Return a call to the provider that a request is routed to."""
    return ProviderCall(
        upstream=gateway.doors.upstream,
        request=request,
        adapter=routed.adapter,
        api_key=routed.target.api_key,
        log_original=lambda original: _log_account_error(call, routed, original),
        clock=gateway.doors.clock,
        second_try=second_try,
    )


def _message_call(
    call: Call, request: MessageRequest, routed: Routed, *, max_tokens: int | None = None
) -> MessageCall:
    return routed.adapter.message_call(
        request,
        routed.target,
        max_tokens=max_tokens,
        client_headers=call.text_headers(),
        query=call.query,
        request_id=call.request_id,
    )


def _standing_hold(
    gateway: Gateway,
    call: Call,
    caller: Caller,
    request: MessageRequest,
    routed: Routed,
    admitted: Admitted,
) -> StandingHold:
    elastic = request.stream and gateway.enforcement_of(caller.project) == "elastic"
    return StandingHold(
        gateway.budgets,
        admitted,
        meter=_output_meter(gateway.outputs, request, routed) if elastic else None,
        clock=gateway.doors.clock,
        monotonic_s=asyncio.get_running_loop().time,
        hold_lifetime_s=gateway.settings.hold_lifetime_s,
        count_input=lambda: count_input(gateway, call, request, routed),
    )


def _output_meter(outputs: OutputHistory, request: MessageRequest, routed: Routed) -> OutputMeter:
    model = routed.target.model
    usual, top = outputs.tokens_per_1000_bytes(model, 50), outputs.tokens_per_1000_bytes(model, 99)
    rates = None if usual is None or top is None else ByteRates(usual, top)
    return OutputMeter(
        outputs.top_tokens_per_s(model),
        rates,
        outputs.usual_tokens_per_s(model),
        shows_all=routed.adapter.shows_all(request, model),
    )


def _new_exchange(gateway: Gateway, request: MessageRequest, admitted: Admitted) -> Exchange:
    return Exchange(
        streamed=request.stream,
        body_bytes=len(request.raw),
        sent_ms=gateway.doors.clock.now_ms(),
        max_tokens=admitted.quote.max_tokens if admitted.max_tokens is None else admitted.max_tokens,
    )


async def _relay(
    gateway: Gateway,
    call: Call,
    answer: Answer,
    request: MessageRequest,
    routed: Routed,
    message_call: MessageCall,
    admitted: Admitted,
    standing: StandingHold,
    exchange: Exchange,
) -> WholeBody | GatewayError | None:
    """Return what is still to be sent: a whole answer, an error, or None for a stream that was sent."""
    try:
        if admitted.max_tokens is not None:
            message_call = _message_call(call, request, routed, max_tokens=admitted.max_tokens)
        exchange.input_tokens_estimate = message_call.input_tokens_estimate
        provider_call = provider_call_of(gateway, call, routed, message_call.request, message_call.second_try)
        if not request.stream:
            return await relay_whole(provider_call, message_call.reader, exchange, call.limits)
        stream = message_call.reader.stream()
        headers = _budget_headers(admitted, admitted.held.item)
        return await relay_stream(provider_call, stream, answer, exchange, call.limits, headers, standing)
    except GatewayError as error:
        return error
    except ClientGone:
        exchange.status, exchange.abandoned = "cancelled", True
        return None
    except Exception:
        # A defect of ours: the hold is ended all the same, at what was seen.
        _log.exception("request %s failed inside the gateway", call.request_id)
        return UpstreamFailed("the gateway failed while answering; the request can be tried again")
    finally:
        if call.limits.stop.done() and exchange.status != "ok":
            exchange.status, exchange.abandoned = "cancelled", True
        exchange.ended_ms = gateway.doors.clock.now_ms()
        if standing.meter is not None:
            now_s = asyncio.get_running_loop().time()
            # What came in one piece with the ending: nobody asked for the hold to keep up with it.
            standing.meter.read(exchange.emitted, now_s)
            exchange.was_silent = standing.meter.was_silent or standing.meter.is_silent(now_s)
            exchange.metered_tokens = standing.meter.tokens(now_s + NOTICE_MS / 1000)


async def _finish(
    answer: Answer, unsent: WholeBody | GatewayError | None, admitted: Admitted, ended: Ended | None
) -> None:
    """Send what waited for the bill, and end the answer: its headers show the budget after the request."""
    headers = _budget_headers(admitted, ended.item) if ended is not None else []
    try:
        if answer.started:
            await answer.end()
        elif isinstance(unsent, WholeBody):
            await answer.whole(unsent.status, [*unsent.headers, *headers], unsent.body)
        elif isinstance(unsent, GatewayError):
            await answer.refuse(unsent, headers)
    except ClientGone:
        pass  # it is billed; nobody is there to be told


def _budget_headers(admitted: Admitted, item: BudgetItem) -> list[tuple[str, str]]:
    hold = admitted.held.hold
    found = window_of(item, hold.window_start_s)
    headers = [] if admitted.max_tokens is None else [(CLAMPED_HEADER, str(admitted.max_tokens))]
    if found is None:
        return headers
    return [*headers, *budget_headers(BudgetState(hold.key.kind, admitted.held.limit, found[0]))]


def _log_account_error(call: Call, routed: Routed, original: str) -> None:
    _log.error("request %s: %s answered %s", call.request_id, routed.route.provider, original)
