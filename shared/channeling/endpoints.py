"""The endpoints beside POST /v1/messages: token counts, models, the user's budget. None of them holds money."""

from urllib.parse import parse_qsl

import orjson

from channeling.answer import Answer
from channeling.budget_answer import BudgetState, budget_body
from channeling.budgets.item import BudgetItem, WindowState
from channeling.budgets.windows import Grid, first_window, next_window
from channeling.call import Call
from channeling.caller import Caller, authenticate, refuse_revoked, route_request
from channeling.errors import AuthenticationFailed, InvalidRequest, RateLimited
from channeling.exchange import Exchange
from channeling.gateway import Gateway
from channeling.message_request import parse_count_tokens_request
from channeling.model_pages import model_named, models_of, page_of
from channeling.pipeline import provider_call_of
from channeling.relay import relay_count

_JSON = ("content-type", "application/json")


async def count_tokens(gateway: Gateway, call: Call, answer: Answer) -> None:
    """Answer POST /v1/messages/count_tokens: free at the provider, so limited by rate alone."""
    caller = await authenticate(gateway, call.headers)
    await refuse_revoked(gateway, caller)
    if not gateway.count_rate.take(caller.budget_key.partition):
        raise RateLimited("Too many token counts at once; slow down a little", retry_after_s=1)
    request = parse_count_tokens_request(call.body)
    routed = route_request(gateway, caller, request)
    estimate = routed.adapter.estimated_input_tokens(request, routed.target.model)
    if estimate is not None:
        await answer_json(answer, {"input_tokens": estimate})
        return
    counting = routed.adapter.count_call(
        request, routed.target, client_headers=call.text_headers(), query=call.query
    )
    if counting is None:
        raise InvalidRequest(f"model: {request.model} is answered by a provider that counts no tokens")
    exchange = Exchange(streamed=False, body_bytes=len(call.body), sent_ms=call.started_ms, max_tokens=0)
    whole = await relay_count(provider_call_of(gateway, call, routed, counting), exchange, call.limits)
    await answer.start(whole.status, whole.headers)
    await answer.end(whole.body)


async def list_models(gateway: Gateway, call: Call, answer: Answer) -> None:
    """Answer GET /v1/models; never budget-gated, since clients discover by it."""
    caller = await known_caller(gateway, call)
    query = dict(parse_qsl(call.query, keep_blank_values=True))
    await answer_json(answer, page_of(models_of(caller, gateway.price_table), query))


async def get_model(gateway: Gateway, call: Call, answer: Answer) -> None:
    """Answer GET /v1/models/{id}."""
    caller = await known_caller(gateway, call)
    await answer_json(
        answer, model_named(models_of(caller, gateway.price_table), call.path_parameters["model_id"])
    )


async def get_budget(gateway: Gateway, call: Call, answer: Answer) -> None:
    """Answer GET /v1/budget with the caller's own budget as it stands; it writes nothing."""
    await answer_json(answer, budget_body(await budget_of_caller(gateway, call)))


async def budget_of_caller(gateway: Gateway, call: Call) -> BudgetState:
    """Return the caller's own budget as it stands; raise AuthenticationFailed for a token that was revoked."""
    caller = await authenticate(gateway, call.headers)
    item = await gateway.budgets.read(caller.budget_key)
    if item.revoked_before_ms is not None and caller.claims.issued_at_ms <= item.revoked_before_ms:
        raise AuthenticationFailed("The token was revoked. Ask for a new one.")
    return budget_now(caller, item, gateway.doors.clock.now_ms() // 1000)


def budget_now(caller: Caller, item: BudgetItem, now_s: int) -> BudgetState:
    """Return a budget as the next request would find it: the live window, or the one it would lay."""
    claim = caller.claims.budget
    window = item.window
    if window is not None and window.end_s > now_s:
        return BudgetState(claim.window, claim.limit_nanousd + item.live_raise(), window)
    grid = _next_grid(caller, item, now_s)
    empty = WindowState(grid.window.start_s, grid.window.end_s, committed=0, settled=0, holds={})
    return BudgetState(claim.window, claim.limit_nanousd, empty)


def _next_grid(caller: Caller, item: BudgetItem, now_s: int) -> Grid:
    claim = caller.claims.budget
    if item.window is None:
        return first_window(claim.window, claim.window_start_s, now_s)
    return next_window(
        claim.window,
        origin_s=item.origin_s,
        ended_s=item.window.end_s,
        token_start_s=claim.window_start_s,
        now_s=now_s,
    )


async def known_caller(gateway: Gateway, call: Call) -> Caller:
    """Return who calls, with a token that is not revoked (known to ten seconds); raise AuthenticationFailed."""
    caller = await authenticate(gateway, call.headers)
    await refuse_revoked(gateway, caller)
    return caller


async def answer_json(answer: Answer, body: object) -> None:
    """Send a whole JSON answer that nobody is to keep."""
    await answer.start(200, [_JSON, ("cache-control", "no-store")])
    await answer.end(orjson.dumps(body))
