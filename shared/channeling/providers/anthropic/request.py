"""What goes up to the Anthropic API: the client's own bytes, but for the few edits that must be.

Edits are splices of just the bytes they concern. A body that needs none goes up as the very same object, since a
body that is written anew breaks thinking signatures and prompt caches.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from channeling.errors import InvalidRequest
from channeling.json_spans import JsonText, Span
from channeling.message_request import MessageRequest
from channeling.providers.foreign_search import has_foreign_citations, is_foreign_search
from channeling.providers.thinking_signature import is_foreign_thinking

API_VERSION = "2023-06-01"
# `types/thinking_config_enabled_param.py`: at least 1,024, and less than max_tokens.
LEAST_THINKING_BUDGET_TOKENS = 1_024
LEAST_ANSWER_TOKENS = 64

# Beside `anthropic-*`: what tells the provider which client calls. Nothing else of the client's goes up: not its
# credential, cookies, addresses or tracing.
_FORWARDED_PREFIXES = ("anthropic-", "x-claude-code-", "x-stainless-")
_FORWARDED = frozenset({"user-agent", "x-app"})
_RETURNED = frozenset({"content-type", "request-id", "retry-after", "retry-after-ms", "x-should-retry"})
# No set: the type of a block in a request may be anything, lists too.
_PERHAPS_FOREIGN = ("thinking", "redacted_thinking", "server_tool_use", "web_search_tool_result")
# The project's account, not the caller's; rate limits are replaced by the user's own budget.
_ACCOUNT_PREFIXES = ("anthropic-ratelimit-", "anthropic-organization-", "anthropic-workspace-")


class _Splice(NamedTuple):
    span: Span
    replacement: bytes


def least_max_tokens(request: MessageRequest) -> int:
    """Return the lowest `max_tokens` that still gives a useful answer: 64, with a thinking budget 1,024 more."""
    least = LEAST_ANSWER_TOKENS
    if request.thinking is not None and request.thinking.kind == "enabled":
        least += LEAST_THINKING_BUDGET_TOKENS
    return least if request.max_tokens is None else min(request.max_tokens, least)


def upstream_body(request: MessageRequest, *, model: str, max_tokens: int | None = None) -> bytes:
    """Return the body to send: `model` is the provider's own name, `max_tokens` a lower bound than asked (or None).

    A clamp also lowers what `fallbacks` ask for, and thinking budgets, so that they stay valid. Thinking that is
    unsigned or was made by another provider is taken out of the history, and so are another provider's searches
    and citations of them; a message that held nothing else goes with it (two turns of one role in a row are valid:
    they are read as one). Raise ValueError when `max_tokens` is
    under `least_max_tokens`, InvalidRequest when no message is left.
    """
    splices: list[_Splice] = []
    if model != request.model:
        splices.append(_Splice(request.spans["model"], orjson.dumps(model)))
    if max_tokens is not None:
        if max_tokens < least_max_tokens(request):
            raise ValueError(f"max_tokens {max_tokens} is under the least, {least_max_tokens(request)}")
        splices += _clamps(request, max_tokens)
    splices += _without_foreign_blocks(request)
    return _spliced(request.raw, splices) if splices else request.raw


def upstream_headers(client_headers: Iterable[tuple[str, str]], api_key: str) -> list[tuple[str, str]]:
    """Return the headers to send: the client's `anthropic-*` and client identification as they came, our key.

    Names are lower-cased. `accept-encoding: identity` keeps events from being held back by a compressor.
    """
    headers = [("content-type", "application/json"), ("accept-encoding", "identity"), ("x-api-key", api_key)]
    headers += [
        (lower, value)
        for name, value in client_headers
        if (lower := name.lower()) in _FORWARDED or lower.startswith(_FORWARDED_PREFIXES)
    ]
    names = {name for name, _ in headers}
    if "anthropic-version" not in names:
        headers.append(("anthropic-version", API_VERSION))
    if "user-agent" not in names:
        headers.append(("user-agent", "channeling"))
    return headers


def upstream_url(base_url: str, path: str, query: str = "") -> str:
    """Return the address: base URL as the official SDK takes it (without `/v1`), path with it, query as it came."""
    url = base_url.rstrip("/") + path
    return f"{url}?{query}" if query else url


def response_headers(upstream_headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers of an answer that are the client's business, as they came, names lower-cased.

    Dropped are those of the connection, of the encoding (undone here), of the project's account, and cookies.
    """
    return [
        (lower, value)
        for name, value in upstream_headers
        if (lower := name.lower()) in _RETURNED
        or (lower.startswith("anthropic-") and not lower.startswith(_ACCOUNT_PREFIXES))
    ]


def _clamps(request: MessageRequest, max_tokens: int) -> Iterator[_Splice]:
    text = JsonText(request.raw)
    yield from _clamp_attempt(text, text.after_space(0), request.document, max_tokens)
    fallbacks = request.document.get("fallbacks")
    if isinstance(fallbacks, list):
        spans = text.elements(request.spans["fallbacks"].start)
        for span, fallback in zip(spans, fallbacks, strict=True):
            if isinstance(fallback, dict):
                yield from _clamp_attempt(text, span.start, fallback, max_tokens)


def _clamp_attempt(
    text: JsonText, start: int, attempt: Mapping[str, Any], max_tokens: int
) -> Iterator[_Splice]:
    """Lower `max_tokens` and the thinking budget of the object at `start`: the request, or one of its fallbacks."""
    spans = _value_spans(text, start)
    asked = attempt.get("max_tokens")
    if isinstance(asked, int) and asked > max_tokens:
        yield _Splice(spans["max_tokens"], b"%d" % max_tokens)
    thinking = attempt.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    greatest = max(LEAST_THINKING_BUDGET_TOKENS, max_tokens - LEAST_ANSWER_TOKENS)
    if isinstance(budget, int) and budget > greatest:
        yield _Splice(_value_spans(text, spans["thinking"].start)["budget_tokens"], b"%d" % greatest)


def _value_spans(text: JsonText, start: int) -> dict[str, Span]:
    return {key: span for key, _, span in text.members(start)}


def _without_foreign_blocks(request: MessageRequest) -> list[_Splice]:
    messages: list[dict[str, Any]] = request.document["messages"]
    foreign = [
        position
        for position, message in enumerate(messages)
        if _may_hold_foreign_blocks(message)
        and (any(_foreign_blocks(message)) or any(_cites_foreign_search(message)))
    ]
    if not foreign:
        return []
    text = JsonText(request.raw)
    message_spans = list(text.elements(request.spans["messages"].start))
    emptied = {position for position in foreign if all(_foreign_blocks(messages[position]))}
    if len(emptied) == len(messages):
        raise InvalidRequest(
            "messages: nothing is left without the thinking and searches that another provider made"
        )
    splices = _removals(message_spans, emptied)
    for position in foreign:
        if position not in emptied:
            content = _value_spans(text, message_spans[position].start)["content"]
            block_spans = list(text.elements(content.start))
            removed = {
                number for number, is_foreign in enumerate(_foreign_blocks(messages[position])) if is_foreign
            }
            splices += _removals(block_spans, removed)
            for number, cites in enumerate(_cites_foreign_search(messages[position])):
                if cites:
                    citations = _value_spans(text, block_spans[number].start)["citations"]
                    splices.append(_Splice(citations, b"null"))
    return splices


def _may_hold_foreign_blocks(message: dict[str, Any]) -> bool:
    """A quick look: most turns hold plain text, or none that a model wrote."""
    return any(
        block.get("type") in _PERHAPS_FOREIGN or "citations" in block for block in _written_blocks(message)
    )


def _foreign_blocks(message: dict[str, Any]) -> list[bool]:
    return [is_foreign_thinking(block) or is_foreign_search(block) for block in _written_blocks(message)]


def _cites_foreign_search(message: dict[str, Any]) -> list[bool]:
    return [has_foreign_citations(block) for block in _written_blocks(message)]


def _written_blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if message.get("role") != "assistant" or not isinstance(content, list):
        return []
    return [block if isinstance(block, dict) else {} for block in content]


def _removals(spans: list[Span], removed: set[int]) -> list[_Splice]:
    """Cut elements out of an array that keeps at least one, each with the comma that its absence makes needless."""
    first_kept = next(position for position in range(len(spans)) if position not in removed)
    return [
        _Splice(
            Span(spans[position].start, spans[position + 1].start)
            if position < first_kept
            else Span(spans[position - 1].end, spans[position].end),
            b"",
        )
        for position in sorted(removed)
    ]


def _spliced(raw: bytes, splices: list[_Splice]) -> bytes:
    pieces, position = [], 0
    for span, replacement in sorted(splices):
        pieces += [raw[position : span.start], replacement]
        position = span.end
    return b"".join([*pieces, raw[position:]])


# `types/message_count_tokens_params.py` and its beta: what a count may be asked with. Other keys of a message
# request are refused there.
_COUNTED_KEYS = (
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "cache_control",
    "output_config",
    "speed",
    "context_management",
    "mcp_servers",
)


def counting_body(request: MessageRequest, *, model: str) -> bytes:
    """Return the body that asks how many input tokens a request for a message has.

    A request that came to count_tokens itself (it has no `max_tokens`) goes up as it is.
    """
    body = upstream_body(request, model=model)
    if request.max_tokens is None:
        return body
    text = JsonText(body)
    spans = _value_spans(text, text.after_space(0))
    pieces = [b'"model":' + body[spans["model"].start : spans["model"].end]]
    pieces += [
        b'"%b":%b' % (key.encode(), body[spans[key].start : spans[key].end])
        for key in _COUNTED_KEYS
        if key in spans
    ]
    return b"{" + b",".join(pieces) + b"}"
