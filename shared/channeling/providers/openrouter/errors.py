"""OpenRouter's errors as Anthropic's, with the words of the vendor that it asked.

Source: `openrouter` 1.3.84, `components/apierrortype.py` and `components/*responseerrordata.py`;
openrouter.ai/docs/api/reference/errors-and-debugging. "Provider returned error" tells nobody anything: what the
vendor said is in `metadata.raw`. How long to wait may stand in `metadata` alone.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from channeling.errors import GatewayError, PermissionDenied, RateLimited
from channeling.providers.chat_completions.errors import (
    error_in,
    error_object,
    error_of,
    error_under_200,
    replacement,
    status_in,
)
from channeling.providers.error_answer import Replacement
from channeling.providers.error_codes import LONGEST_WAIT_S, SaidError, readable_words, said_error, text_in
from channeling.providers.usage_fields import object_in

# "Canonical OpenRouter error type, stable across all API formats", and the status that each is as good as. A type
# that is not here, `unmapped` and the three of failing vendors among them, leaves it to the status.
STATUS_OF_TYPE: Mapping[str, int] = MappingProxyType(
    {
        "context_length_exceeded": 400,
        "max_tokens_exceeded": 400,
        "token_limit_exceeded": 400,
        "string_too_long": 400,
        "authentication": 401,
        "permission_denied": 403,
        "payment_required": 402,
        "rate_limit_exceeded": 429,
        "provider_overloaded": 529,
        "provider_unavailable": 503,
        "invalid_request": 400,
        "invalid_prompt": 400,
        "not_found": 404,
        "precondition_failed": 400,
        "payload_too_large": 413,
        "unprocessable": 400,
        "content_policy_violation": 400,
        "refusal": 400,
        "invalid_image": 400,
        "image_too_large": 400,
        "image_too_small": 400,
        "unsupported_image_format": 400,
        "image_not_found": 400,
        "image_download_failed": 400,
    }
)
UNTOLD_TYPES = frozenset({"server", "timeout", "unmapped"})
_UNTOLD_WORDS = frozenset({"", "Provider returned error"})
_LONGEST_WORDS = 2_000
# Official SDKs wait as long as they are told up to this, else only some seconds (`anthropic` 2.12.0,
# `_base_client.py`, `_calculate_retry_timeout`): trying on until a day's quota is new would help nobody.
_LONGEST_WAIT_OF_CLIENTS_S = 60


def error_answer(status: int, headers: Mapping[str, str], body: bytes, *, api_key: str = "") -> Replacement:
    """Return what the client sees of an error answer (status 300 and up); header names are lower-case."""
    error = error_in(body)
    shown: GatewayError | None = _moderated(error, status)
    if shown is None:
        as_good_as = _status(error, status) or status
        shown = error_of(as_good_as, _said(error, headers), headers, is_known_path=bool(error))
    return replacement(_not_for_long(shown), status, body, api_key=api_key)


def stream_error(error: Mapping[str, Any]) -> GatewayError:
    """Return the error that a stream, or an answer under status 200, ends with."""
    status = _status(error, status_in(error))
    shown = _moderated(error, status) or error_under_200(status, _said(error, {}))
    return _not_for_long(shown)


def _status(error: Mapping[str, Any], status: int | None) -> int | None:
    kind = text_in(object_in(error, "metadata"), "error_type") or ""
    return STATUS_OF_TYPE.get(kind, status)


def _said(error: Mapping[str, Any], headers: Mapping[str, str]) -> SaidError:
    metadata = object_in(error, "metadata")
    said = said_error(error)
    words = said.words
    vendor_words = _vendor_words(metadata)
    if vendor_words and words in _UNTOLD_WORDS:
        words = vendor_words
    elif vendor_words and vendor_words not in words:
        words = f"{words} ({vendor_words})"
    kind = text_in(metadata, "error_type")
    code = kind if kind == "context_length_exceeded" else said.code
    return replace(said, words=words[:_LONGEST_WORDS], code=code, wait_s=_wait_s(metadata, headers))


def _vendor_words(metadata: Mapping[str, Any]) -> str:
    """Return what the vendor said, after its name; "" where that is nothing to read."""
    raw: Any = metadata.get("raw")
    if isinstance(raw, str):
        words = readable_words(error_in(raw.encode("utf-8", "replace")).get("message")) or _if_text(raw)
    else:
        words = readable_words(error_object(raw).get("message"))
    name = text_in(metadata, "provider_name")
    return f"{name}: {words}" if words and name else words


def _if_text(raw: str) -> str:
    """A page of HTML, or JSON of an unknown form, is nothing to read."""
    return "" if raw.lstrip()[:1] in ("<", "{", "[") else readable_words(raw.strip())


def _moderated(error: Mapping[str, Any], status: int | None) -> PermissionDenied | None:
    """Return the error of an input that moderation flagged: that is the caller's business, unlike other 403s."""
    reasons = object_in(error, "metadata").get("reasons")
    if status != 403 or not isinstance(reasons, list):
        return None
    flagged = ", ".join(reason for reason in reasons if isinstance(reason, str))
    words = readable_words(error.get("message")) or "the input was flagged by moderation"
    return PermissionDenied(f"{words} ({flagged})" if flagged else words)


def _wait_s(metadata: Mapping[str, Any], headers: Mapping[str, str]) -> int | None:
    """Return how long to wait: as the body says it in seconds, in a header that it quotes, or as the end of the
    quota in milliseconds since the epoch, against the answer's own date."""
    quoted = {name.lower(): value for name, value in object_in(metadata, "headers").items()}
    for seconds in (metadata.get("retry_after_seconds"), quoted.get("retry-after")):
        if (asked := _number(seconds)) is not None:
            return _bounded_s(asked)
    reset_ms = _number(quoted.get("x-ratelimit-reset") or headers.get("x-ratelimit-reset"))
    if reset_ms is None or (now_s := _date_s(headers)) is None:
        return None
    return _bounded_s(reset_ms / 1000 - now_s)


def _bounded_s(seconds: float) -> int:
    return max(1, -int(-min(seconds, LONGEST_WAIT_S) // 1))


def _number(value: Any) -> float | None:
    """Return a number, also one in a text; None for anything else, infinities among them."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None


def _date_s(headers: Mapping[str, str]) -> float | None:
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _not_for_long(error: GatewayError) -> GatewayError:
    if isinstance(error, RateLimited) and int(error.headers["retry-after"]) > _LONGEST_WAIT_OF_CLIENTS_S:
        error.headers["x-should-retry"] = "false"
    return error
