"""Errors of servers that speak chat completions as Anthropic's: as an HTTP answer, or in a stream of status 200.

Most have OpenAI's form, `{"error": {"message", "type", "code"}}`; vLLM and Mistral were seen to leave the outer
object out, Ollama and LM Studio to say a text in its place, FastAPI's own errors to be under `detail`.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from channeling.errors import GatewayError, InvalidRequest, UpstreamFailed
from channeling.providers.error_answer import Replacement, account_refused, original_answer
from channeling.providers.error_codes import SaidError, error_of_code, error_of_status, said_error

# Reasoning of before that another account, model or vendor sealed: Gemini, OpenAI and Claude, in this order.
_REASONING_WORDS = ("thought signature", "thought_signature", "encrypted content", "invalid `signature`")


def error_answer(status: int, headers: Mapping[str, str], body: bytes, *, api_key: str = "") -> Replacement:
    """Return what the client sees of an error answer (status 300 and up); header names are lower-case."""
    error = error_in(body)
    shown = error_of(status, said_error(error), headers, is_known_path=bool(error))
    return replacement(shown, status, body, api_key=api_key)


def stream_error(error: Mapping[str, Any]) -> GatewayError:
    """Return the error that a stream, or an answer under status 200, ends with."""
    return error_under_200(status_in(error), said_error(error))


def replacement(error: GatewayError, status: int, body: bytes, *, api_key: str) -> Replacement:
    """Return the error with the answer in whose place it is, without the key."""
    if api_key:
        body = body.replace(api_key.encode(), b"[key]")
    return Replacement(error, original_answer(status, body))


def error_of(
    status: int, said: SaidError, headers: Mapping[str, str], *, is_known_path: bool
) -> GatewayError:
    """Return what an error answer comes to: by its status where the account is meant, else by what it says."""
    if status in (401, 402, 403):
        return account_refused()
    if _is_about_reasoning(said.words):
        return InvalidRequest(f"Invalid `signature` in `thinking` block: {said.words}")
    known = error_of_code(said, headers)
    return known or error_of_status(status, said, headers, is_known_path=is_known_path)


def error_under_200(status: int | None, said: SaidError) -> GatewayError:
    """Return what an error under the status 200 comes to; `status` is the one that it says itself."""
    if status is None or not 400 <= status < 600:
        known = error_of_code(said, {})
        return known or UpstreamFailed(said.words or "the upstream provider failed and did not say why")
    return error_of(status, said, {}, is_known_path=True)


def status_in(error: Mapping[str, Any]) -> int | None:
    """Return the HTTP status that an error says as its `code`, as a number or a text."""
    code = error.get("code")
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3:
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def error_in(body: bytes) -> Mapping[str, Any]:
    """Return the error object of an error answer's body, whatever its form; an empty one where there is none."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return error_object(document)


def error_object(document: Any) -> Mapping[str, Any]:
    """Return the error object of a JSON document, whatever its form; an empty one where there is none."""
    if not isinstance(document, dict):
        return {}
    error: Any = document.get("error")
    if isinstance(error, dict):
        return error
    match document:
        case {"error": str() as words}:
            return {**document, "message": words}
        case {"message": str()}:
            return document
        case {"detail": [{"msg": str() as words}, *_]}:
            return {"message": words}
        case {"detail": str() as words} if words not in ("Not Found", "Method Not Allowed"):
            return {"message": words}
    return {}


def _is_about_reasoning(words: str) -> bool:
    return any(phrase in words.lower() for phrase in _REASONING_WORDS)
