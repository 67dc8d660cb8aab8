"""An Anthropic Messages request as the body of OpenRouter's `POST /chat/completions`.

What is carried over, what is lost and what is refused is listed in docs/wire-formats.md, and a test holds that list
against this code and against the Anthropic SDK's types. Body: `openrouter` 1.3.84, `components/chatrequest.py`.
"""

import re
from collections.abc import Mapping
from typing import Any

from channeling.message_request import MessageRequest
from channeling.providers.caller_identity import identity_of
from channeling.providers.chat_completions import request as chat_completions
from channeling.providers.chat_completions.messages import has_files
from channeling.providers.chat_completions.request import Translation
from channeling.providers.content_blocks import cache_control_of
from channeling.providers.openrouter.dialect import OPENROUTER, RESULTS_PER_SEARCH, SEARCH_ENGINE
from channeling.providers.openrouter.price_limit import PriceLimit

# These read PDFs themselves, which is billed as input. For others OpenRouter would by default have one read at a
# price per page, which nothing bounds (openrouter.ai/docs/guides/overview/multimodal/pdfs, "Pricing").
_READS_FILES = re.compile(r"~?(anthropic|google|openai)/")
_SEARCHES = "online"


def translate_request(
    request: MessageRequest,
    *,
    model: str,
    max_tokens: int | None,
    stream: bool,
    session: str | None = None,
    price_limit: PriceLimit | None = None,
) -> Translation:
    """Return what to send to OpenRouter for a request; raise InvalidRequest naming what cannot be sent.

    `model`, `max_tokens`, `stream`: as in `chat_completions.request`. `session` is what the client calls its
    session, where it says so outside of the body. `price_limit` is what the request is held at, if it is.
    """
    translation = chat_completions.translate_request(
        request, model=model, max_tokens=max_tokens, stream=stream, dialect=OPENROUTER
    )
    body = translation.body
    body |= _identity(request.document, session) | {"plugins": _plugins(model, body)}
    if mark := cache_control_of(request.document, ()):
        body["cache_control"] = mark
    if provider := _provider(body, price_limit):
        body["provider"] = provider
    return translation


def _identity(document: Mapping[str, Any], session: str | None) -> dict[str, Any]:
    caller = identity_of(document, session)
    # All requests of a session stay with one provider, which has its prompt cached and knows its own signatures.
    told = {"user": caller.person, "session_id": caller.session}
    return {key: value for key, value in told.items() if value is not None}


def _plugins(model: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    # Otherwise the middle of a conversation that is too long for a small model is left out in silence.
    plugins: list[dict[str, Any]] = [{"id": "context-compression", "enabled": False}]
    if has_files(body["messages"]):
        engine = "native" if _READS_FILES.match(model) else "cloudflare-ai"
        plugins.append({"id": "file-parser", "pdf": {"engine": engine}})
    if searches_unasked(model):
        plugins.append({"id": "web", "engine": SEARCH_ENGINE, "max_results": RESULTS_PER_SEARCH})
    return plugins


def searches_unasked(model: str) -> bool:
    """Say whether a model's name asks for a search: `:online` stands for the plugin `web`
    (openrouter.ai/docs/guides/features/web-search)."""
    return _SEARCHES in model.split(":")[1:]


def _provider(body: Mapping[str, Any], price_limit: PriceLimit | None) -> dict[str, Any]:
    provider: dict[str, Any] = {}
    if "tools" in body or "response_format" in body:
        # Providers that do not know a parameter leave it out in silence.
        provider["require_parameters"] = True
    if price_limit is not None and (max_price := price_limit.max_price):
        provider["max_price"] = max_price
    return provider
