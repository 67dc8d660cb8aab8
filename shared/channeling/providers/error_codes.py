"""Errors by the codes and words that OpenAI's APIs made, and that servers compatible with them took over.

Source: `openai` 3.54.0, `types/responses/response_error.py`; platform.openai.com/docs/guides/error-codes. A prompt
that is too long is said in Anthropic's words, since clients compact a conversation on exactly these.
"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from channeling.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
    Overloaded,
    RateLimited,
    RequestTooLarge,
    UpstreamFailed,
)
from channeling.providers.error_answer import account_refused, retry_after_s, without_keys

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
_CONTEXT_WORDS = (
    "maximum context length",
    "exceeds the context window",
    "exceed the configured limit",
    # llama.cpp's server and what is built on it, Gemini, Bedrock, Claude by way of others
    "exceeds the available context size",
    "exceeds the maximum number of tokens allowed",
    "input is too long for requested model",
    "prompt is too long",
)
# The parameters that hold what a client wrote, so that it can be made shorter.
_PROMPT_PARAMETER = re.compile(r"input|instructions|messages|.*\.(?:text|content|output)")
_LIMIT = re.compile(
    r"(?:maximum context length (?:is|of) |configured limit of |context size \(|tokens allowed \(|tokens > )(\d+)"
    r"|(\d+) maximum context length"
)
_LENGTH = re.compile(
    r"(?:resulted in |requested about |requested |request \(|token count \(|[Pp]rompt contains |too long: )(\d+)"
)
_ORGANIZATION = re.compile(r"\b(?:org|proj)[-_][A-Za-z0-9]{8,}")
_TRY_AGAIN = re.compile(r"try again in (?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)(ms|s))?")
LONGEST_WAIT_S = 24 * 3600


class SaidError(Struct, frozen=True):
    """What a provider says of an error: words that a client may see, its code, type and parameter.

    `wait_s` is how long to wait, where the provider says so beside its headers and words.
    """

    words: str = ""
    code: str | None = None
    kind: str | None = None
    parameter: str | None = None
    wait_s: int | None = None


def said_error(error: Mapping[str, Any]) -> SaidError:
    """Return what an `error` object of OpenAI's form says."""
    return SaidError(
        readable_words(error.get("message")),
        text_in(error, "code"),
        text_in(error, "type"),
        text_in(error, "param"),
    )


def readable_words(words: Any) -> str:
    """Return words of a provider's without keys, nor the names of the account that end users have no business
    with; "" for what is no text."""
    return _ORGANIZATION.sub("[account]", without_keys(words)) if isinstance(words, str) else ""


def text_in(mapping: Mapping[str, Any], name: str) -> str | None:
    """Return a text of an error, or None."""
    value = mapping.get(name)
    return value if isinstance(value, str) else None


def error_of_code(error: SaidError, headers: Mapping[str, str]) -> GatewayError | None:
    """Return what an error's code, type and words say, whatever the status; None where they say nothing known."""
    code, words = error.code, error.words
    if code in ACCOUNT_CODES or error.kind == "insufficient_quota" or _ACCOUNT_WORDS in words.lower():
        return account_refused()
    if _is_too_long(error):
        return too_long(words)
    if code == "rate_limit_exceeded":
        return _rate_limited(error, headers)
    if code in OVERLOADED_CODES:
        return Overloaded(words, retry_after_s=_wait_s(error, headers))
    if code in INVALID_CODES:
        return InvalidRequest(words)
    if code in FAILED_CODES:
        return UpstreamFailed(words)
    return None


def error_of_status(
    status: int, error: SaidError, headers: Mapping[str, str], *, is_known_path: bool
) -> GatewayError:
    """Return what an error is by the status of its answer (300 and up), where its code says nothing."""
    words = error.words or f"the upstream provider answered with status {status} and no explanation"
    match status:
        case 404 if not is_known_path:
            return UpstreamFailed("the upstream provider knows no such path; its base URL may be wrong")
        case 404:
            return NotFound(words)
        case 413:
            return RequestTooLarge(words)
        case 429:
            return _rate_limited(replace(error, words=words), headers)
        case 503 | 529:
            return Overloaded(words, retry_after_s=_wait_s(error, headers))
        case 408 | 409:
            return UpstreamFailed(words)  # worth another try, unlike other refusals
        case _ if 400 <= status < 500:
            return InvalidRequest(words)
        case _ if status < 400:
            return UpstreamFailed("the upstream provider answered with a redirect; its base URL may be wrong")
    return UpstreamFailed(words)


def too_long(words: str) -> InvalidRequest:
    """Return the error of a prompt that is too long, in Anthropic's own wording, as Claude Code looks for it; with
    the numbers only where the provider says them."""
    length, limit = _LENGTH.search(words), _LIMIT.search(words)
    if length is not None and limit is not None:
        return InvalidRequest(f"prompt is too long: {length[1]} tokens > {limit[1] or limit[2]} maximum")
    return InvalidRequest(f"prompt is too long: {words}")


def _is_too_long(error: SaidError) -> bool:
    words = error.words.lower()
    if error.code == "context_length_exceeded" or any(phrase in words for phrase in _CONTEXT_WORDS):
        return True
    return (
        error.code == "string_above_max_length"
        and error.parameter is not None
        and _PROMPT_PARAMETER.fullmatch(error.parameter) is not None
    )


def _rate_limited(error: SaidError, headers: Mapping[str, str]) -> RateLimited:
    limited = RateLimited(error.words, retry_after_s=_wait_s(error, headers))
    if error.words.startswith("Request too large"):
        limited.headers["x-should-retry"] = (
            "false"  # more than the account may send in a minute, however long one waits
        )
    return limited


def _wait_s(error: SaidError, headers: Mapping[str, str]) -> int:
    """The header, else what the error says of it, else its words ("Please try again in 6m0s."), else a short
    default."""
    if "retry-after" not in headers and error.wait_s is not None:
        return error.wait_s
    words = _TRY_AGAIN.search(error.words)
    if "retry-after" in headers or words is None or not any(words.groups()):
        return retry_after_s(headers)
    hours, minutes, amount, unit = words.groups()
    seconds = float(amount or 0) / (1000 if unit == "ms" else 1)
    seconds += 60 * int(minutes or 0) + 3600 * int(hours or 0)
    return max(1, min(LONGEST_WAIT_S, -int(-seconds // 1)))
