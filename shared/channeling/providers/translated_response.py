"""Answers that come whole: read as JSON, and written as the message that a translation made of them."""

from collections.abc import Mapping
from typing import Any

import orjson

from channeling.errors import UpstreamFailed
from channeling.providers.provider_adapter import WholeAnswer
from channeling.providers.provider_json import read_json
from channeling.providers.translated_answer import TranslatedAnswer
from channeling.providers.written_message import message_of


def read_response(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object that an answer is; raise UpstreamFailed for anything else."""
    try:
        response = read_json(body)
    except ValueError as error:
        raise UpstreamFailed("the upstream provider answered with something that is not JSON") from error
    if not isinstance(response, dict):
        raise UpstreamFailed("the upstream provider answered with JSON that is not an object")
    return response


def written_answer(answer: TranslatedAnswer) -> WholeAnswer:
    """Return the message that was written, or the failure that it ended with: that may be billed, too."""
    failure = answer.writer.failure
    body = orjson.dumps(message_of(answer.writer.take())) if failure is None else b""
    return WholeAnswer(body, answer.facts, answer.emitted, failure)
