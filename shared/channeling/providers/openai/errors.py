"""Errors of the OpenAI API as Anthropic's: as an HTTP answer, or inside a stream whose status was 200.

Source: `openai` 3.54.0, `types/responses/response_error.py`, `response_error_event.py`; platform.openai.com/docs/
guides/error-codes. Clients of Anthropic act on the wording of two of its errors, so these are said in its words: a
prompt that is too long is compacted, thinking with a bad signature is left out, and the request sent again.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from channeling.errors import GatewayError, InvalidRequest, UpstreamFailed
from channeling.providers.error_answer import Replacement, account_refused, original_answer
from channeling.providers.error_codes import SaidError, error_of_code, error_of_status, said_error

# A reasoning item that this account, model or conversation cannot take back.
_REASONING_WORDS = (
    "encrypted content",
    "items are not persisted",
    "without its required following item",
    "without its required 'reasoning' item",
)


def error_answer(status: int, headers: Mapping[str, str], body: bytes, *, api_key: str = "") -> Replacement:
    """Return what the client sees of an error answer (status 300 and up); header names are lower-case.

    Nothing of OpenAI's is in the shape that an Anthropic client reads, so every answer is replaced.
    """
    if api_key:
        body = body.replace(api_key.encode(), b"[key]")
    return Replacement(_of_status(status, headers, _error_of(body)), original_answer(status, body))


def refuses_reasoning(body: bytes) -> bool:
    """Say whether an error answer is about reasoning of before, which the account or model cannot take back."""
    return _is_about_reasoning(said_error(_error_of(body)))


def stream_error(error: Mapping[str, Any]) -> GatewayError:
    """Return the error that a stream, or an answer under status 200, ends with: `code` and `message` decide."""
    said = said_error(error)
    return _of_code(said, {}) or UpstreamFailed(
        said.words or "the upstream provider failed and did not say why"
    )


def _of_status(status: int, headers: Mapping[str, str], error: Mapping[str, Any]) -> GatewayError:
    said = said_error(error)
    if said.code == "model_not_found":
        # Under 403, too: the project has no access to the model.
        return error_of_status(404, said, headers, is_known_path=True)
    if status in (401, 402, 403):
        return account_refused()
    known = _of_code(said, headers)
    if known is not None:
        return known
    is_known_path = said.code != "unknown_url" and bool(error)
    return error_of_status(status, said, headers, is_known_path=is_known_path)


def _of_code(error: SaidError, headers: Mapping[str, str]) -> GatewayError | None:
    if _is_about_reasoning(error):
        return InvalidRequest(f"Invalid `signature` in `thinking` block: {error.words}")
    return error_of_code(error, headers)


def _is_about_reasoning(error: SaidError) -> bool:
    if error.code == "invalid_encrypted_content":
        return True
    words = error.words.lower()
    return any(phrase in words for phrase in _REASONING_WORDS)


def _error_of(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}
