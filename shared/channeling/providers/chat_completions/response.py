"""Chat completions that come whole, as Anthropic messages: the stream's translation, accumulated."""

from collections.abc import Mapping
from typing import Any

from channeling.errors import UpstreamFailed
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.chat_completions.answer_dialect import AnswerDialect
from channeling.providers.chat_completions.answer_translator import ChatTranslator
from channeling.providers.provider_adapter import WholeAnswer
from channeling.providers.translated_response import read_response, written_answer


def whole_answer(body: bytes, request_id: str, terms: AnswerTerms, dialect: AnswerDialect) -> WholeAnswer:
    """Return a completion as a message; raise GatewayError for one that failed, or that is none.

    A status of 200 proves nothing: proxies answer HTML or nothing under it, and OpenRouter an error.
    """
    completion: Mapping[str, Any] = read_response(body)
    if "choices" not in completion and "error" not in completion:
        raise UpstreamFailed("the upstream provider answered with JSON that is not a chat completion")
    translator = ChatTranslator(request_id, terms, dialect)
    translator.take_whole(completion)
    return written_answer(translator)
