"""OpenAI's errors as Anthropic's: what a caller can mend in words it acts on, what only the account can, hidden."""

import typing
from typing import Any

import orjson
import pytest
from openai.types.responses.response_error import ResponseError

from channeling.providers.error_answer import ACCOUNT_REFUSED
from channeling.providers.error_codes import ACCOUNT_CODES, FAILED_CODES, INVALID_CODES, OVERLOADED_CODES
from channeling.providers.openai.errors import error_answer, refuses_reasoning, stream_error

KEY = "sk-proj-abcdefghijklmnop"


def body(
    message: Any = "No.", code: Any = None, kind: Any = "invalid_request_error", param: Any = None
) -> bytes:
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


OVERFLOWS = [
    (
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 150123 tokens.",
        "prompt is too long: 150123 tokens > 128000 maximum",
    ),
    (
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300008 tokens. "
        "Please reduce the length of the messages.",
        "prompt is too long: 300008 tokens > 272000 maximum",
    ),
    (
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "prompt is too long: Your input exceeds the context window of this model. Please adjust your input and try "
        "again.",
    ),
]


@pytest.mark.parametrize(("said", "wording"), OVERFLOWS)
@pytest.mark.parametrize("code", ["context_length_exceeded", None])
def test_an_overflow_is_said_as_anthropic_says_it(said: str, wording: str, code: str | None) -> None:
    """Claude Code compacts the conversation on exactly this phrase."""
    error = error_answer(400, {}, body(said, code)).error
    assert (error.status, error.error_type, error.message) == (400, "invalid_request_error", wording)
    assert stream_error({"code": code, "message": said}).message == wording


@pytest.mark.parametrize(
    ("param", "is_too_long"),
    [
        ("instructions", True),
        ("input[12].content[0].text", True),
        ("input[3].output", True),
        ("input", True),
        ("input[3].call_id", False),
        ("tools[0].name", False),
        (None, False),
        (7, False),
    ],
)
def test_a_string_that_is_too_long_is_an_overflow_where_it_is_the_prompt(
    param: Any, is_too_long: bool
) -> None:
    said = "Invalid 'x': string too long. Expected a string with maximum length 10485760."
    error = error_answer(400, {}, body(said, "string_above_max_length", param=param)).error
    assert error.message.startswith("prompt is too long: ") is is_too_long


REASONING = [
    ("invalid_encrypted_content", "The encrypted content gAAA could not be verified."),
    (None, "The encrypted content for item rs_1 could not be verified."),
    (None, "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false."),
    (None, "Item 'rs_1' of type 'reasoning' was provided without its required following item."),
    (None, "Item 'fc_1' of type 'function_call' was provided without its required 'reasoning' item: 'rs_1'."),
]


@pytest.mark.parametrize(("code", "said"), REASONING)
@pytest.mark.parametrize("status", [400, 404])
def test_reasoning_that_is_not_taken_back_is_a_bad_signature(
    status: int, code: str | None, said: str
) -> None:
    """In Anthropic's words, so that a client leaves the old thinking out instead of failing for ever."""
    answer = body(said, code)
    error = error_answer(status, {}, answer).error
    assert error.status == 400
    assert error.message == f"Invalid `signature` in `thinking` block: {said}"
    assert refuses_reasoning(answer)


@pytest.mark.parametrize(
    "answer", [body("Too much thinking."), body(), b"", b"[]", b"<html>", body(7), body(None)]
)
def test_other_refusals_are_not_about_reasoning(answer: bytes) -> None:
    assert not refuses_reasoning(answer)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "invalid_api_key", "invalid_request_error"),
        (401, None, None),
        (402, None, None),
        (403, "unsupported_country_region_territory", "request_forbidden"),
        (403, None, None),
        (429, "insufficient_quota", "insufficient_quota"),
        (429, None, "insufficient_quota"),
        (400, "billing_hard_limit_reached", "invalid_request_error"),
        (400, "billing_not_active", "billing_not_active"),
    ],
)
def test_what_is_about_the_account_is_hidden_from_the_caller(status: int, code: Any, kind: Any) -> None:
    """A 401 would tell a caller to mend a token that is fine, a quota's 429 to wait for what never comes."""
    answer = body(f"Incorrect API key provided: {KEY}. You exceeded your quota.", code, kind)
    decision = error_answer(status, {"retry-after": "9"}, answer, api_key=KEY)
    error = decision.error
    assert (error.status, error.error_type, error.message) == (500, "api_error", ACCOUNT_REFUSED)
    assert error.headers == {"x-should-retry": "false"}
    assert KEY not in decision.original
    assert decision.original.startswith(f"{status} ")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, None, (400, "invalid_request_error")),
        (400, "unsupported_parameter", (400, "invalid_request_error")),
        (400, "invalid_prompt", (400, "invalid_request_error")),
        (400, "content_policy_violation", (400, "invalid_request_error")),
        (403, "model_not_found", (404, "not_found_error")),
        (404, "model_not_found", (404, "not_found_error")),
        (404, None, (404, "not_found_error")),
        (404, "unknown_url", (500, "api_error")),
        (408, None, (500, "api_error")),
        (409, None, (500, "api_error")),
        (413, None, (413, "request_too_large")),
        (422, None, (400, "invalid_request_error")),
        (429, "rate_limit_exceeded", (429, "rate_limit_error")),
        (429, None, (429, "rate_limit_error")),
        (429, "slow_down", (529, "overloaded_error")),
        (500, "server_error", (500, "api_error")),
        (500, None, (500, "api_error")),
        (502, None, (500, "api_error")),
        (503, None, (529, "overloaded_error")),
        (503, "slow_down", (529, "overloaded_error")),
        (504, None, (500, "api_error")),
        (529, None, (529, "overloaded_error")),
        (307, None, (500, "api_error")),
    ],
)
def test_statuses(status: int, code: Any, expected: tuple[int, str]) -> None:
    error = error_answer(status, {}, body("Word for word.", code)).error
    assert (error.status, error.error_type) == expected
    if status not in (307,) and code != "unknown_url":
        assert error.message == "Word for word."
    assert "x-should-retry" not in error.headers


@pytest.mark.parametrize(
    ("headers", "said", "waits_s"),
    [
        ({"retry-after": "7"}, "Please try again in 3s.", "7"),
        ({}, "Please try again in 3s.", "3"),
        ({}, "Please try again in 1.5s.", "2"),
        ({}, "Please try again in 20ms.", "1"),
        ({}, "Please try again in 6m0s.", "360"),
        ({}, "Please try again in 1h2m3.5s.", "3724"),
        ({}, "Please try again in 2m.", "120"),
        ({}, "Please try again in 99999h.", "86400"),
        ({}, "Please try again in a while.", "2"),
        ({}, "No.", "2"),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, "No.", "2"),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], said: str, waits_s: str) -> None:
    error = error_answer(429, headers, body(said, "rate_limit_exceeded", "requests")).error
    assert error.headers == {"retry-after": waits_s}


def test_an_organization_that_is_not_verified_is_the_accounts_business() -> None:
    said = (
        "Your organization must be verified to generate reasoning summaries. Please go to: https://platform."
    )
    error = error_answer(400, {}, body(said, "unsupported_value", param="reasoning.summary")).error
    assert error.message == ACCOUNT_REFUSED


def test_what_no_waiting_helps_is_not_to_be_tried_again() -> None:
    said = (
        "Request too large for gpt-4.1 in organization org-AbCdEf123456 on tokens per min (TPM): Limit 30000."
    )
    error = error_answer(429, {}, body(said, "rate_limit_exceeded", "tokens")).error
    assert error.headers["x-should-retry"] == "false"
    assert "org-AbCdEf123456" not in error.message


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"error": "no"}',
        b'{"error": {"message": 7}}',
        b"<html>502</html>",
        b"\xff",
    ],
)
@pytest.mark.parametrize("status", [301, 400, 404, 429, 500, 503])
def test_an_answer_that_says_nothing_has_its_status_told(status: int, answer: bytes) -> None:
    error = error_answer(status, {}, answer).error
    assert error.message
    assert error.status in {400, 404, 429, 500, 529}


def test_every_code_of_a_failed_response_is_known() -> None:
    """A code that is new in the package has to be put into one of the sets of `error_codes.py`."""
    codes = set(typing.get_args(ResponseError.model_fields["code"].annotation))
    known = ACCOUNT_CODES | OVERLOADED_CODES | INVALID_CODES | FAILED_CODES | {"rate_limit_exceeded"}
    assert codes - known == set()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": "server_error", "message": "Oh."}, (500, "Oh.")),
        ({"code": "brand_new", "message": "Oh."}, (500, "Oh.")),
        ({"code": None, "message": "Oh."}, (500, "Oh.")),
        ({"code": 7, "message": "Oh."}, (500, "Oh.")),
        ({"code": "rate_limit_exceeded", "message": "Oh."}, (429, "Oh.")),
        ({"code": "server_is_overloaded", "message": "Oh."}, (529, "Oh.")),
        ({"code": "bio_policy", "message": "Oh."}, (400, "Oh.")),
        ({"code": "image_too_large", "message": "Oh."}, (400, "Oh.")),
        ({"code": "insufficient_quota", "message": "Oh."}, (500, ACCOUNT_REFUSED)),
        ({"message": "See sk-proj-abcdefghijkl."}, (500, "See [key].")),
        ({}, (500, "the upstream provider failed and did not say why")),
        ({"message": None}, (500, "the upstream provider failed and did not say why")),
    ],
)
def test_errors_inside_a_stream(error: dict[str, Any], expected: tuple[int, str]) -> None:
    failure = stream_error(error)
    assert (failure.status, failure.message) == expected
