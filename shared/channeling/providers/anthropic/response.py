"""Answers of the Anthropic API that come whole: what a message bills, what a count says.

The bytes go to the client as they came; this only reads them.
"""

from typing import Any

import orjson

from channeling.errors import UpstreamFailed
from channeling.providers.answer_stream import AnswerFacts, Emitted
from channeling.providers.anthropic.usage import billing_terms, has_count, side_usages, token_counts


def read_message(body: bytes) -> tuple[AnswerFacts, Emitted]:
    """Return what a message's JSON says of its bill and end, and how much the model wrote in it, to estimate usage
    that it lacks; raise UpstreamFailed when it is no message.

    A status of 200 proves nothing: proxies answer HTML or nothing under it. `usage` is None in a message that
    reports none.
    """
    message = _object(body)
    return _facts(message), _emitted(message)


def _facts(message: dict[str, Any]) -> AnswerFacts:
    if message.get("type") != "message":
        raise UpstreamFailed(_why_not_a_message(message))
    usage = message.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return AnswerFacts(
        usage=token_counts(usage),
        output_is_final=has_count(usage, "output_tokens"),
        terms=billing_terms(usage),
        side_usages=side_usages(usage),
        model=_text(message.get("model")),
        stop_reason=_text(message.get("stop_reason")),
    )


def _emitted(message: dict[str, Any]) -> Emitted:
    emitted = Emitted()
    content = message.get("content")
    for block in content if isinstance(content, list) else []:
        if isinstance(block, dict):
            add_block(emitted, block)
    return emitted


def add_block(emitted: Emitted, block: dict[str, Any]) -> None:
    """Count what the model wrote of a content block; results of tools at the provider are input, not output."""
    for name in ("text", "thinking", "data"):
        if isinstance(value := block.get(name), str):
            emitted.add(value)
    if block.get("input"):
        emitted.add(orjson.dumps(block["input"]).decode())


def count_of_tokens(body: bytes) -> int:
    """Return `input_tokens` of a count_tokens answer; raise UpstreamFailed when there is none.

    Source: `anthropic` 2.12.0, `types/message_tokens_count.py`.
    """
    document = _object(body)
    if not has_count(document, "input_tokens"):
        raise UpstreamFailed("the upstream provider answered a token count without input_tokens")
    return int(document["input_tokens"])


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UpstreamFailed("the upstream provider answered with something that is not JSON") from error
    if not isinstance(document, dict):
        raise UpstreamFailed("the upstream provider answered with JSON that is not an object")
    return document


def _why_not_a_message(document: dict[str, Any]) -> str:
    error = document.get("error")
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        return f"the upstream provider answered an error as if it were a success: {error['message']}"
    return "the upstream provider answered with JSON that is not a message"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
