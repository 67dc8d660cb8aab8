"""The end of a request: its bill, its usage record, its budget settled; a line in the log either way."""

import asyncio
import logging

from channeling.admit import Admitted
from channeling.budgets.settlement import Ended, end_hold, key_of_record
from channeling.budgets.store import Hold
from channeling.budgets.unsettled_log import NOT_SETTLED, unsettled_fields
from channeling.call import Call
from channeling.caller import Caller, Routed
from channeling.errors import StoreUnavailable
from channeling.exchange import Bill, Exchange, bill_of
from channeling.gateway import Gateway
from channeling.json_logs import info_with_fields
from channeling.message_request import MessageRequest
from channeling.request_prices import RequestPrices
from channeling.usage.record import UsageRecord, record_fields

_log = logging.getLogger("channeling.requests")
# Ending a hold again is harmless (the record's key is made from it), so an answer that was lost is asked again.
_TRIES = 3
_RETRY_AFTER_S = 0.2


async def settle_request(
    gateway: Gateway,
    call: Call,
    caller: Caller,
    request: MessageRequest,
    routed: Routed,
    prices: RequestPrices,
    admitted: Admitted,
    hold: Hold,
    exchange: Exchange,
) -> Ended | None:
    """End a request's hold at its bill. Returns None where the store did not answer: the hold then stands until
    it expires, and the log has what is needed to bill it."""
    price = prices.billed(request, exchange.facts.model)
    bill = bill_of(
        exchange,
        price=price,
        price_of=prices.of,
        tokens_per_byte=gateway.tokens_per_byte,
        tokens_per_s=gateway.outputs.usual_tokens_per_s(routed.target.model),
        held=hold.amount,
    )
    if exchange.facts.usage is not None and exchange.facts.output_is_final:
        gateway.tokens_per_byte.observe(
            price.model_id, written_bytes=exchange.written_bytes, output_tokens=bill.counts.output_tokens
        )
        gateway.outputs.observe(
            caller.project.project_id,
            routed.target.model,
            output_tokens=bill.counts.output_tokens,
            written_bytes=exchange.written_bytes,
            writing_ms=exchange.ended_ms - (exchange.first_token_ms or exchange.ended_ms),
            was_silent=exchange.was_silent,
            was_whole=exchange.facts.stop_reason != "max_tokens",
        )
    source = price.source if exchange.facts.reported_cost is None else "reported"
    record = _record(call, caller, request, routed, admitted, hold, exchange, bill, source)
    limit = None if gateway.enforcement_of(caller.project) == "soft" else admitted.held.limit
    for tries_left in range(_TRIES - 1, -1, -1):
        try:
            ended = await end_hold(gateway.budgets, gateway.usage, hold, record, limit=limit)
        except StoreUnavailable:
            if tries_left:
                await asyncio.sleep(_RETRY_AFTER_S)
            continue
        if _log.isEnabledFor(logging.INFO):
            info_with_fields(_log, "settled", record_fields(ended.record))
        gateway.doors.metrics.request_ended(ended.record, settled=True)
        return ended
    _log.error(NOT_SETTLED, extra={"fields": unsettled_fields(record, limit)})
    gateway.doors.metrics.request_ended(record, settled=False)
    return None


def _record(
    call: Call,
    caller: Caller,
    request: MessageRequest,
    routed: Routed,
    admitted: Admitted,
    hold: Hold,
    exchange: Exchange,
    bill: Bill,
    price_source: str,
) -> UsageRecord:
    return UsageRecord(
        key=key_of_record(hold),
        project_id=caller.project.project_id,
        user_id=caller.claims.user_id,
        window_kind=hold.key.kind,
        window_start_s=hold.window_start_s,
        started_ms=call.started_ms,
        request_id=call.request_id,
        status=exchange.status if exchange.may_be_billed or exchange.abandoned else "refused",
        cost=bill.cost,
        provider=routed.route.provider,
        model_asked=request.model,
        model_used=exchange.facts.model or routed.target.model,
        price_source=price_source,
        counts=bill.counts,
        stop_reason=exchange.facts.stop_reason or "",
        duration_ms=exchange.ended_ms - call.started_ms,
        first_token_ms=None if exchange.first_token_ms is None else exchange.first_token_ms - call.started_ms,
        streamed=request.stream,
        estimated=bill.estimated,
        clamped=admitted.max_tokens is not None,
        cut=exchange.cut,
    )
