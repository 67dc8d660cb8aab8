"""The OpenAI provider as the pipeline sees it: the Responses API, translated both ways."""

from collections.abc import Mapping
from typing import Any

import orjson
from msgspec import Struct

from channeling.errors import UpstreamFailed
from channeling.message_request import MessageRequest
from channeling.providers.answer_stream import AnswerStream
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.error_answer import Relay, Replacement
from channeling.providers.image_tokens import greatest_image_tokens
from channeling.providers.openai.errors import error_answer
from channeling.providers.openai.model_traits import traits_of
from channeling.providers.openai.output_limits import least_max_tokens, output_tokens_asked
from channeling.providers.openai.reasoning import effort_of
from channeling.providers.openai.request import translate_request
from channeling.providers.openai.response import whole_answer
from channeling.providers.openai.second_try import second_body
from channeling.providers.openai.stream import OpenAIStream
from channeling.providers.provider_adapter import Headers, MessageCall, UpstreamTarget, WholeAnswer
from channeling.upstream import UpstreamRequest

# Behind a base URL as the official SDK takes it, which ends in `/v1`.
RESPONSES_PATH = "/responses"
INPUT_TOKENS_PATH = "/responses/input_tokens"
# What Claude Code calls its session by (code.claude.com/docs, "Gateway protocol reference").
_SESSION_HEADER = "x-claude-code-session-id"
# `openai` 3.54.0, `types/responses/input_token_count_params.py`: what a count may be asked with, of what we send.
_COUNTED_KEYS = (
    "model",
    "instructions",
    "input",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
)


class OpenAIReader(Struct, frozen=True):
    """`AnswerReader` of the Responses API."""

    request_id: str
    terms: AnswerTerms

    def stream(self) -> AnswerStream:
        return OpenAIStream(self.request_id, self.terms)

    def whole_answer(self, body: bytes) -> WholeAnswer:
        return whole_answer(body, self.request_id, self.terms)


class OpenAIAdapter:
    """`ProviderAdapter` of OpenAI's Responses API. Nothing of the client's headers or query goes up."""

    # Compaction is left out of what is translated, all else of the kind refused.
    keeps_state = False

    def least_max_tokens(self, request: MessageRequest, model: str) -> int:
        return least_max_tokens(request, model=model)

    def greatest_output_tokens(self, request: MessageRequest, model: str) -> int:
        return output_tokens_asked(request.max_tokens or 0, traits_of(model))

    def shows_all(self, request: MessageRequest, model: str) -> bool:
        traits = traits_of(model)
        if not traits.reasons:
            return traits.takes_sampling  # some chat models think a little by themselves, and take none
        return effort_of(request.document, traits) == "none"

    def greatest_image_tokens(self, model: str) -> int:
        return greatest_image_tokens(model)

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
        translation = translate_request(
            request,
            model=target.model,
            max_tokens=max_tokens,
            stream=request.stream,
            session=next((value for name, value in client_headers if name.lower() == _SESSION_HEADER), None),
        )

        def second_try(status: int, body: bytes) -> UpstreamRequest | None:
            """Ask without what is refused, where it can be done without: reasoning of before that was sealed for
            another account, a setting that the model or the account does not take."""
            second = second_body(translation.body, status, body)
            return None if second is None else _call(target, RESPONSES_PATH, second)

        return MessageCall(
            _call(target, RESPONSES_PATH, translation.body),
            OpenAIReader(request_id, translation.terms),
            second_try,
            translation.terms.input_tokens_estimate,
        )

    def estimated_input_tokens(self, request: MessageRequest, model: str) -> int | None:
        translation = translate_request(request, model=model, max_tokens=None, stream=False)
        return translation.terms.input_tokens_estimate

    def count_call(
        self, request: MessageRequest, target: UpstreamTarget, *, client_headers: Headers, query: str
    ) -> UpstreamRequest | None:
        body = translate_request(request, model=target.model, max_tokens=None, stream=False).body
        return _call(target, INPUT_TOKENS_PATH, {key: body[key] for key in _COUNTED_KEYS if key in body})

    def count_of(self, body: bytes) -> int:
        try:
            document: Any = orjson.loads(body)
        except orjson.JSONDecodeError:
            document = None
        count = document.get("input_tokens") if isinstance(document, dict) else None
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise UpstreamFailed("the upstream provider's token count is not one")
        return count

    def answer_headers(self, upstream_headers: Mapping[str, str]) -> list[tuple[str, str]]:
        """OpenAI's own headers are about the project's account; the message is ours, so are its media types."""
        if upstream_headers.get("content-type", "").startswith("text/event-stream"):
            return [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache")]
        return [("content-type", "application/json")]

    def error_answer(
        self, status: int, headers: Mapping[str, str], body: bytes, *, api_key: str
    ) -> Relay | Replacement:
        return error_answer(status, headers, body, api_key=api_key)


def _call(target: UpstreamTarget, path: str, body: Mapping[str, Any]) -> UpstreamRequest:
    headers = [
        ("content-type", "application/json"),
        ("accept-encoding", "identity"),  # a compressor would hold events back
        ("authorization", f"Bearer {target.api_key}"),
        ("user-agent", "channeling"),
    ]
    return UpstreamRequest("POST", target.base_url.rstrip("/") + path, headers, orjson.dumps(body))
