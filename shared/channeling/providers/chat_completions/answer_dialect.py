"""What differs in the answers of servers that speak chat completions."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from channeling.errors import GatewayError
from channeling.providers.chat_completions.errors import error_answer, stream_error
from channeling.providers.error_answer import Replacement


def _no_cost(usage: Mapping[str, Any]) -> int | None:
    return None


class AnswerDialect(Struct, frozen=True):
    """How one kind of server says errors and costs.

    `error_answer(status, headers, body, api_key=…)` is of an error answer, `stream_error` of an error under the
    status 200; `reported_cost` returns what a `usage` object says is billed, in nanodollars, or None.
    """

    error_answer: Callable[..., Replacement]
    stream_error: Callable[[Mapping[str, Any]], GatewayError]
    reported_cost: Callable[[Mapping[str, Any]], int | None] = _no_cost


PLAIN_ANSWERS = AnswerDialect(error_answer, stream_error)
