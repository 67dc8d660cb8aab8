"""What a server refuses and the request can do without is left out once; anything else is not asked again."""

from typing import Any

import orjson
import pytest

from channeling.providers.chat_completions.second_try import second_body

DETAIL = {"type": "reasoning.encrypted", "data": "x", "id": "1", "index": 0}
CALLS = [{"id": "1", "type": "function", "function": {"name": "a", "arguments": "{}"}}]
TOOL = {
    "type": "function",
    "function": {"name": "a", "parameters": {}, "strict": False},
    "cache_control": {"type": "ephemeral"},
}
BODY: dict[str, Any] = {
    "model": "qwen/qwen3-coder",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": None, "tool_calls": CALLS, "reasoning_details": [DETAIL]},
        {"role": "tool", "tool_call_id": "1", "content": "x"},
    ],
    "tools": [TOOL],
    "parallel_tool_calls": False,
    "reasoning": {"effort": "high"},
    "temperature": 0.5,
    "top_k": 5,
    "max_tokens": 64_000,
    "user": "u",
    "plugins": [],
    "provider": {"require_parameters": True},
}
PLAIN: dict[str, Any] = {
    "model": "deepseek-reasoner",
    "messages": [{"role": "user", "content": "Hi"}],
    "reasoning_effort": "high",
    "max_tokens": 64_000,
    "stream_options": {"include_usage": True},
}


def openrouter(raw: str) -> Any:
    """Return an error of OpenRouter's, with the provider's own words where it puts them."""
    metadata = {"raw": raw, "provider_name": "Someone"}
    return {"error": {"code": 400, "message": "Provider returned error", "metadata": metadata}}


def openai(message: str) -> Any:
    """Return an error in OpenAI's shape."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


def pydantic(key: str) -> Any:
    """Return an error as FastAPI has it."""
    return {
        "detail": [{"type": "extra_forbidden", "loc": ["body", key], "msg": "Extra inputs are not permitted"}]
    }


def without(body: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return a body without these keys."""
    return {key: value for key, value in body.items() if key not in keys}


PARAMETERS = "No endpoints found that can handle the requested parameters. To learn more, visit: https://…"
MANDATORY = {
    "error": {"message": "Reasoning is mandatory for this endpoint and cannot be disabled.", "code": 400}
}
PASSED_BACK = "The `reasoning_content` in the thinking mode must be passed back to the API."
IN_ALL = "This endpoint's maximum context length is 65536 tokens. However, you requested about 70000 tokens"
VLLM_OLD = (
    "This model's maximum context length is 32768 tokens. However, you requested 64096 tokens (96 in the messages, "
    "64000 in the completion)."
)
VLLM_NEW = (
    "'max_tokens' or 'max_completion_tokens' is too large: 64000. This model's maximum context length is 32768 "
    "tokens and your request has 768 input tokens (64000 > 32768 - 768)."
)
AT_MOST = "max_tokens is too large: 64000. This model supports at most 16384 completion tokens"


@pytest.mark.parametrize(
    ("body", "status", "answer", "again"),
    [
        (
            BODY,
            404,
            {"error": {"message": PARAMETERS, "code": 404}},
            without(BODY, "parallel_tool_calls", "reasoning", "temperature", "top_k"),
        ),
        (BODY, 400, MANDATORY, without(BODY, "reasoning")),
        (BODY, 400, openrouter(PASSED_BACK), {**BODY, "reasoning": {"effort": "none"}}),
        (
            PLAIN,
            400,
            openai(PASSED_BACK),
            {**without(PLAIN, "reasoning_effort"), "thinking": {"type": "disabled"}},
        ),
        (
            BODY,
            400,
            openai("Unsupported value: 'temperature' does not support 0.5 with this model."),
            without(BODY, "temperature"),
        ),
        (
            BODY,
            400,
            openai("`top_k` and `temperature` are not supported"),
            without(BODY, "temperature", "top_k"),
        ),
        (PLAIN, 422, pydantic("stream_options"), without(PLAIN, "stream_options")),
        (
            PLAIN,
            400,
            openai("Unrecognized request argument supplied: reasoning_effort"),
            without(PLAIN, "reasoning_effort"),
        ),
        (BODY, 422, pydantic("user"), without(BODY, "user")),
        (
            BODY,
            400,
            openrouter(f"{IN_ALL} (6000 of text input, 64000 in the output)."),
            {**BODY, "max_tokens": 59_536},
        ),
        (PLAIN, 400, openai(VLLM_OLD), {**PLAIN, "max_tokens": 32_672}),
        (PLAIN, 400, openai(VLLM_NEW), {**PLAIN, "max_tokens": 32_000}),
        (PLAIN, 400, openai(AT_MOST), {**PLAIN, "max_tokens": 16_384}),
    ],
)
def test_what_can_be_left_out(body: Any, status: int, answer: Any, again: Any) -> None:
    """It is left out, and nothing else."""
    assert second_body(body, status, orjson.dumps(answer)) == again


@pytest.mark.parametrize(
    "raw",
    [
        "Gemini models require OpenRouter reasoning details to be preserved in each request.",
        '{"error": {"code": 400, "message": "Corrupted thought signature.", "status": "INVALID_ARGUMENT"}}',
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        "The encrypted content gAAA could not be verified.",
    ],
)
@pytest.mark.parametrize("model", ["qwen/qwen3-coder", "google/gemini-3-pro"])
def test_reasoning_that_another_provider_signed(raw: str, model: str) -> None:
    """It is left out; calls of Gemini's get the stand-in for a signature."""
    again = second_body({**BODY, "model": model}, 400, orjson.dumps(openrouter(raw)))
    assert again is not None
    details = again["messages"][1].get("reasoning_details")
    assert (details is None) == (model != "google/gemini-3-pro")
    assert DETAIL not in (details or [])
    assert second_body(again | {"messages": BODY["messages"][:1]}, 400, orjson.dumps(openrouter(raw))) is None


def test_marks_inside_of_tools_and_messages() -> None:
    """They are left out wherever they stand."""
    strict = second_body(BODY, 400, orjson.dumps(openai("Unknown field 'strict'")))
    assert strict is not None
    assert "strict" not in strict["tools"][0]["function"]
    marks = second_body(BODY, 400, orjson.dumps(openai("messages.0: cache_control is not supported")))
    assert marks is not None
    assert b"cache_control" not in orjson.dumps(marks)
    assert b'"Hi"' in orjson.dumps(marks)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (400, openai("Invalid value for messages.0.content")),
        (400, openai("messages with role 'tool' are not supported by a user of this model")),
        (404, {"error": {"message": "No endpoints found that support tool use.", "code": 404}}),
        (404, {"error": {"message": "No endpoints found matching your price limit", "code": 404}}),
        (400, openai("maximum context length is 32768 tokens, however you requested 70000 in the messages")),
        (429, openai("Unsupported parameter: 'temperature'")),
        (500, openai("Unsupported parameter: 'temperature'")),
        (401, openai("Unsupported parameter: 'temperature'")),
        (400, None),
        (400, []),
        (400, {"error": [[["x"]]]}),
    ],
)
def test_what_is_not_asked_again(status: int, answer: Any) -> None:
    """There is nothing to leave out, or it would be no use."""
    assert second_body(BODY, status, orjson.dumps(answer)) is None


@pytest.mark.parametrize("answer", [b"", b"\xff\xfe", b"<html>", b"[" * 100_000, b'{"a":' * 50_000])
def test_answers_that_are_no_json(answer: bytes) -> None:
    """They are read as text, however deep."""
    assert second_body(BODY, 400, answer) is None
    assert second_body(BODY, 400, b"Unsupported parameter: temperature " + answer) == without(
        BODY, "temperature"
    )


def test_nothing_of_openrouters_is_added() -> None:
    """A server that was sent no details of reasoning is sent none the second time."""
    calls = {"role": "assistant", "content": None, "tool_calls": CALLS}
    body = {**PLAIN, "model": "gemini-3-pro", "messages": [*PLAIN["messages"], calls]}
    missing = openai("Function call is missing a thought_signature in functionCall parts.")
    assert second_body(body, 400, orjson.dumps(missing)) is None
