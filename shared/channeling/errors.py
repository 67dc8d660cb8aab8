"""Every failure a caller can see, with the HTTP status and Anthropic error type it is answered with.

GatewayError
├── InvalidRequest        400 invalid_request_error
├── AuthenticationFailed  401 authentication_error    x-should-retry: false
├── PermissionDenied      403 permission_error
├── NotFound              404 not_found_error
├── MethodNotAllowed      405 invalid_request_error
├── RequestTimedOut       408 timeout_error
├── RequestTooLarge       413 request_too_large
├── RateLimited           429 rate_limit_error        retry-after; too many at once, too many look-ups
│   └── BudgetHeld        429 rate_limit_error        retry-after: 1; the rest is held by requests in flight
├── BudgetExceeded        429 rate_limit_error        x-should-retry: false; the budget is spent
├── UpstreamFailed        500 api_error               the provider failed, or refused the project's account
├── PriceUnreadable       500 api_error               x-should-retry: false; an operator has to mend a custom price
└── Overloaded            529 overloaded_error        retry-after
    └── StoreUnavailable  529 overloaded_error        DynamoDB or KMS unreachable: we fail closed

The shape is Anthropic's error object (`anthropic` 2.12.0, `types/shared/error_response.py`,
`types/shared/error_type.py`); `error.details` is where that API puts machine-readable facts.
"""

from collections.abc import Mapping
from typing import Any


class GatewayError(Exception):
    """A failure with its answer: HTTP status, Anthropic error type, message, details and headers."""

    status = 500
    error_type = "api_error"

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details) if details else None
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the JSON body of the answer, or of the stream's `event: error`."""
        error: dict[str, Any] = {"type": self.error_type, "message": self.message}
        if self.details is not None:
            error["details"] = self.details
        return {"type": "error", "error": error, "request_id": request_id}


class InvalidRequest(GatewayError):
    """The body, a parameter or the route asked for is wrong; the message says which and how."""

    status = 400
    error_type = "invalid_request_error"


class AuthenticationFailed(GatewayError):
    """The caller's token is missing, malformed, forged, expired or revoked.

    `x-should-retry: false` keeps Claude Code from retrying for three minutes.
    """

    status = 401
    error_type = "authentication_error"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"x-should-retry": "false"})


class PermissionDenied(GatewayError):
    """The token is good, but does not allow this: the model, or a disabled project."""

    status = 403
    error_type = "permission_error"


class NotFound(GatewayError):
    """No such path or model."""

    status = 404
    error_type = "not_found_error"


class MethodNotAllowed(GatewayError):
    """The path is there, for another method."""

    status = 405
    error_type = "invalid_request_error"


class RequestTimedOut(GatewayError):
    """The body did not arrive within the longest request."""

    status = 408
    error_type = "timeout_error"


class RequestTooLarge(GatewayError):
    """The body is over the limit of this deployment."""

    status = 413
    error_type = "request_too_large"


class RateLimited(GatewayError):
    """Too many at once; worth a retry after `retry_after_s` seconds."""

    status = 429
    error_type = "rate_limit_error"

    def __init__(self, message: str, *, retry_after_s: int, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, details=details, headers={"retry-after": str(retry_after_s)})


class BudgetHeld(RateLimited):
    """The request would fit, but for what requests in flight hold of the same budget."""


class BudgetExceeded(GatewayError):
    """The budget is spent until the window ends: not worth a retry, so `x-should-retry: false`."""

    status = 429
    error_type = "rate_limit_error"

    def __init__(self, message: str, *, retry_after_s: int, details: Mapping[str, Any]) -> None:
        headers = {"retry-after": str(retry_after_s), "x-should-retry": "false"}
        super().__init__(message, details=details, headers=headers)


class UpstreamFailed(GatewayError):
    """The provider failed, broke off, or refused this project's credentials or account."""


class PriceUnreadable(GatewayError):
    """A custom price that may hold for the model cannot be read: refused rather than billed at another price."""

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"x-should-retry": "false"})


class Overloaded(GatewayError):
    """No capacity right now, here or at the provider."""

    status = 529
    error_type = "overloaded_error"

    def __init__(self, message: str, *, retry_after_s: int = 2) -> None:
        super().__init__(message, headers={"retry-after": str(retry_after_s)})


class StoreUnavailable(Overloaded):
    """DynamoDB or KMS did not answer: refuse rather than spend unrecorded."""
