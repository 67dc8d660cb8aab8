"""From a routed request to money held for it: the ask, its quotes, and the provider's own count where it helps."""

import asyncio
import logging

from msgspec.structs import replace

from channeling.admit import Admitted, admit
from channeling.budget_marks import tell_of_marks
from channeling.budgets.admission import Held, NotHeld, hold_amount
from channeling.budgets.decide import HoldAsk
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import Adjustment, BudgetKey
from channeling.budgets.operations import finish_adjustment
from channeling.budgets.quote import Quote, quote_request
from channeling.budgets.settlement import key_of_record, reclaim_hold, release_unconfirmed
from channeling.budgets.store import Hold
from channeling.budgets.unsettled_log import NOT_SETTLED, unsettled_fields
from channeling.call import Call
from channeling.caller import Caller, Routed
from channeling.errors import StoreUnavailable, UpstreamFailed
from channeling.expected_output import ExpectedOutput
from channeling.gateway import Gateway
from channeling.message_request import MessageRequest
from channeling.output_meter import ahead_tokens
from channeling.request_prices import RequestPrices
from channeling.upstream import read_body
from channeling.usage.record import UsageRecord

_log = logging.getLogger(__name__)
_COUNT_TIMEOUT_S = 10.0
# The store has just failed: the caller, who is told to try again, should not wait long for this.
_RELEASE_TIMEOUT_S = 3.0


async def hold_request(
    gateway: Gateway,
    call: Call,
    caller: Caller,
    request: MessageRequest,
    routed: Routed,
    prices: RequestPrices,
) -> Admitted:
    """Hold what a request may cost; raises as `admit` does, and InvalidRequest for tools without a bound."""
    ask = _ask(gateway, call, caller)
    unbounded = caller.project.allow_unbounded_tools

    def quote(*, count_rounds: bool) -> Quote:
        return quote_request(
            request,
            prices.possible(request),
            max_tokens=routed.adapter.greatest_output_tokens(request, routed.target.model),
            least_tokens=routed.adapter.least_max_tokens(request, routed.target.model),
            allow_unbounded_tools=unbounded,
            count_rounds=count_rounds,
            image_tokens=routed.adapter.greatest_image_tokens(routed.target.model),
            unasked_searches=routed.adapter.unasked_searches(routed.target.model),
            keeps_state=routed.adapter.keeps_state,
        )

    async def reclaim(hold: Hold) -> None:
        ended = await reclaim_hold(gateway.budgets, gateway.usage, hold)
        if ended.settled_here:  # of several requests that find it expired, one settles it
            gateway.doors.metrics.hold_expired()
            await tell_of_marks(gateway, caller, hold, ended)

    first = quote(count_rounds=True)

    async def finish(key: BudgetKey, adjustment: Adjustment) -> None:
        await finish_adjustment(gateway.budgets, gateway.usage, key, adjustment)

    async def hold(amount: int, *, reserve: int) -> Held | NotHeld:
        leaving_it = replace(ask, reserve=reserve) if reserve else ask
        return await hold_amount(gateway.budgets, leaving_it, amount, gateway.doors.clock, reclaim, finish)

    try:
        return await admit(
            ask,
            first,
            hold=hold,
            count_input=lambda: count_input(gateway, call, request, routed),
            now_s=call.started_ms // 1000,
            streamed=request.stream,
            without_tool_rounds=quote(count_rounds=False) if unbounded and first.has_tool_rounds else None,
            expected=_expected_output(gateway, call, caller, request, routed),
        )
    except StoreUnavailable:
        await _release_unconfirmed(gateway, call, ask, request)
        raise


async def _release_unconfirmed(gateway: Gateway, call: Call, ask: HoldAsk, request: MessageRequest) -> None:
    """The hold may have landed with its answer lost; the request is refused, so it must cost nothing."""
    record = UsageRecord(
        key=key_of_record(ask),
        project_id=ask.key.project_id,
        user_id=ask.key.user_id,
        window_kind=ask.key.kind,
        window_start_s=0,  # not known: no window has said that the hold is in it
        started_ms=call.started_ms,
        request_id=call.request_id,
        status="refused",
        cost=0,
        model_asked=request.model,
        streamed=request.stream,
    )
    try:
        async with asyncio.timeout(_RELEASE_TIMEOUT_S):
            await release_unconfirmed(gateway.budgets, gateway.usage, ask, record)
    except (TimeoutError, StoreUnavailable):
        # Should it have landed, it is billed at what it held once it has expired: nothing says otherwise.
        # But this line: `channeling usage recover` then gives it back.
        _log.error(NOT_SETTLED, extra={"fields": unsettled_fields(record, ask.limit)})


def _expected_output(
    gateway: Gateway, call: Call, caller: Caller, request: MessageRequest, routed: Routed
) -> ExpectedOutput | None:
    """Return what a stream whose hold can grow with it may write; None: hold for all of `max_tokens`."""
    if not request.stream or gateway.enforcement_of(caller.project) != "elastic":
        return None
    model, outputs = routed.target.model, gateway.outputs
    return ExpectedOutput(
        outputs.sizes(caller.project.project_id, model, call.started_ms),
        ahead_tokens(outputs.top_tokens_per_s(model)),
    )


def _ask(gateway: Gateway, call: Call, caller: Caller) -> HoldAsk:
    settings, budget = gateway.settings, caller.claims.budget
    return HoldAsk(
        key=caller.budget_key,
        hold_id=new_hold_id(call.started_ms // 1000, gateway.doors.randomness),
        limit=budget.limit_nanousd,
        token_window_start_s=budget.window_start_s,
        issued_at_ms=caller.claims.issued_at_ms,
        max_concurrent=caller.project.max_concurrent or settings.max_concurrent,
        hold_lifetime_s=settings.hold_lifetime_s,
        enforcement=gateway.enforcement_of(caller.project),
    )


async def count_input(gateway: Gateway, call: Call, request: MessageRequest, routed: Routed) -> int | None:
    """Return the provider's own count of the input, or None where it gives none in good time."""
    counting = routed.adapter.count_call(
        request, routed.target, client_headers=call.text_headers(), query=call.query
    )
    if counting is None:
        return None
    try:
        async with asyncio.timeout(_COUNT_TIMEOUT_S):
            response = await gateway.doors.upstream.send(counting)
            try:
                body = await read_body(response)
            finally:
                await response.aclose()
        return routed.adapter.count_of(body) if response.status == 200 else None
    except (TimeoutError, UpstreamFailed):
        return None
