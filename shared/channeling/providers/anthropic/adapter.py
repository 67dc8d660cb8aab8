"""The Anthropic provider as the pipeline sees it: byte-faithful both ways."""

from collections.abc import Mapping

from msgspec import Struct

from channeling.message_request import MessageRequest
from channeling.pricing.allowances import IMAGE_TOKENS
from channeling.providers.answer_stream import AnswerStream
from channeling.providers.anthropic.errors import relay_or_replace
from channeling.providers.anthropic.request import (
    counting_body,
    least_max_tokens,
    response_headers,
    upstream_body,
    upstream_headers,
    upstream_url,
)
from channeling.providers.anthropic.response import count_of_tokens, read_message
from channeling.providers.anthropic.stream import AnthropicStream
from channeling.providers.error_answer import Relay, Replacement
from channeling.providers.provider_adapter import Headers, MessageCall, UpstreamTarget, WholeAnswer
from channeling.upstream import UpstreamRequest

MESSAGES_PATH = "/v1/messages"
COUNT_TOKENS_PATH = "/v1/messages/count_tokens"


class AnthropicReader(Struct, frozen=True):
    """`AnswerReader` of the Anthropic Messages API: it needs to know nothing of the request but its id."""

    request_id: str

    def stream(self) -> AnswerStream:
        return AnthropicStream(self.request_id)

    def whole_answer(self, body: bytes) -> WholeAnswer:
        facts, emitted = read_message(body)
        return WholeAnswer(body, facts, emitted)


class AnthropicAdapter:
    """`ProviderAdapter` of the Anthropic Messages API."""

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
        call = UpstreamRequest(
            "POST",
            upstream_url(target.base_url, MESSAGES_PATH, query),
            upstream_headers(client_headers, target.api_key),
            upstream_body(request, model=target.model, max_tokens=max_tokens),
        )
        return MessageCall(call, AnthropicReader(request_id))

    def estimated_input_tokens(self, request: MessageRequest, model: str) -> int | None:
        return None

    def count_call(
        self, request: MessageRequest, target: UpstreamTarget, *, client_headers: Headers, query: str
    ) -> UpstreamRequest:
        return UpstreamRequest(
            "POST",
            upstream_url(target.base_url, COUNT_TOKENS_PATH, query),
            upstream_headers(client_headers, target.api_key),
            counting_body(request, model=target.model),
        )

    def count_of(self, body: bytes) -> int:
        return count_of_tokens(body)

    def answer_headers(self, upstream_headers: Mapping[str, str]) -> list[tuple[str, str]]:
        return response_headers(upstream_headers.items())

    def error_answer(
        self, status: int, headers: Mapping[str, str], body: bytes, *, api_key: str
    ) -> Relay | Replacement:
        return relay_or_replace(status, headers, body, api_key=api_key)
