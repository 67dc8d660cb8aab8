"""An Anthropic Messages request as a body of OpenAI's Responses API.

What is carried over, what is lost and what is refused is listed in docs/wire-formats.md, and a test holds that list
against this code and against the Anthropic SDK's types. Body: `openai` 3.54.0,
`types/responses/response_create_params.py`.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from channeling.errors import InvalidRequest
from channeling.message_request import MessageRequest
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.caller_identity import identity_of
from channeling.providers.content_blocks import ContentTerms
from channeling.providers.history import HistoryTerms, Item, input_items
from channeling.providers.history_repair import repaired
from channeling.providers.input_tokens import estimate_input_tokens
from channeling.providers.openai.model_traits import ModelTraits, traits_of
from channeling.providers.openai.output_limits import output_tokens_asked
from channeling.providers.openai.reasoning import translate_reasoning
from channeling.providers.openai.reasoning_signature import unseal
from channeling.providers.openai.tools import translate_tools
from channeling.providers.openai.turns import with_order_in_turns
from channeling.providers.request_parameters import (
    number_of,
    output_format_of,
    refuse_unsupported,
    stop_sequences_of,
    system_text,
)

_FORMAT_NAME = "answer"


class Translation(Struct, frozen=True):
    """The body to send, and what the reader of its answer must know."""

    body: dict[str, Any]
    terms: AnswerTerms


def translate_request(
    request: MessageRequest, *, model: str, max_tokens: int | None, stream: bool, session: str | None = None
) -> Translation:
    """Return what to send to OpenAI for a request; raise InvalidRequest naming what cannot be sent.

    `model` is the upstream name; `max_tokens` is a lower bound than asked, or None. A request for a count has no
    `max_tokens`, and becomes the body of the answer that it would be. `session` is what the client calls its
    session, where it says so outside of the body.
    """
    document, traits = request.document, traits_of(model)
    refuse_unsupported(document)
    tools = translate_tools(document)
    reasoning = translate_reasoning(document, traits, has_web_search=tools.has_web_search)
    items = input_items(document["messages"], _history_terms(traits))
    used_tool_ids = frozenset(item["call_id"] for item in items if item["type"] == "function_call")
    items = with_order_in_turns(repaired(items), labels_phases=traits.labels_phases)
    if not items:
        raise InvalidRequest("messages: nothing is left to send, since all of the content is empty")
    body: dict[str, Any] = {"model": model, "store": False}
    if instructions := system_text(document.get("system")):
        body["instructions"] = instructions
    body["input"] = items
    body |= tools.body | reasoning.body | _format(document) | _identity(document, session)
    body |= _sampling(document, traits)
    included = ["reasoning.encrypted_content"] if traits.reasons else []
    if tools.has_web_search:
        included.append("web_search_call.action.sources")
    if included:
        body["include"] = included
    asked = request.max_tokens if max_tokens is None else max_tokens
    if asked is not None:
        body["max_output_tokens"] = output_tokens_asked(asked, traits)
    if document.get("service_tier") == "standard_only":
        body["service_tier"] = "default"
    if stream:
        body |= {"stream": True, "stream_options": {"include_obfuscation": False}}
    terms = AnswerTerms(
        model=request.model,
        names=tools.names,
        stop_sequences=stop_sequences_of(document),
        input_tokens_estimate=estimate_input_tokens(body),
        shows_thinking=reasoning.shown,
        keeps_thinking=reasoning.asked,
        has_web_search=tools.has_web_search,
        structured_output="text" in body,
        used_tool_ids=used_tool_ids,
    )
    return Translation(body, terms)


def _history_terms(traits: ModelTraits) -> HistoryTerms:
    def reasoning_of(signature: Any) -> Item | None:
        reasoning = unseal(signature) if traits.reasons else None
        if reasoning is None:
            return None
        return {
            "type": "reasoning",
            "id": reasoning.id,
            "summary": [{"type": "summary_text", "text": text} for text in reasoning.summary],
            "encrypted_content": reasoning.encrypted_content,
        }

    # Reasoning led to the item of such a tool, which is not sent again, and is refused without it.
    return HistoryTerms(ContentTerms(traits.takes_images), reasoning_of, notes_end_reasoning=True)


def _format(document: Mapping[str, Any]) -> dict[str, Any]:
    asked = output_format_of(document)
    if asked is None:
        return {}
    name_and_schema = {"name": _FORMAT_NAME, "schema": asked.schema, "strict": asked.strict}
    return {"text": {"format": {"type": "json_schema", **name_and_schema}}}


def _identity(document: Mapping[str, Any], session: str | None) -> dict[str, Any]:
    caller = identity_of(document, session)
    # The same key for all requests of a session keeps them at one cache.
    told = {"safety_identifier": caller.person, "prompt_cache_key": caller.session}
    return {key: value for key, value in told.items() if value is not None}


def _sampling(document: Mapping[str, Any], traits: ModelTraits) -> dict[str, Any]:
    """Return `temperature` and `top_p` for a model that takes them: none that reasons does."""
    given = {key: number_of(document, key) for key in ("temperature", "top_p")}
    return {key: value for key, value in given.items() if value is not None and traits.takes_sampling}
