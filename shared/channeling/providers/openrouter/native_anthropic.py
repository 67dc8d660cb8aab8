"""Anthropic's models at OpenRouter, in Anthropic's own format: byte-faithful both ways, as at Anthropic itself.

`POST /messages` behind the same base URL takes and gives what Anthropic's API does (openrouter.ai/docs/api/
api-reference/anthropic-messages; `openrouter` 1.3.84, `components/messagesrequest.py`), so that signatures of
thinking, cache marks, documents and server tools survive. What it says of `usage.cost` is the bill.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from msgspec import Struct
from msgspec.structs import replace

from channeling.errors import InvalidRequest, UpstreamFailed
from channeling.message_request import MessageRequest
from channeling.pricing.allowances import IMAGE_TOKENS
from channeling.providers.answer_stream import AnswerStream
from channeling.providers.anthropic.errors import relay_or_replace
from channeling.providers.anthropic.request import (
    least_max_tokens,
    response_headers,
    upstream_body,
    upstream_headers,
    upstream_url,
)
from channeling.providers.anthropic.response import read_message
from channeling.providers.anthropic.stream import AnthropicStream
from channeling.providers.error_answer import Relay, Replacement
from channeling.providers.openrouter.attribution import attribution_headers
from channeling.providers.openrouter.cost import reported_cost
from channeling.providers.openrouter.errors import error_answer
from channeling.providers.openrouter.request import searches_unasked, translate_request
from channeling.providers.provider_adapter import Headers, MessageCall, UpstreamTarget, WholeAnswer
from channeling.providers.usage_fields import object_in
from channeling.upstream import UpstreamRequest

MESSAGES_PATH = "/messages"
# Slugs such as `anthropic/claude-sonnet-4.5`, and `~anthropic/…` for whichever is the latest.
_SLUG = re.compile(r"~?anthropic/", re.IGNORECASE)
# What OpenRouter has beyond Anthropic's fields and what leads to other models, other prices or fees: nothing of it
# is held for, nor is a token's list of models asked about it.
_LEADING_ELSEWHERE = ("models", "route", "fallbacks", "plugins", "provider", "preset")


def is_native_model(model: str) -> bool:
    """Say whether OpenRouter's name for a model is one of Anthropic's.

    What searches the web by its name alone is translated, where the search can be bound.
    """
    return _SLUG.match(model) is not None and not searches_unasked(model)


class NativeReader(Struct, frozen=True):
    """`AnswerReader` of Anthropic's format as OpenRouter has it."""

    request_id: str

    def stream(self) -> AnswerStream:
        return AnthropicStream(self.request_id, reported_cost=reported_cost)

    def whole_answer(self, body: bytes) -> WholeAnswer:
        facts, emitted = read_message(body)
        cost = reported_cost(object_in(orjson.loads(body), "usage"))
        return WholeAnswer(body, replace(facts, reported_cost=cost), emitted)


class NativeAnthropicAdapter:
    """`ProviderAdapter` of Anthropic's models at OpenRouter."""

    keeps_state = True

    def least_max_tokens(self, request: MessageRequest, model: str) -> int:
        return least_max_tokens(request)

    def greatest_output_tokens(self, request: MessageRequest, model: str) -> int:
        return request.greatest_max_tokens

    def shows_all(self, request: MessageRequest, model: str) -> bool:
        return False  # thinking can be left out, and some of it always is

    def greatest_image_tokens(self, model: str) -> int:
        return IMAGE_TOKENS

    def unasked_searches(self, model: str) -> int:
        return 0

    def message_call(
        self,
        request: MessageRequest,
        target: UpstreamTarget,
        *,
        max_tokens: int | None,
        client_headers: Headers,
        query: str,
        request_id: str,
    ) -> MessageCall:
        for key in _LEADING_ELSEWHERE:
            if request.document.get(key) is not None:
                raise InvalidRequest(f"{key}: is not taken for models of Anthropic's at OpenRouter")
        for tool in request.builtin_tools:
            if tool.model is not None:
                raise InvalidRequest(
                    f"tools: {tool.kind} is not taken for models of Anthropic's at OpenRouter"
                )
        client_headers = list(client_headers)
        call = UpstreamRequest(
            "POST",
            upstream_url(target.base_url, MESSAGES_PATH, query),
            _headers(client_headers, target.api_key),
            upstream_body(request, model=target.model, max_tokens=max_tokens),
        )
        return MessageCall(call, NativeReader(request_id))

    def estimated_input_tokens(self, request: MessageRequest, model: str) -> int | None:
        """OpenRouter counts no tokens beforehand: the estimate is that of the same request translated."""
        return translate_request(
            request, model=model, max_tokens=None, stream=False
        ).terms.input_tokens_estimate

    def count_call(
        self, request: MessageRequest, target: UpstreamTarget, *, client_headers: Headers, query: str
    ) -> UpstreamRequest | None:
        return None

    def count_of(self, body: bytes) -> int:
        raise UpstreamFailed("OpenRouter counts no tokens")

    def answer_headers(self, upstream_headers: Mapping[str, str]) -> list[tuple[str, str]]:
        return response_headers(upstream_headers.items())

    def error_answer(
        self, status: int, headers: Mapping[str, str], body: bytes, *, api_key: str
    ) -> Relay | Replacement:
        if _is_in_anthropic_s_form(body):
            return relay_or_replace(status, headers, body, api_key=api_key)
        return error_answer(status, headers, body, api_key=api_key)


def _headers(client_headers: list[tuple[str, str]], api_key: str) -> list[tuple[str, str]]:
    """OpenRouter takes its key as a bearer token."""
    sent = [(name, value) for name, value in upstream_headers(client_headers, "") if name != "x-api-key"]
    return [*sent, ("authorization", f"Bearer {api_key}"), *attribution_headers(client_headers)]


def _is_in_anthropic_s_form(body: bytes) -> bool:
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(document, dict) and document.get("type") == "error"
