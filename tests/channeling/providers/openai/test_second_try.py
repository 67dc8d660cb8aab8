"""A part that OpenAI refuses and that can be done without is left out of a second try, and nothing else is."""

import json
from typing import Any

import pytest

from channeling.providers.openai.second_try import second_body

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
SAID = {"type": "message", "role": "assistant", "content": "Hello.", "phase": "final_answer"}
BODY: dict[str, Any] = {
    "model": "gpt-5.2",
    "input": [USER, REASONING, SAID, USER],
    "reasoning": {"effort": "max", "summary": "auto"},
    "max_output_tokens": 200_000,
    "temperature": 0.5,
    "prompt_cache_key": "x" * 64,
}


def error(message: str, **more: Any) -> bytes:
    """Return the body of an error answer."""
    return json.dumps({"error": {"type": "invalid_request_error", "message": message, **more}}).encode()


UNVERIFIED = error(
    "Your organization must be verified to generate reasoning summaries. Please go to: "
    "https://platform.openai.com/settings/organization/general and click on Verify Organization.",
    param="reasoning.summary",
    code="unsupported_value",
)
EFFORT = error(
    "Unsupported value: 'max' is not supported with the 'gpt-5.2' model. Supported values are: 'none', 'low', "
    "'medium', 'high', and 'xhigh'.",
    param="reasoning.effort",
    code="unsupported_value",
)
EFFORT_UNEXPLAINED = error("Unsupported value.", param="reasoning.effort", code="unsupported_value")
SAMPLING = error(
    "Unsupported parameter: 'temperature' is not supported with this model.", param="temperature", code=None
)
TOO_LARGE = error(
    "max_output_tokens is too large: 200000. This model supports at most 128000 completion tokens, whereas you "
    "provided 200000.",
    param="max_output_tokens",
    code="invalid_value",
)
SEALED = error(
    "The encrypted content for item rs_1 could not be verified.", code="invalid_encrypted_content", param=None
)
PHASE = error("Unknown parameter: 'input[2].phase'.", param="input[2].phase", code="unknown_parameter")


@pytest.mark.parametrize(
    ("answer", "changed"),
    [
        (UNVERIFIED, {"reasoning": {"effort": "max"}}),
        (EFFORT, {"reasoning": {"effort": "xhigh", "summary": "auto"}}),
        (EFFORT_UNEXPLAINED, {"reasoning": {"summary": "auto"}}),
        (SAMPLING, {"temperature": None}),
        (TOO_LARGE, {"max_output_tokens": 128_000}),
        (SEALED, {"input": [USER, SAID, USER]}),
        (PHASE, {"input": [USER, REASONING, {k: v for k, v in SAID.items() if k != "phase"}, USER]}),
    ],
)
def test_what_is_refused_is_left_out(answer: bytes, changed: dict[str, Any]) -> None:
    """Nothing else changes, and the body that was sent first stays as it was."""
    before = json.dumps(BODY)
    expected = {key: value for key, value in (BODY | changed).items() if value is not None}
    assert second_body(BODY, 400, answer) == expected
    assert json.dumps(BODY) == before


@pytest.mark.parametrize(
    "answer", [UNVERIFIED, EFFORT, EFFORT_UNEXPLAINED, SAMPLING, TOO_LARGE, SEALED, PHASE]
)
def test_what_is_not_there_cannot_be_left_out(answer: bytes) -> None:
    """The same refusal of a request without the part is final."""
    assert second_body({"model": "gpt-5.2", "input": [USER]}, 400, answer) is None


def test_the_only_setting_of_reasoning() -> None:
    """An empty `reasoning` is not sent."""
    body = {"model": "gpt-5.2", "input": [USER], "reasoning": {"summary": "auto"}}
    assert second_body(body, 400, UNVERIFIED) == {"model": "gpt-5.2", "input": [USER]}


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (400, b""),
        (400, b"[]"),
        (400, b'{"error":"no"}'),
        (400, b'{"error":{"param":["temperature"],"code":[],"message":3}}'),
        (400, error("No", param="temperature", code=["x"])),
        (400, error("No", param="temperature", code="rate_limit_exceeded")),
        (400, error("No", param="input[0].content", code="invalid_value")),
        (400, error("at most 5", param="max_output_tokens", code="invalid_value")),
        (400, error("at most " + "9" * 5_000, param="max_output_tokens", code="invalid_value")),
        (429, error("Slow down", param="temperature", code=None)),
        (500, UNVERIFIED),
    ],
)
def test_other_errors_are_final(status: int, answer: bytes) -> None:
    """Whatever cannot be helped, and whatever is no error of the API at all."""
    assert second_body(BODY, status, answer) is None
