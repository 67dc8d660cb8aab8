"""What is tried again, after how long and how often in all, is what botocore's standard mode does."""

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.retries import standard
from botocore.retries.quota import RetryQuota as BotocoreQuota

from channeling.aws.retries import (
    THROTTLING_CODES,
    TRANSIENT_CODES,
    TRANSIENT_STATUSES,
    RetryQuota,
    is_retried,
    is_throttled,
    pause_s,
)


def context(
    code: str = "", status: int = 400, attempt: int = 1, headers: dict[str, str] | None = None
) -> Any:
    return standard.RetryContext(
        attempt_number=attempt,
        parsed_response={"Error": {"Code": code}},
        http_response=SimpleNamespace(status_code=status, headers=headers or {}, content=b""),
        request_context={},
    )


def test_codes_and_statuses_are_botocore_s() -> None:
    assert set(standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES) == THROTTLING_CODES
    assert set(standard.TransientRetryableChecker._TRANSIENT_ERROR_CODES) == TRANSIENT_CODES
    assert set(standard.TransientRetryableChecker._TRANSIENT_STATUS_CODES) == TRANSIENT_STATUSES


@pytest.mark.parametrize("status", [200, 400, 403, 413, 429, 500, 501, 502, 503, 504])
@pytest.mark.parametrize("code", ["", "ThrottlingException", "RequestTimeout", "ValidationException"])
def test_what_is_retried(code: str, status: int) -> None:
    asked = context(code, status)
    detector = standard.ThrottlingErrorDetector(standard.RetryEventAdapter())
    assert is_throttled(code, status) == detector.is_throttling_error_from_context(asked)
    checkers = (
        standard.TransientRetryableChecker(),
        standard.ThrottledRetryableChecker(),
        standard.ThrottlingStatusCodeChecker(),
    )
    assert is_retried(code, status) == any(checker.is_retryable(asked) for checker in checkers)


@pytest.mark.parametrize("asked_ms", [None, "0", "100", "3000", "60000", "-5", "soon", "٣"])
@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerError"])
@pytest.mark.parametrize("service", ["dynamodb", "kms"])
def test_pauses(service: str, code: str, asked_ms: str | None) -> None:
    backoff = standard.ExponentialBackoff(
        random=lambda: 0.6,
        service_name=service,
        throttling_detector=standard.ThrottlingErrorDetector(standard.RetryEventAdapter()),
    )
    for attempt in (1, 2, 5, 12):
        headers = {} if asked_ms is None or not asked_ms.isascii() else {"x-amz-retry-after": asked_ms}
        theirs = backoff.delay_amount(context(code, 400, attempt, headers))
        ours = pause_s(service, attempt, 0.6, throttled=is_throttled(code, 400), asked_ms=asked_ms)
        assert ours == pytest.approx(theirs)


def test_a_service_that_is_down_is_not_asked_thrice_by_everyone() -> None:
    """As many tries as botocore's own quota grants, and as many again after successes."""
    checker = standard.RetryQuotaChecker(BotocoreQuota())
    quota = RetryQuota()
    for _ in range(60):
        theirs = checker.acquire_retry_quota(context("InternalServerError", 500))
        assert (quota.take(throttled=False) != 0) == theirs
    assert not quota.take(throttled=False)
    for _ in range(20):
        quota.succeeded(0)
        checker.release_retry_quota({}, SimpleNamespace(status_code=200))
    for _ in range(3):
        theirs = checker.acquire_retry_quota(context("InternalServerError", 500))
        assert (quota.take(throttled=False) != 0) == theirs


def test_a_call_that_succeeds_at_last_gives_back_what_it_took() -> None:
    quota = RetryQuota()
    for _ in range(1_000):
        taken = quota.take(throttled=True)
        assert taken
        quota.succeeded(taken)
