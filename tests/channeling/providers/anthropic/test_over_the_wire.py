"""Client, stream reader and a misbehaving server together: what goes on is strict, complete or honestly broken."""

from collections.abc import AsyncIterator, Iterator

import orjson
import pytest

from channeling.errors import GatewayError
from channeling.providers.anthropic.stream import AnthropicStream
from channeling.upstream import HttpUpstream, UpstreamRequest
from tests.stand_ins.anthropic_script import NAMED_SCRIPTS
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.strict_reader import read_strictly


@pytest.fixture
def stand_in() -> Iterator[AnthropicUpstream]:
    with AnthropicUpstream() as upstream:
        yield upstream


@pytest.fixture
async def client() -> AsyncIterator[HttpUpstream]:
    upstream = HttpUpstream()
    yield upstream
    await upstream.aclose()


async def relayed(
    client: HttpUpstream, stand_in: AnthropicUpstream, name: str
) -> tuple[bytes, AnthropicStream]:
    body = orjson.dumps({"model": "m", "max_tokens": 9_000, "stream": True, "messages": []})
    url = f"{stand_in.base_url}/v1/messages"
    response = await client.send(UpstreamRequest("POST", url, [("anthropic-stand-in", name)], body))
    stream, out = AnthropicStream("req_test"), b""
    try:
        async for chunk in response.chunks():
            out += stream.feed(chunk)
        out += stream.finish()
    except GatewayError as error:
        out += stream.fail(error)
    finally:
        await response.aclose()
    return out, stream


@pytest.mark.parametrize(
    "name", ["text", "long", "thinking", "tool", "cached", "byte-by-byte", "crlf", "gzip", "eof-after-delta"]
)
async def test_whole_streams(client: HttpUpstream, stand_in: AnthropicUpstream, name: str) -> None:
    out, stream = await relayed(client, stand_in, name)
    read = read_strictly(out)
    assert stream.error is None
    assert stream.facts.usage is not None
    assert stream.facts.output_is_final
    assert read.message["usage"]["output_tokens"] == stream.facts.usage.output_tokens
    assert read.message["stop_reason"] == stream.facts.stop_reason == NAMED_SCRIPTS[name][0].stop_reason


@pytest.mark.parametrize("name", ["dies", "clean-eof", "garbage", "error-event"])
async def test_broken_streams(client: HttpUpstream, stand_in: AnthropicUpstream, name: str) -> None:
    out, stream = await relayed(client, stand_in, name)
    read = read_strictly(out)
    assert read.error is not None
    assert stream.error is not None
    assert read.error["type"] == ("overloaded_error" if name == "error-event" else "api_error")
    assert stream.facts.usage is not None
    assert not stream.facts.output_is_final
    assert stream.emitted.ascii_bytes == sum(
        sum(character.isascii() for character in block["text"]) for block in read.message["content"]
    )


@pytest.mark.parametrize("name", ["html", "empty"])
async def test_what_is_no_stream(client: HttpUpstream, stand_in: AnthropicUpstream, name: str) -> None:
    out, stream = await relayed(client, stand_in, name)
    assert read_strictly(out).error is not None
    assert not stream.started
