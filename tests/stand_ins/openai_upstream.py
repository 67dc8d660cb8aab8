"""A stand-in for OpenAI's Responses API: a real HTTP server on loopback that can be as nasty as a test wants.

In this process:   with OpenAIUpstream(Script(...)) as upstream: ... upstream.base_url, upstream.requests
In its own:        python -m tests.stand_ins.openai_upstream [--port N]
                   prints {"base_url": ...}; scripts by name (NAMED_SCRIPTS), GET /stand-in/requests,
                   POST /stand-in/release?count=N

Every request is held against the official package's types and the API's known refusals, reasoning items against
the ones that it has given out. What it refused is in `refused`: a test that expects none says so with
`assert_nothing_refused`.
"""

import asyncio
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson

from tests.stand_ins.openai_named_scripts import NAMED_SCRIPTS
from tests.stand_ins.openai_script import Response, Script, encoded, error_script, is_content
from tests.stand_ins.openai_validator import Refusal, counting_refusals, refusals
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
    ("openai-organization", "org-of-the-project"),
    ("openai-processing-ms", "312"),
    ("openai-version", "2020-10-01"),
    ("x-ratelimit-limit-requests", "5000"),
    ("x-ratelimit-remaining-tokens", "149984"),
    ("set-cookie", "__cf_bm=edge; path=/"),
    ("cf-ray", "9a3f0c-FRA"),
    ("server", "stand-in"),
)
JSON_HEADER = ("content-type", "application/json")
_BOGUS: tuple[dict[str, Any], ...] = (
    {"type": "response.of_next_year", "sequence_number": -1, "payload": {"deep": [1, None]}},
    {"type": "keepalive", "sequence_number": 3},
)
_NO_KEY = error_script(
    401,
    None,
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth.",
    kind="invalid_request_error",
)


@dataclass(slots=True)
class OpenAIUpstream(UpstreamServer[Script]):
    """The running server; its script can be changed at any time."""

    refused: list[Refusal] = field(default_factory=list)
    # The reasoning items that it has given out: ciphertext by id.
    issued_reasoning: dict[str, str] = field(default_factory=dict)
    _answered: int = 0

    script_header: ClassVar[str] = "openai-stand-in"
    script_model: ClassVar[str] = "gpt-stand-in-"

    @property
    def named(self) -> Mapping[str, tuple[Script, ...]]:
        return NAMED_SCRIPTS

    @property
    def plain(self) -> Script:
        return Script()

    @property
    def sdk_base_url(self) -> str:
        """The address as the official SDK takes it: with `/v1`."""
        return f"{self.base_url}/v1"

    def reset(self) -> None:
        """Forget what was seen, refused, queued and released, and say the plain answer again."""
        UpstreamServer.reset(self)
        self.refused, self.issued_reasoning = [], {}

    def assert_nothing_refused(self) -> None:
        """Raise AssertionError where a request was none that the API takes."""
        assert not self.refused, "\n".join(f"{refusal.param}: {refusal.message}" for refusal in self.refused)

    def inputs(self) -> list[list[dict[str, Any]]]:
        """Return the `input` of every request for a response, in the order they came."""
        return [request.json()["input"] for request in self.requests if request.path == "/v1/responses"]

    async def answer(self, connection: Connection, request: RecordedRequest) -> None:
        try:
            asked = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            asked = {}
        model = str(asked.get("model")) if isinstance(asked, dict) else ""
        script = self._first_refusal(request, asked, self.script_for(request, model))
        if not script.answers:
            await asyncio.Event().wait()
        headers = [("x-request-id", f"req_standin_{len(self.requests)}"), *ACCOUNT_HEADERS, *script.headers]
        input_tokens = len(request.body) // 8 if script.input_tokens is None else script.input_tokens
        if script.status != 200 or script.body is not None:
            headers.append(("content-type", script.content_type))
            await send_whole(connection, script.status, script.body or b"", headers)
        elif request.path == "/v1/responses/input_tokens":
            counted = {"object": "response.input_tokens", "input_tokens": input_tokens}
            await send_whole(connection, 200, orjson.dumps(counted), [*headers, JSON_HEADER])
        elif request.path != "/v1/responses":
            not_found = NAMED_SCRIPTS["404"][0].body or b""
            await send_whole(connection, 404, not_found, [*headers, JSON_HEADER])
        else:
            self._answered += 1
            response = Response(script, asked, input_tokens, self._answered)
            if asked.get("stream"):
                await self._stream(connection, request, script, response, headers)
            else:
                await self._send_response(connection, script, response, headers)
        self.note(request, answered=True)

    def _first_refusal(self, request: RecordedRequest, asked: Any, script: Script) -> Script:
        """Return the script, or the error that the API would answer in its place."""
        if not script.checks or request.method != "POST":
            return script
        scheme, _, key = (request.header("authorization") or "").partition(" ")
        if scheme != "Bearer" or not key:
            return _NO_KEY
        match request.path:
            case "/v1/responses":
                found = refusals(asked, issued_reasoning=self.issued_reasoning)
            case "/v1/responses/input_tokens":
                found = counting_refusals(asked)
            case _:
                found = []
        if not found:
            return script
        self.refused += found
        return Script(status=found[0].status, body=orjson.dumps(found[0].body()))

    async def _send_response(
        self, connection: Connection, script: Script, response: Response, headers: list[tuple[str, str]]
    ) -> None:
        *_, last = response.events()
        self.issued_reasoning |= response.issued_reasoning
        body = orjson.dumps(last["response"])
        headers.append(JSON_HEADER)
        if script.compress:
            body = gzip.compress(body)
            headers.append(("content-encoding", "gzip"))
        if script.gated:
            await self.pass_gate()
        ending = script.ending if script.ending in ("reset", "hang") else "complete"
        await send_whole(connection, 200, body, headers, ending=ending)

    async def _stream(
        self,
        connection: Connection,
        request: RecordedRequest,
        script: Script,
        response: Response,
        headers: list[tuple[str, str]],
    ) -> None:
        headers += [("content-type", "text/event-stream; charset=utf-8"), ("transfer-encoding", "chunked")]
        compressor = Gzip() if script.compress else None
        if compressor is not None:
            headers.append(("content-encoding", "gzip"))
        await send_head(connection, 200, headers)
        events = list(response.events())
        self.issued_reasoning |= response.issued_reasoning
        if script.ending != "complete":
            kept = -1 if script.records_before_ending is None else script.records_before_ending
            events = events[:kept]
        has_content = any(map(is_content, events))
        for event in events:
            if script.gated and (is_content(event) or (event is events[-1] and not has_content)):
                await self.pass_gate()
            if is_content(event):
                self.note(request, pieces_sent=request.pieces_sent + 1)
            record = _beside(script) + encoded(event, script.line_end)
            await send_cut(connection, compressor(record) if compressor else record, script.bytes_per_write)
        await self._end_stream(connection, script, len(events))
        if compressor is not None:
            await send_chunk(connection, compressor.end())
        await send_raw(connection, b"0\r\n\r\n")

    async def _end_stream(self, connection: Connection, script: Script, sequence_number: int) -> None:
        match script.ending:
            case "reset":
                reset(connection)
            case "hang":
                await asyncio.Event().wait()
            case "garbage":
                await send_chunk(connection, b"\x00\xff\xfe<html>what is this</html>\n\ndata: {broken\n\n")
            case "error":
                failure = {
                    "type": "error",
                    "sequence_number": sequence_number,
                    "code": "server_error",
                    "message": "The server had an error processing your request.",
                    "param": None,
                }
                await send_chunk(connection, encoded(failure, script.line_end))
        if script.done:
            await send_chunk(connection, b"data: [DONE]" + script.line_end * 2)


def _beside(script: Script) -> bytes:
    """Return what comes before each event that is no event of the API."""
    comment = b": keep-alive" + script.line_end * 2 if script.comments else b""
    return comment + b"".join(encoded(event, script.line_end) for event in _BOGUS if script.bogus)


if __name__ == "__main__":
    serve_until_input_ends(lambda port: OpenAIUpstream(port=port))
