"""Servers that speak chat completions as the pipeline sees them: vLLM, Ollama, DeepSeek, Mistral and their like."""

from collections.abc import Mapping
from typing import Any

import orjson
from msgspec import Struct

from channeling.errors import UpstreamFailed
from channeling.message_request import MessageRequest
from channeling.providers.answer_stream import AnswerStream
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.chat_completions.answer_dialect import PLAIN_ANSWERS, AnswerDialect
from channeling.providers.chat_completions.dialect import PLAIN, Dialect
from channeling.providers.chat_completions.model_traits import chat_model_traits
from channeling.providers.chat_completions.request import Translation, translate_request
from channeling.providers.chat_completions.response import whole_answer
from channeling.providers.chat_completions.second_try import second_body
from channeling.providers.chat_completions.stream import ChatStream
from channeling.providers.error_answer import Relay, Replacement
from channeling.providers.image_tokens import greatest_image_tokens
from channeling.providers.provider_adapter import Headers, MessageCall, UpstreamTarget, WholeAnswer
from channeling.providers.thinking_request import thinking_request_of
from channeling.upstream import UpstreamRequest

# Behind a base URL as OpenAI's SDK takes it, which ends in `/v1` (`openai` 3.54.0, `resources/chat/completions`).
COMPLETIONS_PATH = "/chat/completions"
LEAST_ANSWER_TOKENS = 64
# Reasoning counts as output: this much of it comes before the first word even at low effort.
LEAST_REASONING_TOKENS = 1_024
_LIGHT_EFFORTS = ("none", "minimal")


class ChatReader(Struct, frozen=True):
    """`AnswerReader` of chat completions."""

    request_id: str
    terms: AnswerTerms
    dialect: AnswerDialect

    def stream(self) -> AnswerStream:
        return ChatStream(self.request_id, self.terms, self.dialect)

    def whole_answer(self, body: bytes) -> WholeAnswer:
        return whole_answer(body, self.request_id, self.terms, self.dialect)


class ChatCompletionsAdapter:
    """`ProviderAdapter` of any server of chat completions. Nothing of the client's headers or query goes up."""

    # Compaction is left out of what is translated, all else of the kind refused.
    keeps_state = False
    dialect: Dialect = PLAIN
    answers: AnswerDialect = PLAIN_ANSWERS

    def least_max_tokens(self, request: MessageRequest, model: str) -> int:
        least = LEAST_ANSWER_TOKENS
        if chat_model_traits(model).reasons and _asks_for_reasoning(request):
            least += LEAST_REASONING_TOKENS
        if request.max_tokens is None:
            return least
        return max(self.dialect.least_output_tokens, min(request.max_tokens, least))

    def greatest_output_tokens(self, request: MessageRequest, model: str) -> int:
        return max(self.dialect.least_output_tokens, request.max_tokens or 0)

    def shows_all(self, request: MessageRequest, model: str) -> bool:
        traits = chat_model_traits(model)
        return not traits.hides_reasoning or not traits.reasons

    def greatest_image_tokens(self, model: str) -> int:
        return greatest_image_tokens(model.rpartition("/")[2])

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
        client_headers = list(client_headers)
        translation = self.translated(request, target, max_tokens=max_tokens, client_headers=client_headers)

        def call(body: Mapping[str, Any]) -> UpstreamRequest:
            return _call(target, body, self.own_headers(client_headers))

        def second_try(status: int, body: bytes) -> UpstreamRequest | None:
            """Ask without what is refused, where it can be done without."""
            second = second_body(translation.body, status, body)
            return None if second is None else call(second)

        return MessageCall(
            call(translation.body),
            ChatReader(request_id, translation.terms, self.answers),
            second_try,
            translation.terms.input_tokens_estimate,
        )

    def translated(
        self,
        request: MessageRequest,
        target: UpstreamTarget,
        *,
        max_tokens: int | None,
        client_headers: Headers,
    ) -> Translation:
        """Return what to send, and what the reader of its answer must know; raise InvalidRequest."""
        return translate_request(
            request, model=target.model, max_tokens=max_tokens, stream=request.stream, dialect=self.dialect
        )

    def own_headers(self, client_headers: Headers) -> list[tuple[str, str]]:
        """Return what this kind of server takes of headers beside the key."""
        return []

    def estimated_input_tokens(self, request: MessageRequest, model: str) -> int | None:
        translation = translate_request(
            request, model=model, max_tokens=None, stream=False, dialect=self.dialect
        )
        return translation.terms.input_tokens_estimate

    def count_call(
        self, request: MessageRequest, target: UpstreamTarget, *, client_headers: Headers, query: str
    ) -> UpstreamRequest | None:
        return None

    def count_of(self, body: bytes) -> int:
        raise UpstreamFailed("the upstream provider counts no tokens")

    def answer_headers(self, upstream_headers: Mapping[str, str]) -> list[tuple[str, str]]:
        """A server's own headers are about the project's account; the message is ours, so are its media types."""
        if upstream_headers.get("content-type", "").startswith("text/event-stream"):
            return [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache")]
        return [("content-type", "application/json")]

    def error_answer(
        self, status: int, headers: Mapping[str, str], body: bytes, *, api_key: str
    ) -> Relay | Replacement:
        return self.answers.error_answer(status, headers, body, api_key=api_key)


def _asks_for_reasoning(request: MessageRequest) -> bool:
    """Whether reasoning is not ruled out: most models that can reason do so unless told otherwise."""
    return thinking_request_of(request.document).effort not in _LIGHT_EFFORTS


def _call(
    target: UpstreamTarget, body: Mapping[str, Any], own_headers: list[tuple[str, str]]
) -> UpstreamRequest:
    headers = [
        ("content-type", "application/json"),
        ("accept-encoding", "identity"),  # a compressor would hold events back
        ("user-agent", "channeling"),
        *own_headers,
    ]
    if target.api_key:  # a server of one's own may need none
        headers.append(("authorization", f"Bearer {target.api_key}"))
    return UpstreamRequest(
        "POST", target.base_url.rstrip("/") + COMPLETIONS_PATH, headers, orjson.dumps(body)
    )
