"""An Anthropic Messages request as the body of a chat completion (`POST /chat/completions`).

Body: `openai` 3.54.0, `types/chat/completion_create_params.py`, as far as servers that are compatible with it are
known to take it.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from msgspec import Struct
from msgspec.structs import replace

from channeling.errors import InvalidRequest
from channeling.message_request import MessageRequest
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.chat_completions.dialect import PLAIN, Dialect
from channeling.providers.chat_completions.messages import Message, chat_messages, content_of
from channeling.providers.chat_completions.model_traits import chat_model_traits, family_of
from channeling.providers.chat_completions.reasoning_signature import unseal
from channeling.providers.chat_completions.tools import ToolSettings, translate_tools
from channeling.providers.content_blocks import ContentTerms, parts_of
from channeling.providers.history import HistoryTerms, Item, input_items
from channeling.providers.history_repair import repaired
from channeling.providers.input_tokens import estimate_input_tokens
from channeling.providers.request_parameters import (
    number_of,
    output_format_of,
    refuse_unsupported,
    stop_sequences_of,
    system_blocks,
    system_text,
)
from channeling.providers.thinking_request import thinking_request_of

_FORMAT_NAME = "answer"
# Reasoning that goes back is text, or base64 of it: a token for some four characters, or six.
_REASONING_PER_TOKEN = 5


class Translation(Struct, frozen=True):
    """The body to send, and what the reader of its answer must know."""

    body: dict[str, Any]
    terms: AnswerTerms


def translate_request(
    request: MessageRequest, *, model: str, max_tokens: int | None, stream: bool, dialect: Dialect = PLAIN
) -> Translation:
    """Return what to send for a request; raise InvalidRequest naming what cannot be sent.

    `model` is the upstream name; `max_tokens` is a lower bound than asked, or None. A request for a count has no
    `max_tokens`, and becomes the body of the answer that it would be.
    """
    document, traits = request.document, chat_model_traits(model)
    if not dialect.takes_reasoning_details:
        traits = replace(traits, signs_calls=False)
    refuse_unsupported(document)
    tools = translate_tools(document, dialect)
    thinking = thinking_request_of(document)
    items = input_items(document["messages"], _history_terms(model, dialect))
    used_tool_ids = frozenset(item["call_id"] for item in items if item["type"] == "function_call")
    items = repaired(items)
    if not items:
        raise InvalidRequest("messages: nothing is left to send, since all of the content is empty")
    body: dict[str, Any] = {"model": model}
    body["messages"] = [*_system(document, dialect), *chat_messages(items, traits)]
    body |= tools.body | _format(document)
    if traits.reasons:
        body |= dialect.reasoning_of(thinking)
    body |= _sampling(document, dialect)
    asked = request.max_tokens if max_tokens is None else max_tokens
    if asked is not None:
        # Every known server takes this name; `max_completion_tokens`, which replaces it at OpenAI, not all.
        body["max_tokens"] = max(asked, dialect.least_output_tokens)
    if stream:
        body["stream"] = True
        if dialect.asks_for_usage:
            body["stream_options"] = {"include_usage": True}
    terms = AnswerTerms(
        model=request.model,
        upstream_model=model,
        names=tools.names,
        stop_sequences=stop_sequences_of(document),
        input_tokens_estimate=_estimate(document, tools, body, items),
        shows_thinking=thinking.shown,
        keeps_thinking=thinking.asked,
        has_web_search=tools.search_tool is not None,
        structured_output="response_format" in body,
        used_tool_ids=used_tool_ids,
    )
    return Translation(body, terms)


def _history_terms(model: str, dialect: Dialect) -> HistoryTerms:
    def reasoning_of(signature: Any) -> Item | None:
        reasoning = unseal(signature)
        # Another model's reasoning would be refused: its signatures are of another vendor's.
        if reasoning is None or family_of(reasoning.model) != family_of(model):
            return None
        details = reasoning.details if dialect.takes_reasoning_details else ()
        text = {reasoning.text_key: reasoning.text} if reasoning.text else {}
        return {"type": "reasoning", "details": details, "text": text} if details or text else None

    content = ContentTerms(takes_files=dialect.takes_files, keeps_cache_control=dialect.takes_cache_control)
    return HistoryTerms(content, reasoning_of, notes_end_reasoning=False)


def _system(document: Mapping[str, Any], dialect: Dialect) -> list[Message]:
    blocks = system_blocks(document.get("system"))
    parts = parts_of(blocks, ("system",), ContentTerms(keeps_cache_control=dialect.takes_cache_control))
    return [{"role": "system", "content": content_of(parts)}] if parts else []


def _format(document: Mapping[str, Any]) -> dict[str, Any]:
    asked = output_format_of(document)
    if asked is None:
        return {}
    json_schema = {"name": _FORMAT_NAME, "schema": asked.schema, "strict": asked.strict}
    return {"response_format": {"type": "json_schema", "json_schema": json_schema}}


def _sampling(document: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    given = {key: number_of(document, key) for key in ("temperature", "top_p", "top_k")}
    return {
        key: value
        for key, value in given.items()
        if value is not None and (key != "top_k" or dialect.takes_top_k)
    }


def _estimate(
    document: Mapping[str, Any], tools: ToolSettings, body: Mapping[str, Any], items: list[Item]
) -> int:
    read = [item for item in items if item["type"] != "reasoning"]
    counted = {"instructions": system_text(document.get("system")), "input": read}
    counted |= {"tools": tools.body.get("tools", ())}
    if "response_format" in body:
        counted["text"] = body["response_format"]
    reasoning = [[item["details"], item["text"]] for item in items if item["type"] == "reasoning"]
    return estimate_input_tokens(counted) + len(orjson.dumps(reasoning)) // _REASONING_PER_TOKEN
