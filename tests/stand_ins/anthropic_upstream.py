"""A stand-in for the Anthropic API: a real HTTP server on loopback that can be as nasty as a test wants.

In this process:   with AnthropicUpstream(Script(...)) as upstream: ... upstream.base_url, upstream.requests
In its own:        python -m tests.stand_ins.anthropic_upstream [--port N]
                   prints {"base_url": ...}; scripts by name (NAMED_SCRIPTS), GET /stand-in/requests,
                   POST /stand-in/release?count=N
"""

import asyncio
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import orjson

from tests.stand_ins.anthropic_script import (
    NAMED_SCRIPTS,
    Event,
    Script,
    encoded,
    events_of,
    message_of,
)
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
    ("anthropic-organization-id", "org-of-the-project"),
    ("anthropic-ratelimit-requests-remaining", "49"),
    ("set-cookie", "__cf_bm=edge; path=/"),
    ("cf-ray", "9a3f0c-FRA"),
    ("server", "stand-in"),
)


@dataclass(slots=True)
class AnthropicUpstream(UpstreamServer[Script]):
    """The running server; its script can be changed at any time."""

    script_header: ClassVar[str] = "anthropic-stand-in"
    script_model: ClassVar[str] = "claude-stand-in-"

    @property
    def named(self) -> Mapping[str, tuple[Script, ...]]:
        return NAMED_SCRIPTS

    @property
    def plain(self) -> Script:
        return Script()

    async def answer(self, connection: Connection, request: RecordedRequest) -> None:
        try:
            asked = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            asked = {}
        model = str(asked.get("model"))
        script = self.script_for(request, model)
        if not script.answers:
            await asyncio.Event().wait()
        number = len(self.requests)
        headers = [("request-id", f"req_standin_{number}"), *ACCOUNT_HEADERS, *script.headers]
        input_tokens = len(request.body) // 8 if script.input_tokens is None else script.input_tokens
        if script.status != 200 or script.body is not None:
            headers.append(("content-type", script.content_type))
            await send_whole(connection, script.status, script.body or b"", headers)
        elif request.path == "/v1/messages/count_tokens":
            headers.append(("content-type", "application/json"))
            await send_whole(connection, 200, orjson.dumps({"input_tokens": input_tokens}), headers)
        elif request.path.partition("?")[0] == "/v1/models":
            headers.append(("content-type", "application/json"))
            await send_whole(connection, 200, b'{"data":[],"has_more":false}', headers)
        elif request.path != "/v1/messages":
            not_found = NAMED_SCRIPTS["404"][0].body or b""
            await send_whole(connection, 404, not_found, [*headers, ("content-type", "application/json")])
        else:
            events = events_of(
                script, model=model, max_tokens=asked.get("max_tokens", 0), input_tokens=input_tokens
            )
            if asked.get("stream"):
                await self._stream(connection, request, script, list(events), headers)
            else:
                headers.append(("content-type", "application/json"))
                body = orjson.dumps(message_of(events))
                if script.compress:
                    body = gzip.compress(body)
                    headers.append(("content-encoding", "gzip"))
                if script.gated:
                    await self.pass_gate()
                ending = script.ending if script.ending in ("reset", "hang") else "complete"
                await send_whole(connection, 200, body, headers, ending=ending)
        self.note(request, answered=True)

    async def _stream(
        self,
        connection: Connection,
        request: RecordedRequest,
        script: Script,
        events: list[Event],
        headers: list[tuple[str, str]],
    ) -> None:
        headers += [("content-type", "text/event-stream; charset=utf-8"), ("transfer-encoding", "chunked")]
        compressor = Gzip() if script.compress else None
        if compressor is not None:
            headers.append(("content-encoding", "gzip"))
        await send_head(connection, 200, headers)
        if script.ending != "complete":
            kept = len(events) - 2 if script.records_before_ending is None else script.records_before_ending
            events = events[:kept]
        for event in events:
            if event[0] == "content_block_delta":
                if script.gated:
                    await self.pass_gate()
                self.note(request, pieces_sent=request.pieces_sent + 1)
            record = encoded(event, script.line_end)
            await send_cut(connection, compressor(record) if compressor else record, script.bytes_per_write)
        match script.ending:
            case "reset":
                reset(connection)
            case "hang":
                await asyncio.Event().wait()
            case "garbage":
                await send_chunk(connection, b"\x00\xff\xfe<html>what is this</html>\n\ndata: {broken\n\n")
            case "error":
                overloaded = {"type": "overloaded_error", "message": "Overloaded"}
                error = ("error", {"type": "error", "error": overloaded, "request_id": "req_standin"})
                await send_chunk(connection, encoded(error, script.line_end))
        if compressor is not None:
            await send_chunk(connection, compressor.end())
        await send_raw(connection, b"0\r\n\r\n")


if __name__ == "__main__":
    serve_until_input_ends(lambda port: AnthropicUpstream(port=port))
