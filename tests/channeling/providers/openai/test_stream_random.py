"""Random valid responses: every reader takes their streams, and sees the message that comes of them as a whole."""

from collections.abc import Mapping
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.openai.response import whole_answer
from channeling.providers.openai.stream import OpenAIStream
from tests.channeling.providers.stream_proofs import assert_same_message
from tests.stand_ins.official_reader import OfficialReader
from tests.stand_ins.openai_script import (
    FunctionCall,
    Message,
    OutputItem,
    Reasoning,
    Response,
    Script,
    WebSearch,
    encoded,
)
from tests.stand_ins.strict_reader import read_strictly

OFFICIAL = OfficialReader()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["one two END three", "E N D"]
)
WORDS = TEXTS.filter(lambda text: bool(text.strip()))
ARGUMENTS = st.dictionaries(
    TEXTS, st.integers(-9, 9) | TEXTS | st.lists(st.none() | st.booleans()), max_size=3
)
URLS = st.sampled_from(["https://a.example/", "https://b.example/x"])
ITEMS: st.SearchStrategy[OutputItem] = st.one_of(
    st.builds(Reasoning, st.lists(WORDS, max_size=3).map(tuple), st.just("") | WORDS),
    st.builds(Message, text=TEXTS, refusal=st.just("") | WORDS),
    st.builds(Message, text=WORDS, citations=st.lists(st.tuples(URLS, WORDS), max_size=2).map(tuple)),
    st.builds(
        FunctionCall, st.sampled_from(["read", "mcp_short"]), ARGUMENTS | st.just(""), whole=st.booleans()
    ),
    st.builds(WebSearch, WORDS, st.lists(URLS, max_size=2).map(tuple)),
)
TERMS = st.builds(
    AnswerTerms,
    st.just("gpt-5.2"),
    names=st.just({"mcp_short": "mcp__long_" * 8}),
    stop_sequences=st.just(()) | st.lists(st.sampled_from(["END", "e", " ", "\n\n"]), max_size=2).map(tuple),
    input_tokens_estimate=st.integers(0, 99),
    shows_thinking=st.booleans(),
    keeps_thinking=st.booleans(),
)
ASKED = {"model": "gpt-5.2", "include": ["web_search_call.action.sources"], "store": False}


def events_in_turns(response: Response, turns: list[int]) -> list[dict[str, Any]]:
    """Return a response's events with those of its items in random turns; items are announced in their order."""
    events = list(response.events())
    opening, closing = events[:2], events[-1:]
    queues: dict[int, list[dict[str, Any]]] = {}
    for event in events[2:-1]:
        queues.setdefault(event["output_index"], []).append(event)
    mixed: list[dict[str, Any]] = []
    unannounced, running = sorted(queues), list[int]()
    while unannounced or running:
        choices = len(running) + bool(unannounced)
        turn = (turns.pop() if turns else 0) % choices
        if turn == len(running):
            running.append(unannounced.pop(0))
        index = running[turn]
        mixed.append(queues[index].pop(0))
        if not queues[index]:
            running.remove(index)
    items = {
        event["output_index"]: event["item"]
        for event in mixed
        if event["type"] == "response.output_item.done"
    }
    closing[0]["response"]["output"] = [items[index] for index in sorted(items)]
    return opening + mixed + closing


def without_usage(message: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != "usage"}


@settings(max_examples=150, deadline=None)
@given(st.lists(ITEMS, max_size=6), TERMS, st.lists(st.integers(0, 5), max_size=60), st.integers(1, 500))
def test_a_stream_and_a_whole_answer_are_the_same_message(
    items: list[OutputItem], terms: AnswerTerms, turns: list[int], step: int
) -> None:
    response = Response(Script(items=tuple(items), reasoning_tokens=3), ASKED, 31, 1)
    events = events_in_turns(response, turns)
    upstream = b"".join(encoded(event) for event in events)
    stream = OpenAIStream("req_test", terms)
    out = b"".join(stream.feed(upstream[at : at + step]) for at in range(0, len(upstream), step))
    out += stream.finish()
    strict = read_strictly(out)
    assert strict.error is None
    assert_same_message(OFFICIAL.read(out), strict.message)

    whole = whole_answer(orjson.dumps(events[-1]["response"]), "req_test", terms)
    message = orjson.loads(whole.body)
    assert without_usage(message) == without_usage(strict.message)
    assert whole.facts.stop_reason == stream.facts.stop_reason
    if message["stop_reason"] == "stop_sequence":
        return  # the stream ended there, before the provider said what it had written
    assert message["usage"] == strict.message["usage"]
    assert whole.facts == stream.facts
    assert whole.emitted == stream.emitted


@settings(max_examples=60, deadline=None)
@given(st.lists(ITEMS, min_size=1, max_size=5), TERMS, st.integers(0, 12))
def test_an_answer_that_the_limit_cuts_is_taken_by_every_reader(
    items: list[OutputItem], terms: AnswerTerms, max_output_tokens: int
) -> None:
    response = Response(Script(items=tuple(items)), {**ASKED, "max_output_tokens": max_output_tokens}, 31, 1)
    events = list(response.events())
    stream = OpenAIStream("req_test", terms)
    out = stream.feed(b"".join(encoded(event) for event in events))
    strict = read_strictly(out)
    assert strict.error is None
    if events[-1]["type"] == "response.incomplete":
        assert strict.message["stop_reason"] in ("max_tokens", "stop_sequence")
    assert_same_message(OFFICIAL.read(out), strict.message)
    whole = orjson.loads(whole_answer(orjson.dumps(events[-1]["response"]), "req_test", terms).body)
    assert whole["stop_reason"] == strict.message["stop_reason"]
