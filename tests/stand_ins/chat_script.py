"""What the stand-in for chat completions says: scripts of a model's answer and misbehaviour, turned into chunks.

Chunks and answers are shaped as the official package's types (`openrouter` 1.3.84, `components/chatstreamchunk.py`
and `chatresult.py`); with `vendor` other than `openrouter`, as other servers are known to deviate from them. One
piece of content (a word, eight characters of arguments) counts as one output token, and each of `reasoning_tokens`
as one that nobody sees.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

Ending = Literal[
    "complete",
    "reset",  # the connection is reset
    "eof",  # the body ends properly, the answer does not
    "hang",  # nothing more comes, ever
    "garbage",  # bytes that are no events
    "error",  # an error in a chunk, under the status 200
]
Vendor = Literal["openrouter", "plain"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Reasoning. `key` is what the server calls its text; `details` are whole objects of `reasoning_details`, whose
    texts are streamed in pieces beside it."""

    text: str = ""
    key: str = "reasoning"
    details: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """Content."""

    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal in its own field."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of one of the client's functions. `arguments` as text goes out as it stands, None as null.

    `whole` is how some servers do it: id, name and all arguments in one chunk.
    """

    name: str
    arguments: Mapping[str, Any] | str | None = field(default_factory=dict)
    call_id: str | None = None
    whole: bool = False

    @property
    def arguments_text(self) -> str | None:
        """The arguments as they go over the wire."""
        if self.arguments is None or isinstance(self.arguments, str):
            return self.arguments
        return orjson.dumps(dict(self.arguments)).decode()


Part = Reasoning | Text | Refusal | ToolCall


@dataclass(frozen=True, slots=True)
class Script:
    """One answer: its parts, how it travels, and how it ends.

    An answer that is not 200, or has a `body`, is sent as it stands. `chunks_before_ending` is how many chunks come
    before an ending other than `complete` (None: all but the last two). `bytes_per_write` 0 writes each event by
    itself. A `gated` answer sends one piece of content for each one released, or, when it is not streamed, waits
    for one. Not streamed, `reset` and `hang` come half-way, `error` is the whole body; other endings are for
    streams. `interleaved` sends the tool calls' arguments in turns.

    `usage_in` is where a stream's usage stands: in a chunk of its own without choices, with the finish reason, in
    every chunk, or nowhere. `nasty` puts comments, empty strings, nulls, chunks without choices, of no known fields
    and with an empty finish reason between the real ones, and more after the end.
    """

    parts: tuple[Part, ...] = (Text("Hello from the stand-in, with a smile: \u00e9\u4f60\U0001f600."),)
    finish_reason: str | None = None  # None: stop, tool_calls or length, as it is
    input_tokens: int | None = None
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    web_searches: int = 0
    cost: float | None = None  # US dollars, as the API has it
    upstream_cost: float | None = None  # of a key of one's own: billed by its vendor beside `cost`
    usage: Mapping[str, Any] | None = None  # in place of the usage that would be told
    usage_in: Literal["own", "finish", "every", "nowhere"] = "own"
    error: Mapping[str, Any] = field(
        default_factory=lambda: {
            "code": 502,
            "message": "Provider disconnected unexpectedly",
            "metadata": {"error_type": "provider_unavailable"},
        }
    )
    stop_string: str | None = None  # which stop string ended it, as vLLM (`stop_reason`) tells
    model: str | None = None  # the model that answers, where it is not the one asked
    vendor: Vendor = "openrouter"
    status: int = 200
    body: bytes | None = None
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    answers: bool = True
    checks: bool = True  # whether a request is held against the types and refusals first
    gated: bool = False
    interleaved: bool = False
    nasty: bool = False
    done: bool = True
    line_end: bytes = b"\n"
    bytes_per_write: int = 0
    compress: bool = False
    ending: Ending = "complete"
    chunks_before_ending: int | None = None


def error_script(
    status: int, message: str, *headers: tuple[str, str], metadata: Mapping[str, Any] | None = None
) -> Script:
    """Return an answer in OpenRouter's error shape (`components/*responseerrordata.py`)."""
    error: Json = {"code": status, "message": message}
    if metadata is not None:
        error["metadata"] = dict(metadata)
    body = orjson.dumps({"error": error, "user_id": "user_of_the_project"})
    return Script(status=status, body=body, headers=headers, checks=False)


@dataclass(slots=True)
class Completion:
    """One answer as it grows: its chunks, then the whole of it."""

    script: Script
    asked: Mapping[str, Any]
    input_tokens: int
    number: int
    tokens: int = 0
    message: Json = field(default_factory=dict)
    finish_reason: str = ""
    _was_cut: bool = False

    @property
    def id(self) -> str:
        """The answer's id, as OpenRouter makes them."""
        return f"gen-1764000000-{_hex(self.number, 'answer', 20)}"

    @property
    def model(self) -> str:
        """The model that answers."""
        return self.script.model or str(self.asked.get("model"))

    def chunks(self) -> Iterator[Json]:
        """Yield the chunks of the whole answer, cut at `max_tokens` as a model would be."""
        script = self.script
        bound = self._bound()
        self.tokens = min(script.reasoning_tokens, script.reasoning_tokens if bound is None else bound)
        self.message = {"role": "assistant", "content": None, "refusal": None, "reasoning": None}
        yield self._chunk({"role": "assistant", "content": ""})
        calls = [part for part in script.parts if isinstance(part, ToolCall)]
        yield from self._parts(calls)
        finish = self._finish(bool(calls))
        if script.usage_in in ("finish", "every"):
            finish["usage"] = self.usage()
        yield finish
        if script.usage_in == "own":
            yield {**self._chunk({}), "choices": [], "usage": self.usage()}

    def whole(self) -> Json:
        """Return the whole answer as it comes when it is not streamed."""
        for _ in self.chunks():
            pass
        choice = {
            "index": 0,
            "message": self.message,
            "finish_reason": self.finish_reason,
            "logprobs": None,
            **self._matched(),
        }
        body: Json = {
            "id": self.id,
            "object": "chat.completion",
            "created": 1_764_000_000,
            "model": self.model,
            "system_fingerprint": None,
            "choices": [choice],
        }
        if self.script.usage_in != "nowhere":
            body["usage"] = self.usage()
        return body

    def usage(self) -> Json:
        """Return the usage as it stands."""
        script = self.script
        if script.usage is not None:
            return dict(script.usage)
        told: Json = {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.tokens,
            "total_tokens": self.input_tokens + self.tokens,
        }
        if script.vendor == "plain":
            return told
        told |= {
            "prompt_tokens_details": {
                "cached_tokens": script.cached_tokens,
                "cache_write_tokens": script.cache_write_tokens,
                "audio_tokens": 0,
            },
            "completion_tokens_details": {"reasoning_tokens": min(script.reasoning_tokens, self.tokens)},
            "is_byok": script.upstream_cost is not None,
        }
        if script.web_searches:
            told["server_tool_use_details"] = {"web_search_requests": script.web_searches}
        if script.cost is not None:
            upstream = script.cost if script.upstream_cost is None else script.upstream_cost
            told["cost"] = script.cost
            told["cost_details"] = {
                "upstream_inference_cost": script.upstream_cost,
                "upstream_inference_prompt_cost": 0.0,
                "upstream_inference_completions_cost": upstream,
            }
        return told

    def failure(self) -> Json:
        """Return the chunk that an answer ends with which has begun and failed."""
        chunk = self._chunk({"content": ""}, finish_reason="error")
        return {**chunk, "error": dict(self.script.error)}

    def _bound(self) -> int | None:
        bound = self.asked.get("max_completion_tokens", self.asked.get("max_tokens"))
        return bound if isinstance(bound, int) else None

    def _spend(self) -> bool:
        """Count a token, if one more may be written; return whether it may."""
        bound = self._bound()
        if bound is not None and self.tokens >= bound:
            self._was_cut = True
            return False
        self.tokens += 1
        return True

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> Json:
        chunk: Json = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": 1_764_000_000,
            "model": self.model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}],
        }
        if self.script.vendor == "openrouter":
            chunk["provider"] = "Stand-In"  # it is there, whatever the types say
        if self.script.usage_in == "every":
            chunk["usage"] = self.usage()
        return chunk

    def _finish(self, has_calls: bool) -> Json:
        reason = self.script.finish_reason
        if self._was_cut:
            reason = "length"
        elif reason is None:
            reason = "tool_calls" if has_calls else "stop"
        self.finish_reason = reason
        chunk = self._chunk({"content": ""}, finish_reason=reason)
        chunk["choices"][0] |= self._matched()
        return chunk

    def _matched(self) -> Json:
        if self.script.stop_string is not None:
            return {"stop_reason": self.script.stop_string}
        native = {"native_finish_reason": self.finish_reason.upper()}
        return native if self.script.vendor == "openrouter" else {}

    def _parts(self, calls: list[ToolCall]) -> Iterator[Json]:
        writers = []
        for part in self.script.parts:
            match part:
                case Reasoning():
                    writers.append(self._reasoning(part))
                case Text():
                    writers.append(self._text("content", part.text))
                case Refusal():
                    writers.append(self._text("refusal", part.text))
                case ToolCall():
                    writers.append(self._tool_call(calls.index(part), part))
        if self.script.interleaved:
            yield from _in_turns(writers)
            return
        for writer in writers:
            if self._was_cut:
                return
            yield from writer

    def _text(self, key: str, text: str) -> Iterator[Json]:
        for piece in _words(text):
            if not self._spend():
                return
            self.message[key] = (self.message.get(key) or "") + piece
            yield self._chunk({key: piece})

    def _reasoning(self, part: Reasoning) -> Iterator[Json]:
        # `reasoning` repeats the text of details that show theirs, as OpenRouter's does.
        details: list[Json] = self.message.setdefault("reasoning_details", []) if part.details else []
        for index, detail in enumerate(part.details):
            shown = next((key for key in ("text", "summary") if detail.get(key)), None)
            rest: Json = {key: value for key, value in detail.items() if key not in (shown, "signature")}
            if shown is None:
                details.append({**detail, "index": index})
                yield self._chunk({"reasoning_details": [{**detail, "index": index}]})
                continue
            details.append({**rest, shown: "", "index": index})
            for piece in _words(str(detail[shown])):
                if not self._spend():
                    return
                details[-1][shown] += piece
                self.message[part.key] = (self.message.get(part.key) or "") + piece
                piece_of = {**rest, shown: piece, "index": index}
                yield self._chunk({part.key: piece, "reasoning_details": [piece_of]})
            if detail.get("signature"):
                details[-1]["signature"] = detail["signature"]
                signed = {**rest, shown: "", "signature": detail["signature"], "index": index}
                yield self._chunk({"reasoning_details": [signed]})
        if not part.details:
            yield from self._text(part.key, part.text)

    def _tool_call(self, index: int, call: ToolCall) -> Iterator[Json]:
        call_id = f"call_{_hex(self.number, index, 24)}" if call.call_id is None else call.call_id
        text = call.arguments_text
        made: Json = {"id": call_id, "type": "function", "function": {"name": call.name, "arguments": text}}
        if call.whole or text is None:
            if self._spend():
                self._calls().append(made)
                yield self._chunk({"tool_calls": [{"index": index, **made}]})
            return
        if not self._spend():
            return
        made["function"] = {"name": call.name, "arguments": ""}
        self._calls().append(made)
        yield self._chunk({"tool_calls": [{"index": index, **made, "function": dict(made["function"])}]})
        for start in range(0, len(text), 8):
            piece = text[start : start + 8]
            if not self._spend():
                return
            made["function"]["arguments"] += piece
            yield self._chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})

    def _calls(self) -> list[Json]:
        calls: list[Json] = self.message.setdefault("tool_calls", [])
        return calls


def is_content(chunk: Mapping[str, Any]) -> bool:
    """Whether a chunk is a piece of what the model writes."""
    for choice in chunk["choices"]:
        delta = choice["delta"]
        if any(
            delta.get(key) for key in ("content", "refusal", "reasoning", "reasoning_content", "tool_calls")
        ):
            return True
    return False


def encoded(chunk: Mapping[str, Any], line_end: bytes = b"\n") -> bytes:
    """Return a chunk as it goes over the wire: these servers name no events."""
    return b"data: " + orjson.dumps(chunk) + line_end * 2


def _in_turns(writers: list[Iterator[Json]]) -> Iterator[Json]:
    while writers:
        for writer in tuple(writers):
            chunk = next(writer, None)
            if chunk is None:
                writers.remove(writer)
            else:
                yield chunk


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*", text)


def _hex(number: int, index: int | str, length: int) -> str:
    return hashlib.sha256(f"{number}/{index}".encode()).hexdigest()[:length]
