"""Errors of the OpenAI API as Anthropic's: as an HTTP answer, or inside a stream whose status was 200.

Source: `openai` 3.54.0, `types/responses/response_error.py`, `response_error_event.py`; platform.openai.com/docs/
guides/error-codes. Clients of Anthropic act on the wording of two of its errors, so these are said in its words: a
prompt that is too long is compacted, thinking with a bad signature is left out, and the request sent again.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from channeling.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
    Overloaded,
    RateLimited,
    RequestTooLarge,
    UpstreamFailed,
)
from channeling.providers.error_answer import (
    Replacement,
    account_refused,
    original_answer,
    retry_after_s,
    without_keys,
)

ACCOUNT_CODES = frozenset(
    {
        "account_deactivated",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_quota",
        "invalid_api_key",
        "invalid_organization",
        "invalid_project",
        "data_residency_mismatch",
        "unsupported_country_region_territory",
        "usage_not_included",
    }
)
OVERLOADED_CODES = frozenset({"engine_overloaded", "overloaded", "server_is_overloaded", "slow_down"})
INVALID_CODES = frozenset(
    {
        "bio_policy",
        "content_policy_violation",
        "cyber_policy",
        "empty_image_file",
        "failed_to_download_image",
        "image_content_policy_violation",
        "image_file_not_found",
        "image_file_too_large",
        "image_parse_error",
        "image_too_large",
        "image_too_small",
        "invalid_base64_image",
        "invalid_image",
        "invalid_image_format",
        "invalid_image_mode",
        "invalid_image_url",
        "invalid_prompt",
        "misalignment_policy_violation",
        "unsupported_image_media_type",
    }
)
FAILED_CODES = frozenset({"server_error", "vector_store_timeout"})

# A 400 that only whoever holds the account can do something about.
_ACCOUNT_WORDS = "organization must be verified"
_CONTEXT_WORDS = ("maximum context length", "exceeds the context window", "exceed the configured limit")
# The parameters that hold what a client wrote, so that it can be made shorter.
_PROMPT_PARAMETER = re.compile(r"input|instructions|.*\.(?:text|content|output)")
_LIMIT = re.compile(r"(?:maximum context length (?:is|of)|configured limit of) (\d+)")
_LENGTH = re.compile(r"(?:resulted in|requested about|requested) (\d+)")
# A reasoning item that this account, model or conversation cannot take back.
_REASONING_WORDS = (
    "encrypted content",
    "items are not persisted",
    "without its required following item",
    "without its required 'reasoning' item",
)
_ORGANIZATION = re.compile(r"\b(?:org|proj)[-_][A-Za-z0-9]{8,}")
_TRY_AGAIN = re.compile(r"try again in (?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)(ms|s))?")
_LONGEST_WAIT_S = 24 * 3600


def error_answer(status: int, headers: Mapping[str, str], body: bytes, *, api_key: str = "") -> Replacement:
    """Return what the client sees of an error answer (status 300 and up); header names are lower-case.

    Nothing of OpenAI's is in the shape that an Anthropic client reads, so every answer is replaced.
    """
    if api_key:
        body = body.replace(api_key.encode(), b"[key]")
    return Replacement(_of_status(status, headers, _error_of(body)), original_answer(status, body))


def refuses_reasoning(body: bytes) -> bool:
    """Say whether an error answer is about reasoning of before, which the account or model cannot take back."""
    return _is_about_reasoning(_error_of(body))


def stream_error(error: Mapping[str, Any]) -> GatewayError:
    """Return the error that a stream, or an answer under status 200, ends with: `code` and `message` decide."""
    known = _of_code(error, {})
    if known is not None:
        return known
    return UpstreamFailed(_said(error) or "the upstream provider failed and did not say why")


def _of_status(status: int, headers: Mapping[str, str], error: Mapping[str, Any]) -> GatewayError:
    said = _said(error) or f"the upstream provider answered with status {status} and no explanation"
    if error.get("code") == "model_not_found":
        return NotFound(said)  # under 403, too: the project has no access to the model
    if status in (401, 402, 403):
        return account_refused()
    known = _of_code(error, headers)
    if known is not None:
        return known
    match status:
        case 404 if error.get("code") == "unknown_url" or not error:
            return UpstreamFailed("the upstream provider knows no such path; its base URL may be wrong")
        case 404:
            return NotFound(said)
        case 413:
            return RequestTooLarge(said)
        case 429:
            return _rate_limited(said, error, headers)
        case 503 | 529:
            return Overloaded(said, retry_after_s=_wait_s(error, headers))
        case 408 | 409:
            return UpstreamFailed(said)  # worth another try, unlike other refusals
        case _ if 400 <= status < 500:
            return InvalidRequest(said)
        case _ if status < 400:
            return UpstreamFailed("the upstream provider answered with a redirect; its base URL may be wrong")
    return UpstreamFailed(said)


def _of_code(error: Mapping[str, Any], headers: Mapping[str, str]) -> GatewayError | None:
    """Return what an error's code, type and words say, whatever the status."""
    code, said = error.get("code"), _said(error)
    code = code if isinstance(code, str) else None
    if code in ACCOUNT_CODES or error.get("type") == "insufficient_quota" or _ACCOUNT_WORDS in said.lower():
        return account_refused()
    if _is_too_long(code, error, said):
        return InvalidRequest(_too_long(said))
    if _is_about_reasoning(error):
        return InvalidRequest(f"Invalid `signature` in `thinking` block: {said}")
    if code == "rate_limit_exceeded":
        return _rate_limited(said, error, headers)
    if code in OVERLOADED_CODES:
        return Overloaded(said, retry_after_s=_wait_s(error, headers))
    if code in INVALID_CODES:
        return InvalidRequest(said)
    if code in FAILED_CODES:
        return UpstreamFailed(said)
    return None


def _is_about_reasoning(error: Mapping[str, Any]) -> bool:
    if error.get("code") == "invalid_encrypted_content":
        return True
    said = _said(error).lower()
    return any(words in said for words in _REASONING_WORDS)


def _is_too_long(code: str | None, error: Mapping[str, Any], said: str) -> bool:
    if code == "context_length_exceeded" or any(words in said for words in _CONTEXT_WORDS):
        return True
    parameter = error.get("param")
    return (
        code == "string_above_max_length"
        and isinstance(parameter, str)
        and _PROMPT_PARAMETER.fullmatch(parameter) is not None
    )


def _too_long(said: str) -> str:
    """Anthropic's own wording, as Claude Code looks for it; the numbers only where OpenAI says them."""
    length, limit = _LENGTH.search(said), _LIMIT.search(said)
    if length is not None and limit is not None:
        return f"prompt is too long: {length[1]} tokens > {limit[1]} maximum"
    return f"prompt is too long: {said}"


def _rate_limited(said: str, error: Mapping[str, Any], headers: Mapping[str, str]) -> RateLimited:
    limited = RateLimited(said, retry_after_s=_wait_s(error, headers))
    if said.startswith("Request too large"):
        limited.headers["x-should-retry"] = (
            "false"  # more than the account may send in a minute, however long one waits
        )
    return limited


def _wait_s(error: Mapping[str, Any], headers: Mapping[str, str]) -> int:
    """The header, else the words ("Please try again in 6m0s."), else a short default."""
    words = _TRY_AGAIN.search(_said(error))
    if "retry-after" in headers or words is None or not any(words.groups()):
        return retry_after_s(headers)
    hours, minutes, amount, unit = words.groups()
    seconds = float(amount or 0) / (1000 if unit == "ms" else 1)
    seconds += 60 * int(minutes or 0) + 3600 * int(hours or 0)
    return max(1, min(_LONGEST_WAIT_S, -int(-seconds // 1)))


def _said(error: Mapping[str, Any]) -> str:
    """The provider's message without keys, nor the names of the account that end users have no business with."""
    message = error.get("message")
    return _ORGANIZATION.sub("[account]", without_keys(message)) if isinstance(message, str) else ""


def _error_of(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}
