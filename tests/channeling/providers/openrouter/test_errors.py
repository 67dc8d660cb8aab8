"""OpenRouter's errors as Anthropic's: the vendor's own words, the real wait, and nothing about the account."""

import typing
from typing import Any

import orjson
import pytest
from openrouter.components import APIErrorType

from channeling.providers.error_answer import ACCOUNT_REFUSED
from channeling.providers.openrouter.errors import (
    STATUS_OF_TYPE,
    UNTOLD_TYPES,
    error_answer,
    stream_error,
)

KEY = "sk-or-v1-abcdefghijklmnop"
GENERIC = "Provider returned error"


def error(code: Any = 400, message: Any = GENERIC, **metadata: Any) -> dict[str, Any]:
    return {"code": code, "message": message, **({"metadata": metadata} if metadata else {})}


def body(code: Any = 400, message: Any = GENERIC, **metadata: Any) -> bytes:
    return orjson.dumps({"error": error(code, message, **metadata), "user_id": "user_2x"})


OPENAI_RAW = orjson.dumps(
    {"error": {"message": "Messages must contain the word 'json'.", "type": "invalid_request_error"}}
).decode()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (body(raw=OPENAI_RAW, provider_name="OpenAI"), "OpenAI: Messages must contain the word 'json'."),
        (body(raw="Too odd.", provider_name="BaseTen"), "BaseTen: Too odd."),
        (body(raw="Too odd."), "Too odd."),
        (body(raw={"error": "Too odd."}, provider_name="Ollama"), "Ollama: Too odd."),
        (body(raw='{"detail":"Too odd."}', provider_name="vLLM"), "vLLM: Too odd."),
        (body(400, "No tools here.", raw="Too odd.", provider_name="X"), "No tools here. (X: Too odd.)"),
        (body(400, "X: Too odd.", raw="Too odd.", provider_name="X"), "X: Too odd."),
        # Nothing in them that a person could read.
        (body(raw="<html>502</html>", provider_name="X"), GENERIC),
        (body(raw='{"status": 7}', provider_name="X"), GENERIC),
        (body(raw=None, provider_name="X"), GENERIC),
        (body(raw=7, provider_name=7), GENERIC),
        (body(400, "Word for word."), "Word for word."),
        (body(400, "See sk-or-v1-abcdefghijkl."), "See [key]."),
        (body(raw=f"Incorrect key {KEY}", provider_name="X"), "X: Incorrect key [key]"),
    ],
)
def test_the_words_are_the_vendors(said: bytes, words: str) -> None:
    shown = error_answer(400, {}, said, api_key=KEY).error
    assert (shown.status, shown.message) == (400, words)


def test_words_have_an_end() -> None:
    assert len(error_answer(400, {}, body(raw="x" * 100_000)).error.message) == 2_000


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, None, (400, "invalid_request_error")),
        (401, None, (500, "api_error")),
        (402, None, (500, "api_error")),
        (403, None, (500, "api_error")),
        (404, None, (404, "not_found_error")),
        (408, None, (500, "api_error")),
        (413, None, (413, "request_too_large")),
        (422, None, (400, "invalid_request_error")),
        (429, None, (429, "rate_limit_error")),
        (500, None, (500, "api_error")),
        (502, None, (500, "api_error")),
        (503, None, (529, "overloaded_error")),
        (504, None, (500, "api_error")),
        (524, None, (500, "api_error")),
        (529, None, (529, "overloaded_error")),
        (307, None, (500, "api_error")),
        # What it calls the error counts for more than the status that it is under.
        (502, "provider_overloaded", (529, "overloaded_error")),
        (502, "provider_unavailable", (529, "overloaded_error")),
        (500, "rate_limit_exceeded", (429, "rate_limit_error")),
        (502, "content_policy_violation", (400, "invalid_request_error")),
        (400, "payment_required", (500, "api_error")),
        (502, "server", (500, "api_error")),
        (400, "unmapped", (400, "invalid_request_error")),
        (400, "brand_new", (400, "invalid_request_error")),
    ],
)
def test_statuses(status: int, kind: str | None, expected: tuple[int, str]) -> None:
    said = body(status, "Word for word.", **({} if kind is None else {"error_type": kind}))
    shown = error_answer(status, {}, said).error
    assert (shown.status, shown.error_type) == expected
    if status >= 400:
        under_200 = stream_error(orjson.loads(said)["error"])
        assert (under_200.status, under_200.error_type) == expected


def test_every_type_of_error_is_known() -> None:
    """One that is new in the package has to be given a status."""
    literal, _ = typing.get_args(APIErrorType)
    assert set(typing.get_args(literal)) == STATUS_OF_TYPE.keys() | UNTOLD_TYPES


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, body(401, "No auth credentials found")),
        (
            402,
            body(402, "This request requires more credits, or fewer max_tokens. You can only afford 2666."),
        ),
        (403, body(403, "Key limit exceeded (total limit). Manage it at https://openrouter.ai/keys")),
        (400, body(400, error_type="authentication", raw="Incorrect API key", provider_name="OpenAI")),
    ],
)
def test_what_is_about_the_account_is_hidden_from_the_caller(status: int, said: bytes) -> None:
    decision = error_answer(status, {}, said, api_key=KEY)
    assert (decision.error.status, decision.error.message) == (500, ACCOUNT_REFUSED)
    assert decision.error.headers == {"x-should-retry": "false"}
    assert decision.original.startswith(f"{status} ")


def test_the_key_is_in_no_log() -> None:
    assert KEY not in error_answer(401, {}, body(401, f"Bad key {KEY}"), api_key=KEY).original


def test_what_moderation_flagged_is_the_callers_business() -> None:
    said = body(
        403,
        "Your chosen model requires moderation and your input was flagged",
        reasons=["violence", 7],
        flagged_input="…",
        provider_name="OpenAI",
    )
    for shown in (error_answer(403, {}, said).error, stream_error(orjson.loads(said)["error"])):
        assert (shown.status, shown.error_type) == (403, "permission_error")
        assert shown.message == "Your chosen model requires moderation and your input was flagged (violence)"


def test_reasons_of_another_error_are_no_moderation() -> None:
    assert error_answer(400, {}, body(400, "No.", reasons=["odd"])).error.status == 400


OVERFLOW = (
    "This endpoint's maximum context length is 131072 tokens. However, you requested about 141083 tokens "
    "(140083 of text input, 1000 in the output). Please reduce the length of either one."
)


@pytest.mark.parametrize(
    ("said", "wording"),
    [
        (error(400, OVERFLOW), "prompt is too long: 141083 tokens > 131072 maximum"),
        (
            error(400, raw=OVERFLOW, provider_name="Chutes"),
            "prompt is too long: 141083 tokens > 131072 maximum",
        ),
        (
            error(502, "Too much.", error_type="context_length_exceeded"),
            "prompt is too long: Too much.",
        ),
        (
            error(
                raw='{"error":{"message":"The input token count (1200000) exceeds the maximum number of tokens '
                'allowed (1048576)."}}'
            ),
            "prompt is too long: 1200000 tokens > 1048576 maximum",
        ),
        (
            error(
                raw='{"type":"error","error":{"message":"prompt is too long: 210883 tokens > 199999 maximum"}}'
            ),
            "prompt is too long: 210883 tokens > 199999 maximum",
        ),
    ],
)
def test_an_overflow_is_said_as_anthropic_says_it(said: dict[str, Any], wording: str) -> None:
    """Claude Code compacts the conversation on exactly this phrase."""
    answered = error_answer(said["code"], {}, orjson.dumps({"error": said})).error
    for shown in (answered, stream_error(said)):
        assert (shown.status, shown.error_type, shown.message) == (400, "invalid_request_error", wording)


@pytest.mark.parametrize(
    "raw",
    [
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        "Corrupted thought signature.",
        "The encrypted content gAAA could not be verified.",
    ],
)
def test_reasoning_that_is_not_taken_back_is_a_bad_signature(raw: str) -> None:
    """In Anthropic's words, so that a client leaves the old thinking out instead of failing for ever."""
    shown = error_answer(400, {}, body(raw=raw, provider_name="X")).error
    assert shown.message == f"Invalid `signature` in `thinking` block: X: {raw}"


DATE = "Tue, 24 Nov 2026 12:00:00 GMT"
DATE_MS = 1_795_521_600_000


@pytest.mark.parametrize(
    ("headers", "metadata", "waits_s"),
    [
        ({"retry-after": "7"}, {"retry_after_seconds": 17}, 7),
        ({}, {"retry_after_seconds": 17}, 17),
        ({}, {"retry_after_seconds": 16.2}, 17),
        ({}, {"retry_after_seconds": 60}, 60),
        ({}, {"retry_after_seconds": 61}, 61),
        ({}, {"retry_after_seconds": "17"}, 17),
        ({}, {"retry_after_seconds": 0}, 1),
        ({}, {"headers": {"Retry-After": "30"}}, 30),
        ({"date": DATE}, {"headers": {"X-RateLimit-Reset": str(DATE_MS + 45_000)}}, 45),
        ({"date": DATE}, {"headers": {"X-RateLimit-Reset": DATE_MS + 7_200_000}}, 7_200),
        ({"date": DATE, "x-ratelimit-reset": str(DATE_MS + 59_001)}, {}, 60),
        ({"date": DATE}, {"headers": {"X-RateLimit-Reset": "4102444800000"}}, 86_400),
        ({"date": DATE}, {"headers": {"X-RateLimit-Reset": str(DATE_MS - 5_000)}}, 1),
        ({}, {"headers": {"X-RateLimit-Reset": str(DATE_MS)}}, 2),
        ({"date": "yesterday"}, {"headers": {"X-RateLimit-Reset": str(DATE_MS)}}, 2),
        ({}, {"retry_after_seconds": "soon"}, 2),
        ({}, {"retry_after_seconds": "inf"}, 2),
        ({}, {"retry_after_seconds": True}, 2),
        ({}, {"retry_after_seconds": 1e300}, 86_400),
        ({}, {"headers": []}, 2),
        ({}, {}, 2),
    ],
)
def test_a_free_models_429_says_how_long_to_wait(
    headers: dict[str, str], metadata: dict[str, Any], waits_s: int
) -> None:
    shown = error_answer(429, headers, body(429, **metadata)).error
    assert shown.headers["retry-after"] == str(waits_s)
    # Official SDKs wait no longer than a minute, and would try on until a day's quota is new.
    assert (shown.headers.get("x-should-retry") == "false") is (waits_s > 60)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"error": {"message": 7, "metadata": 7}}',
        b'{"error": {"metadata": {"raw": ' + b"[" * 800 + b"]" * 800 + b"}}}",
        b'{"error": {"metadata": {"raw": [], "headers": {"retry-after": []}}}}',
        b"<html>502</html>",
        b"\xff",
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("status", [301, 400, 404, 429, 500, 503])
def test_an_answer_that_says_nothing_has_its_status_told(status: int, answer: bytes) -> None:
    shown = error_answer(status, {}, answer).error
    assert shown.message
    assert shown.status in {400, 404, 429, 500, 529}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"code": 502, "message": "Oh."}, (500, "Oh.")),
        ({"code": "502", "message": "Oh."}, (500, "Oh.")),
        ({"code": "rate_limit_exceeded", "message": "Oh."}, (429, "Oh.")),
        ({"code": "server_error", "message": "Oh."}, (500, "Oh.")),
        ({"code": None, "message": "Oh."}, (500, "Oh.")),
        ({"code": 7, "message": "Oh."}, (500, "Oh.")),
        ({"code": True, "message": "Oh."}, (500, "Oh.")),
        ({"code": 200, "message": "Oh."}, (500, "Oh.")),
        ({"message": "Oh."}, (500, "Oh.")),
        ({"metadata": {"raw": "Oh."}}, (500, "Oh.")),
        ({}, (500, "the upstream provider failed and did not say why")),
    ],
)
def test_errors_inside_a_stream(said: dict[str, Any], expected: tuple[int, str]) -> None:
    failure = stream_error(said)
    assert (failure.status, failure.message) == expected
