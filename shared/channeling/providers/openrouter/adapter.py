"""OpenRouter as the pipeline sees it: chat completions, with its routing, prices, plugins and attribution."""

from channeling.message_request import MessageRequest
from channeling.providers.chat_completions.adapter import ChatCompletionsAdapter
from channeling.providers.chat_completions.model_traits import chat_model_traits
from channeling.providers.chat_completions.request import Translation
from channeling.providers.openrouter.answer_dialect import OPENROUTER_ANSWERS
from channeling.providers.openrouter.attribution import attribution_headers
from channeling.providers.openrouter.dialect import OPENROUTER
from channeling.providers.openrouter.price_limit import PriceLimit
from channeling.providers.openrouter.request import searches_unasked, translate_request
from channeling.providers.provider_adapter import Headers, UpstreamTarget

# What Claude Code calls its session by (code.claude.com/docs, "Gateway protocol reference").
_SESSION_HEADER = "x-claude-code-session-id"


class OpenRouterAdapter(ChatCompletionsAdapter):
    """`ProviderAdapter` of OpenRouter."""

    dialect = OPENROUTER
    answers = OPENROUTER_ANSWERS

    def translated(
        self,
        request: MessageRequest,
        target: UpstreamTarget,
        *,
        max_tokens: int | None,
        client_headers: Headers,
    ) -> Translation:
        return translate_request(
            request,
            model=target.model,
            max_tokens=max_tokens,
            stream=request.stream,
            session=next((value for name, value in client_headers if name.lower() == _SESSION_HEADER), None),
            price_limit=None if target.held_rates is None else PriceLimit(*target.held_rates),
        )

    def shows_all(self, request: MessageRequest, model: str) -> bool:
        # Whoever serves a model of open weights there may hide its reasoning.
        return not chat_model_traits(model).reasons

    def unasked_searches(self, model: str) -> int:
        return int(searches_unasked(model))

    def own_headers(self, client_headers: Headers) -> list[tuple[str, str]]:
        return attribution_headers(client_headers)
