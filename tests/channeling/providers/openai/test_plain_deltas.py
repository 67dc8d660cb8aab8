"""Plain deltas are taken at once exactly as they would be one by one, and nothing else is taken for one."""

from collections.abc import Callable
from random import Random
from typing import Any
from unittest import mock

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.openai.plain_deltas import place_of, plain_deltas
from channeling.providers.openai.stream import OpenAIStream
from tests.channeling.providers.plain_runs import assert_same_as_singly, bodies, reframed, seldom, with_body

Json = dict[str, Any]

MESSAGE: Json = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
REASONING: Json = {"type": "reasoning", "id": "rs_1", "summary": []}
CALL: Json = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "read", "arguments": ""}
UNNAMED_CALL: Json = {"type": "function_call", "id": "fc_2", "arguments": ""}
SEARCH: Json = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search", "query": "q"},
}
ITEMS = (MESSAGE, MESSAGE, REASONING, REASONING, CALL, CALL, UNNAMED_CALL, SEARCH)
# The kinds of deltas of an item, and of their index.
KINDS = {
    "message": ("output_text", "content_index"),
    "reasoning": ("reasoning_summary_text", "summary_index"),
    "function_call": ("function_call_arguments", None),
    "web_search_call": ("output_text", "content_index"),
}
OTHER_KINDS = (
    *KINDS.values(),
    ("refusal", "content_index"),
    ("reasoning_text", "content_index"),
    ("output_text", None),
    ("audio_transcript", "content_index"),
    ("function_call_arguments", "content_index"),
)
PLACE = place_of(0, ("text", 0))


def event(kind: str, /, **fields: Any) -> bytes:
    """One record."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind} | fields))


def text_delta(body: bytes = b"Hi", **fields: Any) -> bytes:
    """A delta of text as OpenAI writes it."""
    written = {"content_index": 0, "delta": "@", "item_id": "msg_1", "output_index": 0, "sequence_number": 4}
    data = with_body({"type": "response.output_text.delta"} | written | fields, body)
    return b"event: response.output_text.delta\ndata: %b\n\n" % data


def records_of(rng: Random) -> list[bytes]:
    """Return a stream of items in turns, as a server writes it, but for some of its records."""
    items: dict[int, Json] = {}
    records: list[bytes] = []
    for _ in range(rng.randrange(2, 14)):
        if not items or rng.random() < 0.15:
            item = rng.choice(ITEMS)
            index = seldom(rng, len(items), [rng.randrange(4)])
            items[index] = item
            records.append(event("response.output_item.added", output_index=index, item=item))
        index = rng.choice([*items, min(items)])
        if rng.random() < 0.2:
            records.append(other_event(rng, index, items[index]))
            if b"output_item.done" in records[-1]:
                del items[index]
        else:
            records += run_of(rng, index, items[index])
    return [reframed(rng, record) for record in records]


def run_of(rng: Random, output_index: int, item: Json) -> list[bytes]:
    """Return some deltas of one part."""
    kind, index_name = seldom(rng, KINDS[item["type"]], OTHER_KINDS, chance=0.06)
    fields: Json = {"output_index": output_index, "item_id": item["id"], "delta": "@"}
    if index_name is not None:
        fields[index_name] = seldom(rng, 0, [1, 2])
    if rng.random() < 0.5:
        fields["logprobs"] = seldom(rng, [], [None, [{"token": "x"}]])
    names = rng.sample([*fields, "obfuscation", "sequence_number"], k=len(fields) + 2)
    separators = rng.choice([(",", ":"), (", ", ": ")])
    line = rng.choice([b"", b"event: response.%b.delta\n" % kind.encode()])
    records = []
    for number, body in enumerate(bodies(rng)):
        fields["sequence_number"] = number
        fields["obfuscation"] = seldom(rng, "x" * rng.randrange(9), [None, 'q"', "é", 7])
        data = {"type": f"response.{kind}.delta"} | {name: fields[name] for name in names}
        records.append(line + b"data: %b\n\n" % with_body(data, body, separators))
    return records


def other_event(rng: Random, index: int, item: Json) -> bytes:
    """Return an event that may stand between deltas, and change where they go."""
    part = {"type": "output_text", "text": "Hello words"}
    annotation = {"type": "url_citation", "url": "https://a.example/", "title": "A"}
    at = {"output_index": index, "content_index": rng.randrange(2)}
    likely = [
        event("response.output_item.done", output_index=index, item=item),
        event("response.output_item.done", output_index=index, item=item),
        event("response.in_progress", response={"id": "resp_1", "model": "gpt-5.2"}),
        b"data: [DONE]\n\n",
    ]
    if item is MESSAGE:
        likely += [event("response.output_text.annotation.added", annotation=annotation, **at)] * 4
        likely += [event("response.output_text.done", text="Hello words", **at)]
        likely += [event("response.content_part.done", part=part, **at)]
    if rng.random() < 0.1:
        return event("response.completed", response={"status": "completed", "usage": {"output_tokens": 9}})
    return rng.choice(likely)


def terms_of(rng: Random) -> AnswerTerms:
    return AnswerTerms(
        "gpt-5.2",
        stop_sequences=rng.choice([(), (), ("END",), ("e", "words")]),
        shows_thinking=rng.random() < 0.7,
        keeps_thinking=rng.random() < 0.5,
        has_web_search=rng.random() < 0.5,
    )


@settings(max_examples=1_500, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_taking_at_once_changes_nothing(seed: int) -> None:
    rng = Random(seed)
    terms = terms_of(rng)
    assert_same_as_singly(lambda: OpenAIStream("req_1", terms), records_of(rng), rng)


@pytest.mark.parametrize(
    "record",
    [
        text_delta(),
        text_delta(logprobs=[], obfuscation="xs"),
        text_delta().replace(b"event: response.output_text.delta\n", b""),
        text_delta().replace(b":", b": ").replace(b":  ", b": ").replace(b",", b", "),
        text_delta(rb"\u00e9 \n"),
    ],
)
def test_what_openai_writes_is_plain(record: bytes) -> None:
    assert len(plain_deltas([record, record], 0, PLACE)) == 2
    assert len(plain_deltas([b"", record, record, b""], 1, PLACE)) == 2


@pytest.mark.parametrize(
    "record",
    [
        text_delta(b""),
        text_delta(rb"\ud83d\ude00"),
        text_delta(rb"\q"),
        text_delta(b"\t"),
        text_delta(b'"'),
        text_delta(b"\\"),
        text_delta(delta=7),
        text_delta(delta=None),
        text_delta(output_index=1),
        text_delta(content_index=1),
        text_delta(content_index=None),
        text_delta(summary_index=0),
        text_delta(logprobs=[1]),
        text_delta(newer_than_this="x"),
        text_delta(item_id='a"b'),
        text_delta().replace(b'"delta":"Hi",', b""),
        text_delta().replace(b'"output_index":0', b'"output_index":00'),
        text_delta().replace(b"\n", b"\r\n"),
        text_delta().replace(b'_number":4}', b'_number":4} '),
        text_delta().replace(b"event: ", b"id: 1\nevent: "),
        text_delta().replace(b"output_text", b"refusal"),
        text_delta() + b"\n",
    ],
)
def test_nothing_else_is(record: bytes) -> None:
    assert plain_deltas([record], 0, PLACE) == []
    assert len(plain_deltas([text_delta(), record, text_delta()], 0, PLACE)) == 1


def test_of_a_field_that_comes_twice_the_last_counts() -> None:
    twice = text_delta(b"last").replace(b'"delta"', b'"delta":"first","delta"')
    assert plain_deltas([twice], 0, PLACE) == [b"last"]
    assert orjson.loads(twice.partition(b"data: ")[2])["delta"] == "last"


@pytest.mark.parametrize(
    ("item", "delta"),
    [
        (MESSAGE, text_delta),
        (
            REASONING,
            lambda: event(
                "response.reasoning_summary_text.delta", delta="x", output_index=0, summary_index=0
            ),
        ),
        (CALL, lambda: event("response.function_call_arguments.delta", delta="x", output_index=0)),
    ],
)
def test_a_burst_is_not_parsed(item: Json, delta: Callable[[], bytes]) -> None:
    """Only what comes before the block is open."""
    stream = OpenAIStream("req_1", AnswerTerms("gpt-5.2", shows_thinking=True))
    stream.feed(event("response.output_item.added", output_index=0, item=item))
    with mock.patch.object(stream._translator, "take", wraps=stream._translator.take) as taken:
        out = stream.feed(delta() * 200)
    assert out.count(b"event: content_block_delta\n") == 200
    assert taken.call_count <= 1
