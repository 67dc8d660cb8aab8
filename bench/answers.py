"""What the providers' stand-in of `make bench` answers: the file that native/upstream.c reads.

Three APIs in their own shapes, each with a JSON answer of about 1.5 kB and a stream of any number of deltas whose
text holds the time of its writing. Shapes: types of the official packages `anthropic` 2.12 and `openai` 3.54, and
openrouter.ai/docs/api-reference for `usage.cost`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

ANTHROPIC_MODEL = "claude-sonnet-4-5-20250929"
OPENAI_MODEL = "gpt-4.1"
OPENROUTER_MODEL = "or:meta-llama/llama-3.3-70b-instruct"
INPUT_TOKENS = 300
DELTAS = 200
# Sixteen digits are put in the place of the zeros when the event is written (native/prepared_answers.h).
STAMPED_TEXT = "~t0000000000000000 words "
_TEXT = "The quick brown fox jumps over the lazy dog. " * 26
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One endpoint's answers; events as they go over the wire. Without deltas it has only its JSON."""

    paths: tuple[str, ...]
    json: Json
    before: tuple[bytes, ...] = ()
    deltas: tuple[bytes, ...] = ()
    after: tuple[bytes, ...] = ()


def answers(base_url: str = "") -> list[Answer]:
    """Return every endpoint's answer. `base_url` is its own, for the documents of an identity provider."""
    return [_messages(), _responses(), _chat_completions(), *_small_answers(base_url)]


def write_answers(file: Path, listed: Iterable[Answer]) -> None:
    """Write the file that native/upstream.c reads."""
    file.write_bytes(b"".join(b"%b %d\n%b\n" % (kind, len(data), data) for kind, data in _records(listed)))


def _records(listed: Iterable[Answer]) -> Iterator[tuple[bytes, bytes]]:
    for answer in listed:
        for path in answer.paths:
            yield b"path", path.encode()
            yield b"json", orjson.dumps(answer.json)
            for kind, events in (
                (b"before", answer.before),
                (b"delta", answer.deltas),
                (b"after", answer.after),
            ):
                for event in events:
                    yield kind, event


def _event(data: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (data["type"].encode(), orjson.dumps(data))


def _chunk(data: Json) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(data)


def _messages() -> Answer:
    usage = {
        "input_tokens": INPUT_TOKENS,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 1,
        "service_tier": "standard",
    }
    message: Json = {
        "model": ANTHROPIC_MODEL,
        "id": "msg_01BenchBenchBenchBenchBe",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    last = {"output_tokens": DELTAS + 100}
    whole = message | {"content": [{"type": "text", "text": _TEXT}], "stop_reason": "end_turn"}
    delta = {"type": "text_delta", "text": STAMPED_TEXT}
    return Answer(
        ("/v1/messages",),
        whole | {"usage": usage | last},
        (
            _event({"type": "message_start", "message": message}),
            _event(
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
            ),
        ),
        (_event({"type": "content_block_delta", "index": 0, "delta": delta}),),
        (
            _event({"type": "content_block_stop", "index": 0}),
            _event(
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                    "usage": last,
                }
            ),
            _event({"type": "message_stop"}),
        ),
    )


def _response(status: str, output: Sequence[Json], usage: Json | None) -> Json:
    return {
        "id": "resp_bench",
        "object": "response",
        "created_at": 1_764_000_000,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": 1024,
        "max_tool_calls": None,
        "model": OPENAI_MODEL,
        "output": list(output),
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
        "metadata": {},
    }


def _item(status: str, text: str | None) -> Json:
    content = [] if text is None else [_part(text)]
    return {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def _part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _responses() -> Answer:
    output_tokens = DELTAS + 100
    usage = {
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + output_tokens,
    }
    at = {"item_id": "msg_bench", "output_index": 0, "content_index": 0}
    text = STAMPED_TEXT.replace("~t", "at ") * DELTAS
    before: list[Json] = [
        {"type": "response.created", "response": _response("in_progress", (), None)},
        {"type": "response.in_progress", "response": _response("in_progress", (), None)},
        {"type": "response.output_item.added", "output_index": 0, "item": _item("in_progress", None)},
        {"type": "response.content_part.added", "part": _part(""), **at},
    ]
    deltas: list[Json] = [
        {"type": "response.output_text.delta", "delta": STAMPED_TEXT, "logprobs": [], **at}
        for _ in range(DELTAS)
    ]
    after: list[Json] = [
        {"type": "response.output_text.done", "text": text, "logprobs": [], **at},
        {"type": "response.content_part.done", "part": _part(text), **at},
        {"type": "response.output_item.done", "output_index": 0, "item": _item("completed", text)},
        {
            "type": "response.completed",
            "response": _response("completed", (_item("completed", text),), usage),
        },
    ]
    for number, event in enumerate([*before, *deltas, *after]):
        event["sequence_number"] = number
    return Answer(
        ("/v1/responses",),
        _response("completed", (_item("completed", _TEXT),), usage),
        tuple(map(_event, before)),
        tuple(map(_event, deltas)),
        tuple(map(_event, after)),
    )


def _chat_completions() -> Answer:
    def chunk(delta: Json, finish: str | None = None, **fields: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _chunk(head | {"object": "chat.completion.chunk", "choices": [choice]} | fields)

    head = {"id": "gen-bench", "created": 1_764_000_000, "model": OPENROUTER_MODEL.removeprefix("or:")}
    usage = {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": DELTAS + 100,
        "total_tokens": INPUT_TOKENS + DELTAS + 100,
        "prompt_tokens_details": {"cached_tokens": 0},
        "cost": 0.00042,
    }
    message = {"role": "assistant", "content": _TEXT}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Answer(
        ("/v1/chat/completions", "/api/v1/chat/completions", "/chat/completions"),
        head | {"object": "chat.completion", "choices": [choice], "usage": usage},
        (chunk({"role": "assistant", "content": ""}),),
        (chunk({"content": STAMPED_TEXT}),),
        (
            chunk({}, "stop"),
            _chunk(head | {"object": "chat.completion.chunk", "choices": [], "usage": usage}),
            b"data: [DONE]\n\n",
        ),
    )


def _small_answers(base_url: str) -> list[Answer]:
    identity_provider = {
        "issuer": base_url,
        "authorization_endpoint": f"{base_url}/authorize",
        "token_endpoint": f"{base_url}/token",
        "jwks_uri": f"{base_url}/jwks",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    return [
        Answer(("/v1/messages/count_tokens",), {"input_tokens": INPUT_TOKENS}),
        Answer(
            ("/v1/responses/input_tokens",),
            {"object": "response.input_tokens", "input_tokens": INPUT_TOKENS},
        ),
        Answer(("/.well-known/openid-configuration",), identity_provider),
        Answer(("/jwks",), {"keys": []}),
    ]
