"""The door to providers: answers as they come, failures in plain words, few retries, connections given back."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest

from channeling.errors import UpstreamFailed
from channeling.http1.errors import HttpError, NotSent, UnknownEncoding
from channeling.upstream import (
    MAX_RETRY_DELAY_S,
    HttpUpstream,
    UpstreamClient,
    UpstreamRequest,
    UpstreamUnreachable,
    failure_of,
    read_body,
    retry_delay_s,
)
from tests.stand_ins.anthropic_script import LONG_TEXT, OVERLOADED, Script, Text, error_script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.upstream_server import closed_port_url

Slept = list[float]


@pytest.fixture
def stand_in() -> Iterator[AnthropicUpstream]:
    with AnthropicUpstream() as upstream:
        yield upstream


@pytest.fixture
def slept() -> Slept:
    return []


@pytest.fixture
async def client(slept: Slept) -> AsyncIterator[UpstreamClient]:
    async def sleep(delay_s: float) -> None:
        slept.append(delay_s)

    upstream = HttpUpstream(sleep=sleep)
    yield upstream
    await upstream.aclose()


def message_call(
    base_url: str, *headers: tuple[str, str], stream: bool = True, **body: Any
) -> UpstreamRequest:
    document = {"model": "claude-x", "max_tokens": 9_000, "messages": [], "stream": stream} | body
    sent = [("content-type", "application/json"), ("accept-encoding", "identity"), *headers]
    return UpstreamRequest("POST", f"{base_url}/v1/messages?beta=true&x=%20", sent, orjson.dumps(document))


async def answer_to(client: UpstreamClient, request: UpstreamRequest) -> tuple[int, bytes]:
    response = await client.send(request)
    try:
        return response.status, await read_body(response)
    finally:
        await response.aclose()


async def until(stand_in: AnthropicUpstream, holds: Any) -> None:
    await asyncio.to_thread(stand_in.wait_until, holds)


async def test_a_request_goes_out_as_it_was_given(
    client: UpstreamClient, stand_in: AnthropicUpstream
) -> None:
    headers = [("anthropic-beta", "a"), ("anthropic-beta", "b"), ("x-app", "caf\u00e9"), ("x-api-key", "k")]
    call = message_call(stand_in.base_url, *headers)
    status, _ = await answer_to(client, call)
    assert status == 200
    (seen,) = stand_in.requests
    assert (seen.method, seen.path, seen.query, seen.body) == (
        "POST",
        "/v1/messages",
        "beta=true&x=%20",
        call.body,
    )
    own = {"host", "content-length", "accept", "connection", "user-agent"}
    given = [("content-type", "application/json"), ("accept-encoding", "identity"), *headers]
    assert [pair for pair in seen.headers if pair[0] not in own] == given


async def test_answers_come_with_their_headers(client: UpstreamClient, stand_in: AnthropicUpstream) -> None:
    stand_in.then(
        error_script(429, "rate_limit_error", "slow", ("Retry-After", "17"), ("X-Two", "a"), ("X-Two", "b"))
    )
    response = await client.send(message_call(stand_in.base_url))
    assert response.status == 429
    assert response.headers["retry-after"] == "17"
    assert response.headers["x-two"] == "a, b"
    assert orjson.loads(await read_body(response))["error"]["message"] == "slow"
    await response.aclose()
    await response.aclose()


async def test_chunks_come_when_they_are_sent(client: UpstreamClient, stand_in: AnthropicUpstream) -> None:
    stand_in.script = Script(blocks=(Text("one two three"),), gated=True)
    response = await client.send(message_call(stand_in.base_url))
    chunks = response.chunks()
    seen = b""
    for word in (b"one", b"two", b"three"):
        assert word not in seen
        await asyncio.to_thread(stand_in.release, 1)
        while word not in seen:
            seen += await anext(chunks)
    seen += b"".join([chunk async for chunk in chunks])
    assert b"message_stop" in seen
    await response.aclose()


async def test_one_connection_serves_many_requests(
    client: UpstreamClient, stand_in: AnthropicUpstream
) -> None:
    for stream in (True, False, True):
        status, body = await answer_to(client, message_call(stand_in.base_url, stream=stream))
        assert (status, b"stand-in" in body) == (200, True)
    assert stand_in.connections == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_a_compressed_answer_is_undone(
    client: UpstreamClient, stand_in: AnthropicUpstream, stream: bool
) -> None:
    _, plain = await answer_to(client, message_call(stand_in.base_url, stream=stream))
    stand_in.script = Script(compress=True)
    assert await answer_to(client, message_call(stand_in.base_url, stream=stream)) == (200, plain)


async def test_a_compression_that_is_not_known_is_a_failure(
    client: UpstreamClient, stand_in: AnthropicUpstream
) -> None:
    stand_in.then(Script(body=b"\x1b\x00", headers=(("content-encoding", "br"),)))
    with pytest.raises(UpstreamFailed, match="unknown encoding 'br'"):
        await answer_to(client, message_call(stand_in.base_url))


async def test_a_broken_compression_is_a_failure(client: UpstreamClient, stand_in: AnthropicUpstream) -> None:
    stand_in.then(Script(body=b"not gzip", headers=(("content-encoding", "gzip"),)))
    with pytest.raises(UpstreamFailed, match="decompressed"):
        await answer_to(client, message_call(stand_in.base_url))


@pytest.mark.parametrize("stream", [True, False])
async def test_an_upstream_that_dies_is_a_failure(
    client: UpstreamClient, stand_in: AnthropicUpstream, stream: bool, slept: Slept
) -> None:
    stand_in.script = Script(blocks=(Text(LONG_TEXT),), ending="reset", records_before_ending=30)
    with pytest.raises(UpstreamFailed, match="broke the connection off") as failure:
        await answer_to(client, message_call(stand_in.base_url, stream=stream))
    assert not isinstance(failure.value, UpstreamUnreachable)
    assert (len(stand_in.requests), slept) == (1, [])


async def test_an_answer_without_end_is_a_failure(
    client: UpstreamClient, stand_in: AnthropicUpstream
) -> None:
    stand_in.script = Script(blocks=(Text(LONG_TEXT),), ending="hang")
    response = await client.send(message_call(stand_in.base_url))
    with pytest.raises(UpstreamFailed, match="over 1000 bytes"):
        await read_body(response, max_bytes=1_000)
    await response.aclose()
    await until(stand_in, lambda requests: requests[0].client_left)


async def test_nobody_listening(client: UpstreamClient, slept: Slept) -> None:
    with pytest.raises(UpstreamUnreachable, match="could not be reached") as failure:
        await client.send(message_call(closed_port_url()))
    assert slept == [0.25, 0.5]
    assert (failure.value.status, failure.value.error_type) == (500, "api_error")


@pytest.mark.parametrize(
    ("busy", "status", "tries", "waits"),
    [(1, 200, 2, [0.25]), (2, 200, 3, [0.25, 0.5]), (3, 529, 3, [0.25, 0.5])],
)
async def test_an_overloaded_upstream_is_tried_at_most_three_times(
    client: UpstreamClient,
    stand_in: AnthropicUpstream,
    slept: Slept,
    busy: int,
    status: int,
    tries: int,
    waits: list[float],
) -> None:
    stand_in.then(*[OVERLOADED] * busy)
    assert (await answer_to(client, message_call(stand_in.base_url)))[0] == status
    assert (len(stand_in.requests), slept) == (tries, waits)


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
async def test_other_errors_are_not_tried_again(
    client: UpstreamClient, stand_in: AnthropicUpstream, slept: Slept, status: int
) -> None:
    stand_in.then(error_script(status, "api_error", "no"))
    assert (await answer_to(client, message_call(stand_in.base_url)))[0] == status
    assert (len(stand_in.requests), slept) == (1, [])


@pytest.mark.parametrize(
    ("retry_after", "delay_s"),
    [
        ("1", 1.0),
        ("0", 0.0),
        ("3600", MAX_RETRY_DELAY_S),
        ("-1", 0.25),
        ("soon", 0.25),
        ("nan", 0.25),
        ("inf", 2.0),
    ],
)
def test_retry_after_is_heeded_within_reason(retry_after: str, delay_s: float) -> None:
    assert retry_delay_s({"retry-after": retry_after}, default_s=0.25) == delay_s
    assert retry_delay_s({}, default_s=0.25) == 0.25


async def test_a_redirect_is_not_followed(client: UpstreamClient, stand_in: AnthropicUpstream) -> None:
    elsewhere = ("location", f"{stand_in.base_url}/elsewhere")
    stand_in.then(Script(status=307, body=b"", headers=(elsewhere,)))
    assert (await answer_to(client, message_call(stand_in.base_url)))[0] == 307
    assert len(stand_in.requests) == 1


async def test_the_environment_is_not_read(
    stand_in: AnthropicUpstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, closed_port_url())
    client = HttpUpstream()
    assert (await answer_to(client, message_call(stand_in.base_url)))[0] == 200
    assert stand_in.requests[0].header("authorization") is None
    await client.aclose()


@pytest.mark.parametrize("script", [Script(answers=False), Script(ending="hang"), Script(gated=True)])
async def test_cancelling_closes_the_connection(
    client: UpstreamClient, stand_in: AnthropicUpstream, script: Script
) -> None:
    stand_in.script = script
    task = asyncio.create_task(answer_to(client, message_call(stand_in.base_url)))
    await until(stand_in, lambda requests: len(requests) == 1)
    assert not stand_in.requests[0].client_left
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(stand_in, lambda requests: requests[0].client_left)


async def test_closing_an_answer_half_way_closes_the_connection(
    client: UpstreamClient, stand_in: AnthropicUpstream
) -> None:
    stand_in.script = Script(blocks=(Text(LONG_TEXT),), gated=True)
    response = await client.send(message_call(stand_in.base_url))
    await anext(response.chunks())
    await response.aclose()
    await until(stand_in, lambda requests: requests[0].client_left)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "ftp://127.0.0.1/", "http://", "http://[::1", "http://a:b:c/"]
)
async def test_addresses_that_are_none(client: UpstreamClient, url: str, slept: Slept) -> None:
    with pytest.raises(UpstreamUnreachable):
        await client.send(message_call(url))
    assert slept == []


async def test_a_header_that_http_does_not_allow(client: UpstreamClient, stand_in: AnthropicUpstream) -> None:
    with pytest.raises(UpstreamUnreachable, match="header"):
        await client.send(message_call(stand_in.base_url, ("x-a", "b\r\nx-c: d")))
    assert stand_in.requests == []


def test_importing_it_brings_no_command_line_along() -> None:
    program = (
        "import sys, channeling.upstream; print(sorted({'rich', 'click', 'pygments'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"[]\n"


def every_http_error() -> list[type[HttpError]]:
    found: list[type[HttpError]] = []
    roots: list[type[HttpError]] = [HttpError]
    while roots:
        kind = roots.pop()
        found.append(kind)
        roots.extend(kind.__subclasses__())
    return found


@pytest.mark.parametrize("kind", every_http_error(), ids=lambda kind: kind.__name__)
def test_every_failure_has_plain_words(kind: type[HttpError]) -> None:
    """And is told apart by the one thing that decides about money: whether the request can have been seen."""
    failure = failure_of(kind("https://secret.example/?key=sk-ant-secret"))
    assert (failure.status, failure.error_type) == (500, "api_error")
    assert isinstance(failure, UpstreamUnreachable) == issubclass(kind, NotSent)
    if kind is not UnknownEncoding:
        assert "secret" not in failure.message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433"])
async def test_an_untrusted_host_is_not_this_machine(stand_in: AnthropicUpstream, host: str) -> None:
    """Whatever it is called: the peer of the connection counts, and nothing is sent to it."""
    client = HttpUpstream(trusted_hosts={"api.anthropic.com"})
    with pytest.raises(UpstreamUnreachable, match="does not call"):
        await client.send(message_call(f"http://{host}:{stand_in.port}"))
    await client.aclose()
    assert stand_in.requests == []


async def test_a_trusted_host_may_be_this_machine(stand_in: AnthropicUpstream) -> None:
    client = HttpUpstream(trusted_hosts={f"127.0.0.1:{stand_in.port}"})
    assert (await answer_to(client, message_call(stand_in.base_url)))[0] == 200
    await client.aclose()
