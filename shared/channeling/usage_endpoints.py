"""A user's own figures, by their token and nobody else's: GET /v1/usage and GET /api/oauth/usage."""

from urllib.parse import parse_qsl

from channeling.answer import Answer
from channeling.call import Call
from channeling.endpoints import answer_json, budget_of_caller, known_caller
from channeling.errors import RateLimited
from channeling.gateway import Gateway
from channeling.usage_answer import UsageTally, claude_code_usage, days_asked_for


async def get_usage(gateway: Gateway, call: Call, answer: Answer) -> None:
    """Answer GET /v1/usage?from=2026-11-01&to=2026-11-24 with what the caller's requests used and cost."""
    caller = await known_caller(gateway, call)
    now_s = gateway.doors.clock.now_ms() // 1000
    days = days_asked_for(dict(parse_qsl(call.query, keep_blank_values=True)), now_s)
    if not gateway.usage_rate.take(caller.budget_key.partition, len(days.each)):
        raise RateLimited("Too much usage asked for at once; slow down a little", retry_after_s=1)
    tally = UsageTally(days)
    until_hour = min(days.until_hour, now_s // 3_600 + 1)
    async for rollup in gateway.rollups.read(
        caller.project.project_id, days.from_hour, until_hour, user_id=caller.claims.user_id
    ):
        tally.add(rollup)
    await answer_json(answer, tally.body())


async def get_claude_code_usage(gateway: Gateway, call: Call, answer: Answer) -> None:
    """Answer GET /api/oauth/usage, the path on which Claude Code asks a gateway for dollars."""
    await answer_json(answer, claude_code_usage(await budget_of_caller(gateway, call)))
