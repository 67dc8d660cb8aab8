"""Errors pass word for word unless they are about the project's own account, or no API's at all."""

from typing import Any

import orjson
import pytest

from channeling.providers.anthropic.errors import relay_or_replace
from channeling.providers.error_answer import ACCOUNT_REFUSED, Relay, Replacement


def body(error_type: str, message: str, **extra: Any) -> bytes:
    error = {"type": error_type, "message": message, **extra}
    return b" " + orjson.dumps({"type": "error", "error": error, "request_id": "req_1"}) + b"\n"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (400, body("invalid_request_error", "prompt is too long: 210883 tokens > 199999 maximum")),
        (400, body("invalid_request_error", "image", details={"error_code": "image_dimensions_too_large"})),
        (404, body("not_found_error", "model: claude-x")),
        (409, body("conflict_error", "again")),
        (413, body("request_too_large", "Request exceeds the maximum size")),
        (422, body("invalid_request_error", "no")),
        (429, body("rate_limit_error", "slow", details={"error_code": "enforced_spend_limit_reached"})),
        (529, body("overloaded_error", "Overloaded")),
        (400, body("invalid_request_error", "task-management-tool and disk-partitioning: sk-learn-pipeline")),
    ],
)
def test_word_for_word(status: int, answer: bytes) -> None:
    assert relay_or_replace(status, {}, answer, api_key="sk-ant-api03-KEY") == Relay(status, answer)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (401, body("authentication_error", "invalid x-api-key")),
        (401, b"<html>"),
        (402, body("billing_error", "declined")),
        (
            403,
            body("permission_error", "Your API key does not have permission to use the specified resource"),
        ),
        (403, b""),
        (400, body("billing_error", "declined")),
        (400, body("invalid_request_error", "Your credit balance is too low to access the Anthropic API.")),
        (400, body("invalid_request_error", "You have reached your specified API usage limits.")),
        (400, body("invalid_request_error", "This organization has been disabled.")),
    ],
)
def test_the_projects_account_is_not_the_callers_business(status: int, answer: bytes) -> None:
    decision = relay_or_replace(status, {}, answer)
    assert isinstance(decision, Replacement)
    assert (decision.error.status, decision.error.error_type) == (500, "api_error")
    assert decision.error.message == ACCOUNT_REFUSED
    assert decision.error.headers["x-should-retry"] == "false"
    assert decision.original.startswith(f"{status} ")


@pytest.mark.parametrize(
    ("status", "answer", "our_status", "our_type", "message"),
    [
        (500, body("api_error", "Internal server error"), 500, "api_error", "Internal server error"),
        (502, b"<html>bad gateway</html>", 500, "api_error", "status 502"),
        (503, body("overloaded_error", "Overloaded"), 529, "overloaded_error", "Overloaded"),
        (504, body("timeout_error", "took long"), 500, "api_error", "took long"),
        (529, b"<html>", 529, "overloaded_error", "status 529"),
        (400, b"<html>", 400, "invalid_request_error", "status 400"),
        (404, b"", 404, "not_found_error", "status 404"),
        (413, b"<html>413</html>", 413, "request_too_large", "status 413"),
        (429, b'{"error":"slow"}', 429, "rate_limit_error", "status 429"),
        (301, b"", 500, "api_error", "redirect"),
        (500, b'{"error":{"message":7}}', 500, "api_error", "status 500"),
    ],
)
def test_everything_else_is_said_in_the_apis_shape(
    status: int, answer: bytes, our_status: int, our_type: str, message: str
) -> None:
    decision = relay_or_replace(status, {"retry-after": "9"}, answer)
    assert isinstance(decision, Replacement)
    assert (decision.error.status, decision.error.error_type) == (our_status, our_type)
    assert message in decision.error.message
    if our_status in (429, 529):
        assert decision.error.headers["retry-after"] == "9"
    assert decision.error.headers.get("x-should-retry") != "false"


@pytest.mark.parametrize("retry_after", ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "", "1.5", "\u0665"])
def test_a_retry_after_that_is_no_number_becomes_a_short_one(retry_after: str) -> None:
    decision = relay_or_replace(529, {"retry-after": retry_after}, b"")
    assert isinstance(decision, Replacement)
    assert decision.error.headers["retry-after"] == "2"


def test_no_key_gets_out() -> None:
    key = "sk-ant-api03-SECRET_secret"
    relayed = relay_or_replace(400, {}, body("invalid_request_error", f"what is {key}?"), api_key=key)
    assert isinstance(relayed, Relay)
    assert b"SECRET" not in relayed.body
    for status in (401, 500):
        replaced = relay_or_replace(
            status, {}, body("api_error", f"got sk-proj-OTHER_secret and {key}"), api_key=key
        )
        assert isinstance(replaced, Replacement)
        assert "secret" not in replaced.original + replaced.error.message


def test_words_that_look_like_a_key_stay_readable() -> None:
    decision = relay_or_replace(500, {}, body("api_error", "the task-management service failed"))
    assert isinstance(decision, Replacement)
    assert decision.error.message == "the task-management service failed"
    assert "task-management" in decision.original


def test_the_log_is_bounded_and_takes_any_bytes() -> None:
    decision = relay_or_replace(500, {}, b"\xff" * 100_000)
    assert isinstance(decision, Replacement)
    assert len(decision.original) == 2_000
