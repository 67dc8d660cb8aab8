"""The benchmark of the translation measures what it says, and its ratios stay far from where they would be felt."""

import json

import pytest

from bench.translate_bench import REQUEST_BYTES, Figure, measure, request_body, stream_records, table_of
from channeling.message_request import parse_message_request
from channeling.providers.openai.adapter import OpenAIAdapter
from channeling.providers.provider_adapter import UpstreamTarget
from tests.stand_ins.openai_validator import assert_taken
from tests.stand_ins.strict_reader import read_strictly


def test_its_request_is_one_that_openai_takes_and_its_streams_say_something() -> None:
    body = request_body()
    assert REQUEST_BYTES <= len(body) < REQUEST_BYTES * 1.1
    call = OpenAIAdapter().message_call(
        parse_message_request(body),
        UpstreamTarget("http://x/v1", "k", "gpt-5.2"),
        max_tokens=None,
        client_headers=[],
        query="",
        request_id="req_1",
    )
    sent = json.loads(call.request.body)
    assert_taken(sent)
    kinds = [item.get("type", "message") for item in sent["input"]]
    assert (
        kinds.count("reasoning") == kinds.count("function_call") == kinds.count("function_call_output") > 10
    )
    for kind, block in (("text", "text"), ("thinking", "thinking"), ("tool input", "tool_use")):
        stream = call.reader.stream()
        out = b"".join(stream.feed(record) for record in stream_records(kind, 50))
        read = read_strictly(out, may_be_unfinished=True)
        assert [found["type"] for found in read.message["content"]] == [block]
        assert read.events.count("content_block_delta") == 50


def test_translating_costs_about_what_reading_and_writing_json_does() -> None:
    """Ratios of one process's CPU time, with room for a slow machine: 1.1 and 2.0 are usual."""
    figures = {figure.name: figure for figure in measure()}
    assert figures["request: translate"].ratio < 4
    for kind in ("text", "thinking", "tool input"):
        assert figures[f"event: {kind}"].ratio < 8


@pytest.mark.parametrize(("seconds", "is_within"), [(0.0009, True), (0.0011, False)])
def test_what_is_over_its_bound_is_said(seconds: float, is_within: bool) -> None:
    figure = Figure("request: translate", seconds, 0.0005, 0.001)
    assert figure.is_within == is_within
    assert ("over its bound" in table_of([figure])) != is_within
