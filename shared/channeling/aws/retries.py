"""When a call of AWS is tried again, and after how long: the standard mode of AWS's SDKs.

Source: AWS SDKs and Tools Reference Guide, "Retry behavior"; the codes, costs and pauses are those of botocore's
`retries/standard.py`, with which a test compares them.
"""

THROTTLING_CODES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "RequestThrottled",
        "SlowDown",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
    }
)
TRANSIENT_CODES = frozenset({"RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete"})
TRANSIENT_STATUSES = frozenset({500, 502, 503, 504})
THROTTLING_STATUS = 429

_QUOTA = 500
_COST, _THROTTLED_COST, _REFILL = 14, 5, 1
_BASE_S, _DYNAMODB_BASE_S, _THROTTLED_BASE_S, _MAX_PAUSE_S = 0.05, 0.025, 1.0, 20.0
_MAX_ASKED_MORE_S = 5.0


def is_throttled(code: str, status: int) -> bool:
    """Return whether an error answer says "slow down"."""
    return code in THROTTLING_CODES or status == THROTTLING_STATUS


def is_retried(code: str, status: int) -> bool:
    """Return whether the same request may succeed a moment later."""
    return is_throttled(code, status) or code in TRANSIENT_CODES or status in TRANSIENT_STATUSES


def pause_s(
    service: str, attempt: int, chance: float, *, throttled: bool, asked_ms: str | None = None
) -> float:
    """Return the seconds before the next try, after try number `attempt` (from 1), with a chance in [0, 1).

    `asked_ms` is the header x-amz-retry-after, in milliseconds.
    """
    base_s = _THROTTLED_BASE_S if throttled else _DYNAMODB_BASE_S if service == "dynamodb" else _BASE_S
    drawn_s = chance * min(base_s * 2.0 ** (attempt - 1), _MAX_PAUSE_S)
    if asked_ms is None or not (asked_ms.isascii() and asked_ms.isdigit() and len(asked_ms) <= 9):
        return drawn_s
    return max(drawn_s, min(int(asked_ms) / 1000, drawn_s + _MAX_ASKED_MORE_S))


class RetryQuota:
    """What one client may spend on tries after the first: a service that is down is not asked thrice by all."""

    def __init__(self) -> None:
        self._left = _QUOTA

    def take(self, *, throttled: bool) -> int:
        """Return what a further try costs, having taken it; 0 where that much is not left."""
        cost = _THROTTLED_COST if throttled else _COST
        if cost > self._left:
            return 0
        self._left -= cost
        return cost

    def succeeded(self, taken: int) -> None:
        """Give back what the last further try of a call took that has succeeded, a little where there was none."""
        if self._left < _QUOTA:
            self._left = min(_QUOTA, self._left + (taken or _REFILL))
