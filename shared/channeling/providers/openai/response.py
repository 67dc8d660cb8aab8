"""Answers of the Responses API that come whole, as Anthropic messages: the stream's translation, accumulated."""

from collections.abc import Mapping
from typing import Any

from channeling.errors import UpstreamFailed
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.openai.answer_translator import AnswerTranslator
from channeling.providers.openai.errors import stream_error
from channeling.providers.provider_adapter import WholeAnswer
from channeling.providers.translated_response import read_response, written_answer


def whole_answer(body: bytes, request_id: str, terms: AnswerTerms) -> WholeAnswer:
    """Return a response as a message; raise GatewayError for one that failed, or that is no response.

    A status of 200 proves nothing: proxies answer HTML or nothing under it.
    """
    response = _response_of(body)
    translator = AnswerTranslator(request_id, terms)
    translator.take_whole(response)
    return written_answer(translator)


def _response_of(body: bytes) -> Mapping[str, Any]:
    response = read_response(body)
    if not isinstance(response.get("output"), list):
        if isinstance(failure := response.get("error"), dict):
            raise stream_error(failure)
        raise UpstreamFailed("the upstream provider answered with JSON that is not a response")
    if response.get("status") in ("in_progress", "queued"):
        raise UpstreamFailed("the upstream provider answered before its answer was complete")
    return response
