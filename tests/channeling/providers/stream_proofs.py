"""What is true of every stream that is translated, whoever it comes from: proven on one golden answer each."""

import random
from collections.abc import Callable
from typing import Any

import anthropic
import pytest

from channeling.errors import Overloaded, UpstreamFailed
from channeling.providers.answer_stream import AnswerStream
from channeling.sse import PING
from tests.channeling.providers.anthropic.golden import readable
from tests.channeling.providers.golden_answers import Transcript, fed, records_of
from tests.stand_ins.official_reader import OfficialReader
from tests.stand_ins.strict_reader import read_strictly

OFFICIAL = OfficialReader()


def finished(case: Transcript, chunks: list[bytes]) -> tuple[AnswerStream, bytes]:
    """Return a reader that was given all, and what the client gets."""
    stream = case.new_stream()
    return stream, fed(stream, chunks) + stream.finish()


def assert_golden(case: Transcript) -> None:
    """The client gets what is expected of it, the bill is right, and nothing follows the end."""
    stream, out = finished(case, [case.upstream])
    assert out.decode() == case.client.decode()
    assert readable(stream.facts, stream.emitted, stream.error) == case.facts
    assert stream.ended
    assert (
        stream.finish() == stream.cut() == stream.feed(case.upstream) == stream.fail(Overloaded("x")) == b""
    )


def assert_same_byte_by_byte(case: Transcript) -> None:
    """However small the chunks are."""
    stream, out = finished(case, [bytes([byte]) for byte in case.upstream])
    assert out == case.client
    assert readable(stream.facts, stream.emitted, stream.error) == case.facts


def assert_same_with_other_line_ends(case: Transcript, line_end: bytes) -> None:
    """However lines end, and with comments between records."""
    plain = case.upstream.replace(b"\r\n", b"\n").replace(b"\n\n", b"\n\n: keep-alive\n\n")
    _, out = finished(case, [plain.replace(b"\n", line_end)])
    assert out == case.client


def assert_same_however_it_is_cut(case: Transcript, *, rounds: int = 20) -> None:
    """However the bytes are cut, and with pings wherever they may be."""
    source = random.Random(case.name)
    for _ in range(rounds):
        stream, out, position = case.new_stream(), b"", 0
        while position < len(case.upstream):
            step = source.randrange(1, 400)
            out += stream.feed(case.upstream[position : position + step])
            position += step
            if not stream.ended:
                out += PING
        out += stream.finish()
        assert out.replace(PING, b"") == case.client
        assert readable(stream.facts, stream.emitted, stream.error) == case.facts
        read_strictly(out)


def assert_official_sdk_agrees(case: Transcript) -> None:
    """The official SDK reads the same message, or the same error."""
    strict = read_strictly(case.client)
    if not case.ends_well:
        assert strict.error is not None
        with pytest.raises(anthropic.APIStatusError) as raised:
            OFFICIAL.read(case.client)
        assert raised.value.type == strict.error["type"]
        return
    assert_same_message(OFFICIAL.read(case.client), strict.message)


def assert_same_message(official: dict[str, Any], strict: dict[str, Any]) -> None:
    """Hold what two readers made of one stream against each other; the SDK completes input that was cut off."""
    for name in ("id", "model", "role", "type", "stop_reason", "stop_sequence"):
        assert official[name] == strict[name], name
    assert (official.get("stop_details") or None) == strict.get("stop_details")
    assert len(official["content"]) == len(strict["content"])
    for seen, block in zip(official["content"], strict["content"], strict=True):
        for name in block.keys() - {"partial_input"}:
            if not (name == "input" and "partial_input" in block):
                assert seen[name] == block[name], name
    for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
        assert official["usage"][name] == strict["usage"].get(name), name


def assert_cuts_end_in_order(case: Transcript, has_begun: Callable[[bytes], bool]) -> None:
    """A cut at any event is a good end, but for an answer that the provider has not begun."""
    records = records_of(case.upstream)
    for count in range(len(records) + 1):
        stream = case.new_stream()
        out = fed(stream, records[:count])
        was_started, was_ended = stream.started, stream.ended
        ending = stream.cut(output_tokens=7)
        assert stream.ended
        assert stream.cut() == stream.finish() == stream.feed(case.upstream) == b""
        if was_ended:
            assert ending == b""
            continue
        read = read_strictly(out + ending)
        if not was_started and not has_begun(b"".join(records[:count])):
            assert read.error is not None
            assert read.error["type"] == "overloaded_error"
            continue
        if stream.error is None:
            assert read.message["stop_reason"] in ("max_tokens", "stop_sequence")
            assert stream.facts.stop_reason == read.message["stop_reason"]
            if stream.facts.usage is None:
                assert not stream.facts.output_is_final
                assert (
                    read.message["stop_reason"] != "max_tokens" or read.message["usage"]["output_tokens"] == 7
                )
            assert_same_message(OFFICIAL.read(out + ending), read.message)


def assert_never_falsely_complete(case: Transcript) -> None:
    """An upstream that ends early is an error to the client, wherever it ends."""
    for position in range(0, len(case.upstream), 7):
        stream = case.new_stream()
        out = stream.feed(case.upstream[:position])
        ended_upstream = stream.ended
        out += stream.finish()
        read = read_strictly(out)
        if not ended_upstream and stream.error is None:
            assert b'"finish_reason":"' in case.upstream[:position], "an end that nobody said"
            assert read.message["stop_reason"] is not None


def assert_failures_end_with_the_error(case: Transcript) -> None:
    """A failure at any event ends with it, and what was metered stays."""
    records = records_of(case.upstream)
    for count in range(len(records)):
        stream = case.new_stream()
        out = fed(stream, records[:count])
        if stream.ended:
            break
        metered = stream.emitted.ascii_bytes
        read = read_strictly(out + stream.fail(UpstreamFailed("it broke")))
        assert read.error == {"type": "api_error", "message": "it broke"}
        assert stream.emitted.ascii_bytes == metered
