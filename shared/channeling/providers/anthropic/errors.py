"""Error answers of the Anthropic API: passed on word for word, or replaced where they are about our own account.

Clients match on the wording of 400 and 413 to recover (compaction, dropping images), so it is never touched. But
a 401 about the project's key would tell a caller to fix a token that is fine.
"""

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
    Relay,
    Replacement,
    account_refused,
    original_answer,
    retry_after_s,
    without_keys,
)

_ACCOUNT_STATUSES = frozenset({401, 402, 403})
_ACCOUNT_TYPES = frozenset({"authentication_error", "billing_error", "permission_error"})
# 400s in the API's own words that only whoever pays the account can do something about.
_ACCOUNT_WORDS = ("credit balance is too low", "api usage limits", "organization has been disabled")
_OVERLOADED_STATUS = 529


def relay_or_replace(
    status: int, headers: Mapping[str, str], body: bytes, *, api_key: str = ""
) -> Relay | Replacement:
    """Decide what the client sees of an error answer (status 300 and up); header names are lower-case.

    A body that is not in Anthropic's shape (a proxy's HTML) is replaced by one that is, under the same status.
    """
    if api_key:
        body = body.replace(api_key.encode(), b"[key]")
    error_type, message = _error_of(body)
    if _is_about_the_account(status, error_type, message):
        return Replacement(account_refused(), original_answer(status, body))
    if message is not None and (400 <= status < 500 or status == _OVERLOADED_STATUS):
        return Relay(status, body)
    return Replacement(_in_our_words(status, headers, error_type, message), original_answer(status, body))


def _in_our_words(
    status: int, headers: Mapping[str, str], error_type: str | None, message: str | None
) -> GatewayError:
    unexplained = f"the upstream provider answered with status {status} and no explanation"
    said = without_keys(message) if message else unexplained
    if status == _OVERLOADED_STATUS or error_type == "overloaded_error":
        return Overloaded(said, retry_after_s=retry_after_s(headers))
    match status:
        case 404:
            return NotFound(said)
        case 413:
            return RequestTooLarge(said)
        case 429:
            return RateLimited(said, retry_after_s=retry_after_s(headers))
        case _ if 400 <= status < 500:
            return InvalidRequest(said)
        case _ if status < 400:
            return UpstreamFailed("the upstream provider answered with a redirect; its base URL may be wrong")
    return UpstreamFailed(said)


def _is_about_the_account(status: int, error_type: str | None, message: str | None) -> bool:
    if status in _ACCOUNT_STATUSES or error_type in _ACCOUNT_TYPES:
        return True
    words = (message or "").lower()
    return status == 400 and any(phrase in words for phrase in _ACCOUNT_WORDS)


def _error_of(body: bytes) -> tuple[str | None, str | None]:
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None, None
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return None, None
    error_type = error.get("type")
    return error_type if isinstance(error_type, str) else None, error["message"]
