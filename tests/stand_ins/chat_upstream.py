"""A stand-in for OpenRouter, and for servers that speak chat completions as OpenAI did: a real HTTP server on
loopback that can be as nasty as a test wants.

In this process:   with ChatUpstream(Script(...)) as upstream: ... upstream.sdk_base_url, upstream.requests
In its own:        python -m tests.stand_ins.chat_upstream [--port N]
                   prints {"base_url": ...}; scripts by name (NAMED_SCRIPTS), GET /stand-in/requests,
                   POST /stand-in/release?count=N

`/api/v1` is OpenRouter, Anthropic's own format at `/api/v1/messages` included, which `native` answers. `/v1` is a
server that knows nothing of what is OpenRouter's own. Every chat completion is held against the official package's
types and known refusals, reasoning details against the ones that it has given out. What it refused is in `refused`:
a test that expects none says so with `assert_nothing_refused`.
"""

import asyncio
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import orjson

from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.chat_named_scripts import NAMED_SCRIPTS
from tests.stand_ins.chat_script import Completion, Reasoning, Script, encoded, error_script, is_content
from tests.stand_ins.chat_validator import Refusal, refusals
from tests.stand_ins.raw_http import (
    Connection,
    Gzip,
    RecordedRequest,
    reset,
    send_chunk,
    send_cut,
    send_head,
    send_raw,
    send_whole,
)
from tests.stand_ins.upstream_server import UpstreamServer, serve_until_input_ends

# What the real API and its edge send along, and a gateway must not hand on.
ACCOUNT_HEADERS = (
    ("x-generation-id", "gen-of-the-account"),
    ("x-ratelimit-limit", "50"),
    ("set-cookie", "__cf_bm=edge; path=/"),
    ("cf-ray", "9a3f0c-FRA"),
    ("server", "stand-in"),
)
JSON_HEADER = ("content-type", "application/json")
COMPLETIONS = "/chat/completions"
OPENROUTER, PLAIN = "/api/v1", "/v1"
# What is between the chunks that matter, each seen of some server: nothing of it is an answer or its end.
_NASTY: tuple[Mapping[str, Any], ...] = (
    {"choices": []},
    {"choices": [], "usage": None},
    {"choices": [{"index": 0, "delta": {"content": "", "reasoning_content": "", "tool_calls": None}}]},
    {"choices": [{"index": 0, "delta": {"content": None, "role": "assistant"}, "finish_reason": ""}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "null"}]},
    {"choices": [{"index": 0, "delta": None, "finish_reason": None}]},
    {"object": "of.next.year", "payload": {"deep": [1, None]}},
)
_COMMENT = b": OPENROUTER PROCESSING"
_NO_KEY = error_script(401, "No cookie auth credentials found")


@dataclass(slots=True)
class ChatUpstream(UpstreamServer[Script]):
    """The running server; its script can be changed at any time."""

    refused: list[Refusal] = field(default_factory=list)
    # Reasoning details that it has given out, by id.
    issued: dict[str, Any] = field(default_factory=dict)
    native: AnthropicUpstream = field(init=False)
    _answered: int = 0

    script_header: ClassVar[str] = "chat-stand-in"
    script_model: ClassVar[str] = "stand-in/"

    def __post_init__(self) -> None:
        self.native = AnthropicUpstream(_loop=self._loop)

    @property
    def named(self) -> Mapping[str, tuple[Script, ...]]:
        return NAMED_SCRIPTS

    @property
    def plain(self) -> Script:
        return Script()

    @property
    def sdk_base_url(self) -> str:
        """OpenRouter's address as SDKs take it."""
        return self.base_url + OPENROUTER

    @property
    def plain_base_url(self) -> str:
        """The address of a server that is not OpenRouter."""
        return self.base_url + PLAIN

    def reset(self) -> None:
        """Forget what was seen, refused, queued and released, and say the plain answer again."""
        UpstreamServer.reset(self)
        self.native.reset()
        self.refused, self.issued = [], {}

    def assert_nothing_refused(self) -> None:
        """Raise AssertionError where a request was none that the API takes."""
        assert not self.refused, "\n".join(f"{refusal.where}: {refusal.message}" for refusal in self.refused)

    def completions(self) -> list[dict[str, Any]]:
        """Return the body of every request for a chat completion, in the order they came."""
        return [request.json() for request in self.requests if request.path.endswith(COMPLETIONS)]

    async def answer(self, connection: Connection, request: RecordedRequest) -> None:
        if request.path.startswith(f"{OPENROUTER}/messages"):
            await self._answer_natively(connection, request)
            return
        try:
            asked = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            asked = {}
        model = str(asked.get("model")) if isinstance(asked, dict) else ""
        script = self._first_refusal(request, asked, self.script_for(request, model))
        if not script.answers:
            await asyncio.Event().wait()
        headers = [*ACCOUNT_HEADERS, *script.headers]
        if script.status != 200 or script.body is not None:
            headers.append(("content-type", script.content_type))
            await send_whole(connection, script.status, script.body or b"", headers)
        elif request.path not in (OPENROUTER + COMPLETIONS, PLAIN + COMPLETIONS):
            await send_whole(
                connection, 404, b"<!DOCTYPE html><html></html>", [("content-type", "text/html")]
            )
        else:
            self._answered += 1
            input_tokens = len(request.body) // 8 if script.input_tokens is None else script.input_tokens
            completion = Completion(script, asked, input_tokens, self._answered)
            self._issue(script)
            if asked.get("stream"):
                await self._stream(connection, request, script, completion, headers)
            else:
                await self._send_whole(connection, script, completion, headers)
        self.note(request, answered=True)

    async def _answer_natively(self, connection: Connection, request: RecordedRequest) -> None:
        if not _has_key(request):
            await send_whole(connection, 401, _NO_KEY.body or b"", [JSON_HEADER])
        else:
            await self.native.answer(connection, replace(request, path=request.path.removeprefix("/api")))
        self.note(request, answered=True)

    def _issue(self, script: Script) -> None:
        for part in script.parts:
            for detail in part.details if isinstance(part, Reasoning) else ():
                if detail.get("id") is not None:
                    self.issued[detail["id"]] = dict(detail)

    def _first_refusal(self, request: RecordedRequest, asked: Any, script: Script) -> Script:
        """Return the script, or the error that the API would answer in its place."""
        if not script.checks or request.method != "POST" or not request.path.endswith(COMPLETIONS):
            return script
        is_plain = not request.path.startswith(OPENROUTER)
        if not is_plain and not _has_key(request):
            return _NO_KEY
        found = refusals(asked, plain=is_plain, issued=self.issued)
        if not found:
            return script
        self.refused += found
        return error_script(found[0].status, found[0].message)

    async def _send_whole(
        self, connection: Connection, script: Script, completion: Completion, headers: list[tuple[str, str]]
    ) -> None:
        whole = {"error": dict(script.error)} if script.ending == "error" else completion.whole()
        body = orjson.dumps(whole)
        headers.append(JSON_HEADER)
        if script.compress:
            body = gzip.compress(body)
            headers.append(("content-encoding", "gzip"))
        if script.gated:
            await self.pass_gate()
        # OpenRouter sends blanks to keep such an answer's connection alive.
        ending = script.ending if script.ending in ("reset", "hang") else "complete"
        await send_whole(
            connection, 200, b"\n         \n" + body if script.nasty else body, headers, ending=ending
        )

    async def _stream(
        self,
        connection: Connection,
        request: RecordedRequest,
        script: Script,
        completion: Completion,
        headers: list[tuple[str, str]],
    ) -> None:
        headers += [("content-type", "text/event-stream; charset=utf-8"), ("transfer-encoding", "chunked")]
        compressor = Gzip() if script.compress else None
        if compressor is not None:
            headers.append(("content-encoding", "gzip"))
        await send_head(connection, 200, headers)
        chunks = list(completion.chunks())
        if script.ending != "complete":
            kept = -2 if script.chunks_before_ending is None else script.chunks_before_ending
            chunks = chunks[:kept]
        has_content = any(map(is_content, chunks))
        for chunk in chunks:
            if script.gated and (is_content(chunk) or (chunk is chunks[-1] and not has_content)):
                await self.pass_gate()
            if is_content(chunk):
                self.note(request, pieces_sent=request.pieces_sent + 1)
            record = _beside(script) + encoded(chunk, script.line_end)
            await send_cut(connection, compressor(record) if compressor else record, script.bytes_per_write)
        await self._end_stream(connection, script, completion)
        if script.done:
            done = b"data: [DONE]" + script.line_end * 2
            await send_cut(connection, compressor(done) if compressor else done, script.bytes_per_write)
        if compressor is not None:
            await send_chunk(connection, compressor.end())
        await send_raw(connection, b"0\r\n\r\n")

    async def _end_stream(self, connection: Connection, script: Script, completion: Completion) -> None:
        match script.ending:
            case "reset":
                reset(connection)
            case "hang":
                await asyncio.Event().wait()
            case "garbage":
                await send_chunk(connection, b"\x00\xff\xfe<html>what is this</html>\n\ndata: {broken\n\n")
            case "error":
                await send_chunk(connection, encoded(completion.failure(), script.line_end))


def _has_key(request: RecordedRequest) -> bool:
    scheme, _, key = (request.header("authorization") or "").partition(" ")
    return scheme == "Bearer" and bool(key)


def _beside(script: Script) -> bytes:
    """Return what comes before each chunk that is no part of the answer."""
    if not script.nasty:
        return b""
    return _COMMENT + script.line_end * 2 + b"".join(encoded(chunk, script.line_end) for chunk in _NASTY)


if __name__ == "__main__":
    serve_until_input_ends(lambda port: ChatUpstream(port=port))
