"""Errors of compatible servers as Anthropic's, whatever form they come in."""

from typing import Any

import orjson
import pytest

from channeling.providers.chat_completions.errors import error_answer, error_in, stream_error
from channeling.providers.error_answer import ACCOUNT_REFUSED


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"error": {"message": "Oh.", "type": "x", "code": None}}, "Oh."),
        ({"error": "Oh."}, "Oh."),
        ({"object": "error", "message": "Oh.", "type": "BadRequestError", "code": 400}, "Oh."),
        ({"message": "Oh.", "request_id": "7"}, "Oh."),
        ({"detail": "Oh."}, "Oh."),
        ({"detail": [{"loc": ["body"], "msg": "Oh.", "type": "missing"}]}, "Oh."),
    ],
)
def test_every_form_is_read(document: Any, words: str) -> None:
    shown = error_answer(400, {}, orjson.dumps(document)).error
    assert (shown.status, shown.error_type, shown.message) == (400, "invalid_request_error", words)


@pytest.mark.parametrize(
    ("status", "document", "expected"),
    [
        (401, {"error": {"message": "Invalid key"}}, (500, ACCOUNT_REFUSED)),
        (402, {"error": {"message": "Insufficient Balance"}}, (500, ACCOUNT_REFUSED)),
        (403, {"message": "Forbidden"}, (500, ACCOUNT_REFUSED)),
        (400, {"error": {"message": "x", "code": "insufficient_quota"}}, (500, ACCOUNT_REFUSED)),
        (404, {"error": {"message": 'model "x" not found'}}, (404, 'model "x" not found')),
        (
            404,
            {"detail": "Not Found"},
            (500, "the upstream provider knows no such path; its base URL may be wrong"),
        ),
        (404, None, (500, "the upstream provider knows no such path; its base URL may be wrong")),
        (429, {"error": {"message": "Slow down"}}, (429, "Slow down")),
        (503, {"error": {"message": "Loading model"}}, (529, "Loading model")),
        (500, {"error": {"message": "Out of memory"}}, (500, "Out of memory")),
    ],
)
def test_statuses(status: int, document: Any, expected: tuple[int, str]) -> None:
    shown = error_answer(status, {}, orjson.dumps(document)).error
    assert (shown.status, shown.message) == expected


@pytest.mark.parametrize(
    ("said", "wording"),
    [
        (
            "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the "
            "messages, 1000 in the completion).",
            "prompt is too long: 5000 tokens > 4096 maximum",
        ),
        (
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context "
            "length",
            "prompt is too long: 40000 tokens > 32768 maximum",
        ),
        (
            "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
            "prompt is too long: 5000 tokens > 4096 maximum",
        ),
        (
            "the request exceeds the available context size. try increasing the context size",
            "prompt is too long: the request exceeds the available context size. try increasing the context size",
        ),
        (
            "Input is too long for requested model.",
            "prompt is too long: Input is too long for requested model.",
        ),
    ],
)
def test_an_overflow_is_said_as_anthropic_says_it(said: str, wording: str) -> None:
    """Of vLLM, Mistral, llama.cpp and Bedrock; Claude Code compacts the conversation on exactly this phrase."""
    assert error_answer(400, {}, orjson.dumps({"error": {"message": said}})).error.message == wording
    assert stream_error({"message": said}).message == wording


def test_a_key_is_in_neither_message_nor_log() -> None:
    key = "my-own-server-secret"
    decision = error_answer(400, {}, orjson.dumps({"error": f"bad {key}"}), api_key=key)
    assert key not in decision.original


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"message": "Oh.", "code": 429}, (429, "Oh.")),
        ({"message": "Oh.", "code": "503"}, (529, "Oh.")),
        ({"message": "Oh.", "code": "server_is_overloaded"}, (529, "Oh.")),
        ({"message": "Oh.", "code": 401}, (500, ACCOUNT_REFUSED)),
        ({"message": "Oh."}, (500, "Oh.")),
        ({"message": {"a": 1}}, (500, "the upstream provider failed and did not say why")),
        ({}, (500, "the upstream provider failed and did not say why")),
    ],
)
def test_errors_inside_a_stream(error: dict[str, Any], expected: tuple[int, str]) -> None:
    shown = stream_error(error)
    assert (shown.status, shown.message) == expected


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"7", b"{}", b"<html>", b"\xff", b'{"detail": []}', b'{"error": null}']
)
def test_what_is_no_error_is_an_empty_one(body: bytes) -> None:
    assert error_in(body) == {}
