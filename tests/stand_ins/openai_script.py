"""What the stand-in for the Responses API says: scripts of output items and misbehaviour, turned into its events.

Events and items are shaped as the official package's types (`openai` 3.54.0, `types/responses/
response_stream_event.py` and below). One piece of content (a word, eight characters of arguments) counts as one
output token, and each of `reasoning_tokens` as one that nobody sees.
"""

import hashlib
import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

Ending = Literal[
    "complete",
    "reset",  # the connection is reset
    "eof",  # the body ends properly, the response does not
    "hang",  # nothing more comes, ever
    "garbage",  # bytes that are no events
    "error",  # an `error` event
]
Json = dict[str, Any]
Events = Iterator[Json]


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A reasoning item. Without `summary` nothing of it is shown; `text` is that of models with open weights."""

    summary: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the assistant. `citations` are (url, title) pairs, each on the whole text."""

    text: str = ""
    refusal: str = ""
    phase: Literal["commentary", "final_answer"] | None = None
    citations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call of one of the client's functions. `arguments` as text goes out as it stands.

    `whole` is how some backends do it: no deltas, the arguments only in the ending events.
    """

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    call_id: str = ""
    whole: bool = False

    @property
    def arguments_text(self) -> str:
        """The arguments as they go over the wire."""
        return (
            self.arguments if isinstance(self.arguments, str) else orjson.dumps(dict(self.arguments)).decode()
        )


@dataclass(frozen=True, slots=True)
class WebSearch:
    """A search of the web by the API itself."""

    query: str
    sources: tuple[str, ...] = ()


OutputItem = Reasoning | Message | FunctionCall | WebSearch


@dataclass(frozen=True, slots=True)
class Script:
    """One answer: its output items, how it travels, and how it ends.

    An answer that is not 200, or has a `body`, is sent as it stands. `records_before_ending` is how many events
    come before an ending other than `complete` (None: all but the last). `bytes_per_write` 0 writes each event by
    itself. A `gated` answer sends one piece of content for each one released, or, when it is not streamed, waits
    for one. Not streamed, `reset` and `hang` come half-way; other endings are for streams. `interleaved` sends the
    items' deltas in turns. `comments`, `bogus` and `done` put comments, events of no known type, and the ending
    line of other APIs into the stream.
    """

    items: tuple[OutputItem, ...] = (
        Message("Hello from the stand-in, with a smile: \u00e9\u4f60\U0001f600."),
    )
    failure: tuple[str, str] | None = None  # code and message of response.failed
    failed_usage: Mapping[str, Any] | None = None  # what response.failed reports, which is nothing as a rule
    incomplete: str | None = None  # the reason of response.incomplete
    input_tokens: int | None = None
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    usage: Mapping[str, Any] | None = None  # in place of the usage that would be told
    service_tier: str = "default"
    model: str | None = None  # the model that answers, where it is not the one asked
    status: int = 200
    body: bytes | None = None
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    answers: bool = True
    checks: bool = True  # whether a request is held against the types and refusals first
    gated: bool = False
    interleaved: bool = False
    comments: bool = False
    bogus: bool = False
    done: bool = False
    line_end: bytes = b"\n"
    bytes_per_write: int = 0
    compress: bool = False
    ending: Ending = "complete"
    records_before_ending: int | None = None


def error_script(status: int, code: str | None, message: str, *headers: tuple[str, str], kind: str) -> Script:
    """Return an answer in the API's error shape."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return Script(status=status, body=orjson.dumps({"error": error}), headers=headers, checks=False)


@dataclass(slots=True)
class Response:
    """One response as it grows: its events, the items that are done, and the ciphertexts that it gives out."""

    script: Script
    asked: Mapping[str, Any]
    input_tokens: int
    number: int
    output: dict[int, Json] = field(
        default_factory=dict
    )  # by index: where calls take turns, a later one ends first
    issued_reasoning: dict[str, str] = field(default_factory=dict)
    tokens: int = 0
    _sequence: int = 0
    _was_cut: bool = False

    @property
    def id(self) -> str:
        """The response's id, as the API makes them."""
        return f"resp_{_hex(self.number, 'response', 48)}"

    def events(self) -> Events:
        """Yield the events of the whole answer, cut at `max_output_tokens` as a model would be."""
        bound = self.asked.get("max_output_tokens")
        self.tokens = min(self.script.reasoning_tokens, bound or self.script.reasoning_tokens)
        yield self._event("response.created", response=self.body("in_progress"))
        yield self._event("response.in_progress", response=self.body("in_progress"))
        was_cut = yield from self._items()
        if self.script.failure is not None:
            code, message = self.script.failure
            yield self._event(
                "response.failed", response=self.body("failed", error={"code": code, "message": message})
            )
        elif was_cut or self.script.incomplete is not None:
            reason = "max_output_tokens" if was_cut else self.script.incomplete
            yield self._event(
                "response.incomplete", response=self.body("incomplete", incomplete_details={"reason": reason})
            )
        else:
            yield self._event("response.completed", response=self.body("completed"))

    def body(self, status: str, **changes: Any) -> Json:
        """Return the response object as it stands."""
        asked = self.asked
        return {
            "id": self.id,
            "object": "response",
            "created_at": 1_764_000_000,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": asked.get("instructions"),
            "max_output_tokens": asked.get("max_output_tokens"),
            "max_tool_calls": None,
            "model": self.script.model or str(asked.get("model")),
            "output": [self.output[index] for index in sorted(self.output)],
            "parallel_tool_calls": asked.get("parallel_tool_calls", True),
            "previous_response_id": None,
            "prompt_cache_key": asked.get("prompt_cache_key"),
            "reasoning": {"effort": "medium", "summary": None, **(asked.get("reasoning") or {})},
            "safety_identifier": asked.get("safety_identifier"),
            "service_tier": "auto" if status == "in_progress" else self.script.service_tier,
            "store": asked.get("store", True),
            "temperature": 1.0,
            "text": {"format": {"type": "text"}, "verbosity": "medium"},
            "tool_choice": asked.get("tool_choice", "auto"),
            "tools": asked.get("tools", []),
            "top_logprobs": 0,
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": self._usage(status),
            "user": None,
            "metadata": {},
            **changes,
        }

    def _usage(self, status: str) -> Any:
        if status == "in_progress":
            return None
        if status == "failed":
            return self.script.failed_usage
        if self.script.usage is not None:
            return dict(self.script.usage)
        return {
            "input_tokens": self.input_tokens,
            "input_tokens_details": {
                "cached_tokens": self.script.cached_tokens,
                "cache_write_tokens": self.script.cache_write_tokens,
            },
            "output_tokens": self.tokens,
            "output_tokens_details": {"reasoning_tokens": min(self.script.reasoning_tokens, self.tokens)},
            "total_tokens": self.input_tokens + self.tokens,
        }

    def _event(self, kind: str, **fields: Any) -> Json:
        self._sequence += 1
        return {"type": kind, "sequence_number": self._sequence - 1, **fields}

    def _items(self) -> Generator[Json, None, bool]:
        """Yield the items' events; return whether the answer was cut for its length."""
        writers = [self._item(index, item) for index, item in enumerate(self.script.items)]
        self.output = {}
        if self.script.interleaved:
            yield from _in_turns(writers)
            return self._was_cut
        for writer in writers:
            if self._was_cut:
                break
            yield from writer
        return self._was_cut

    def _spend(self) -> bool:
        """Count a token, if one more may be written; return whether it may."""
        bound = self.asked.get("max_output_tokens")
        if isinstance(bound, int) and self.tokens >= bound:
            self._was_cut = True
            return False
        self.tokens += 1
        return True

    def _item(self, index: int, item: OutputItem) -> Events:
        match item:
            case Reasoning():
                yield from self._reasoning(index, item)
            case Message():
                yield from self._message(index, item)
            case FunctionCall():
                yield from self._function_call(index, item)
            case WebSearch():
                yield from self._web_search(index, item)

    def _added(self, index: int, item: Json) -> Json:
        return self._event("response.output_item.added", output_index=index, item=item)

    def _done(self, index: int, item: Json) -> Json:
        self.output[index] = item
        return self._event("response.output_item.done", output_index=index, item=item)

    def _reasoning(self, index: int, item: Reasoning) -> Events:
        item_id = f"rs_{_hex(self.number, index, 48)}"
        # As the docstring of `encrypted_content` warns: what comes first is not yet all of it.
        sealed = _ciphertext(self.number, index)
        self.issued_reasoning[item_id] = sealed
        start = {"id": item_id, "type": "reasoning", "summary": [], "encrypted_content": sealed[:40]}
        yield self._added(index, start)
        at = {"item_id": item_id, "output_index": index}
        for summary_index, text in enumerate(item.summary):
            part = {"summary_index": summary_index, **at}
            yield self._event(
                "response.reasoning_summary_part.added", part={"type": "summary_text", "text": ""}, **part
            )
            for piece in _words(text):
                if not self._spend():
                    return
                yield self._event("response.reasoning_summary_text.delta", delta=piece, **part)
            yield self._event("response.reasoning_summary_text.done", text=text, **part)
            yield self._event(
                "response.reasoning_summary_part.done", part={"type": "summary_text", "text": text}, **part
            )
        for piece in _words(item.text):
            if not self._spend():
                return
            yield self._event("response.reasoning_text.delta", delta=piece, content_index=0, **at)
        if item.text:
            yield self._event("response.reasoning_text.done", text=item.text, content_index=0, **at)
        summary = [{"type": "summary_text", "text": text} for text in item.summary]
        content = {"content": [{"type": "reasoning_text", "text": item.text}]} if item.text else {}
        yield self._done(index, {**start, "summary": summary, "encrypted_content": sealed, **content})

    def _message(self, index: int, item: Message) -> Events:
        item_id = f"msg_{_hex(self.number, index, 48)}"
        phase = {} if item.phase is None else {"phase": item.phase}
        start = {"id": item_id, "type": "message", "role": "assistant", **phase}
        yield self._added(index, {**start, "status": "in_progress", "content": []})
        content: list[Json] = []
        was_cut = False
        for kind, text in (("output_text", item.text), ("refusal", item.refusal)):
            if text and not was_cut:
                was_cut = yield from self._part(index, item_id, content, kind, text, item.citations)
        status = "incomplete" if was_cut else "completed"
        yield self._done(index, {**start, "status": status, "content": content})

    def _part(
        self,
        index: int,
        item_id: str,
        content: list[Json],
        kind: str,
        text: str,
        citations: tuple[tuple[str, str], ...],
    ) -> Generator[Json, None, bool]:
        """Yield the events of a part of a message; return whether it was cut."""
        at = {"item_id": item_id, "output_index": index, "content_index": len(content)}
        yield self._event("response.content_part.added", part=_part_of(kind, "", ()), **at)
        written, was_cut = "", False
        extra: Json = {"logprobs": []} if kind == "output_text" else {}
        if self.asked.get("stream_options", {}).get("include_obfuscation") is not False:
            extra |= {"obfuscation": "pA9xQz"}
        for piece in _words(text):
            if not self._spend():
                was_cut = True
                break
            written += piece
            yield self._event(f"response.{kind}.delta", delta=piece, **at, **extra)
        annotations = () if was_cut or kind == "refusal" else citations
        part = _part_of(kind, written, annotations)
        for number, annotation in enumerate(part.get("annotations", ())):
            yield self._event(
                "response.output_text.annotation.added", annotation=annotation, annotation_index=number, **at
            )
        ended = {"text": written, "logprobs": []} if kind == "output_text" else {"refusal": written}
        yield self._event(f"response.{kind}.done", **ended, **at)
        yield self._event("response.content_part.done", part=part, **at)
        content.append(part)
        return was_cut

    def _function_call(self, index: int, item: FunctionCall) -> Events:
        item_id = f"fc_{_hex(self.number, index, 48)}"
        call_id = item.call_id or f"call_{_hex(self.number, index, 24)}"
        start = {"id": item_id, "type": "function_call", "call_id": call_id, "name": item.name}
        yield self._added(index, {**start, "status": "in_progress", "arguments": ""})
        at = {"item_id": item_id, "output_index": index}
        text = item.arguments_text
        written = ""
        for start_at in range(0, len(text), 8):
            piece = text[start_at : start_at + 8]
            if not self._spend():
                yield self._done(index, {**start, "status": "incomplete", "arguments": written})
                return
            written += piece
            if not item.whole:
                yield self._event("response.function_call_arguments.delta", delta=piece, **at)
        yield self._event("response.function_call_arguments.done", arguments=text, **at)
        yield self._done(index, {**start, "status": "completed", "arguments": text})

    def _web_search(self, index: int, item: WebSearch) -> Events:
        item_id = f"ws_{_hex(self.number, index, 48)}"
        sources = [{"type": "url", "url": url} for url in item.sources]
        action: Json = {"type": "search", "query": item.query, "queries": [item.query]}
        if "web_search_call.action.sources" in (self.asked.get("include") or ()):
            action["sources"] = sources
        start = {"id": item_id, "type": "web_search_call"}
        yield self._added(index, {**start, "status": "in_progress", "action": action})
        at = {"item_id": item_id, "output_index": index}
        for state in ("in_progress", "searching", "completed"):
            yield self._event(f"response.web_search_call.{state}", **at)
        yield self._done(index, {**start, "status": "completed", "action": action})


def is_content(event: Mapping[str, Any]) -> bool:
    """Whether an event is a piece of what the model writes."""
    return str(event["type"]).endswith(".delta")


def encoded(event: Mapping[str, Any], line_end: bytes = b"\n") -> bytes:
    """Return an event as it goes over the wire."""
    lines = (b"event: " + str(event["type"]).encode(), b"data: " + orjson.dumps(event), b"", b"")
    return line_end.join(lines)


def _part_of(kind: str, text: str, citations: tuple[tuple[str, str], ...]) -> Json:
    if kind == "refusal":
        return {"type": "refusal", "refusal": text}
    annotations = [
        {"type": "url_citation", "start_index": 0, "end_index": len(text), "url": url, "title": title}
        for url, title in citations
    ]
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}


def _in_turns(writers: list[Events]) -> Events:
    while writers:
        for writer in tuple(writers):
            event = next(writer, None)
            if event is None:
                writers.remove(writer)
            else:
                yield event


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*", text)


def _hex(number: int, index: int | str, length: int) -> str:
    return hashlib.sha256(f"{number}/{index}".encode()).hexdigest()[:length]


def _ciphertext(number: int, index: int) -> str:
    """Return what looks as the API's ciphertexts do: `gAAA`, then URL-safe base64 with its padding."""
    return "gAAAAAB" + "-_".join(_hex(number, f"{index}.{piece}", 40) for piece in range(8)) + "=="
