"""Random valid completions: every reader takes their streams, and sees the message that the whole comes to."""

from collections.abc import Mapping
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.chat_completions.reasoning_signature import unseal
from channeling.providers.chat_completions.response import whole_answer
from channeling.providers.openrouter.answer_dialect import OPENROUTER_ANSWERS
from tests.channeling.providers.chat_completions.golden_answers import new_stream
from tests.channeling.providers.stream_proofs import OFFICIAL, assert_same_message
from tests.stand_ins.chat_script import Completion, Part, Reasoning, Refusal, Script, Text, ToolCall, encoded
from tests.stand_ins.strict_reader import read_strictly

DONE = b"data: [DONE]\n\n"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["one two END three", "E N D", "\n\n", " "]
)
WORDS = TEXTS.filter(lambda text: bool(text.strip()))
ARGUMENTS = st.dictionaries(
    TEXTS, st.integers(-9, 9) | TEXTS | st.lists(st.none() | st.booleans()), max_size=3
)
DETAILS = st.lists(
    st.one_of(
        st.builds(lambda text: {"type": "reasoning.text", "text": text, "format": "unknown"}, WORDS),
        st.builds(lambda text: {"type": "reasoning.summary", "summary": text, "id": "rs"}, WORDS),
        st.builds(lambda text: {"type": "reasoning.text", "text": text, "signature": "S+=="}, WORDS),
        st.just({"type": "reasoning.encrypted", "data": "gAAA" * 40, "format": "google-gemini-v1"}),
    ),
    max_size=3,
)
REASONING = st.builds(Reasoning, TEXTS, st.sampled_from(["reasoning", "reasoning_content"])) | st.builds(
    Reasoning, details=DETAILS.map(tuple)
)
CALL_IDS = st.none() | st.sampled_from(["", "call_0", "functions.read:0", "used", "x" * 80])
CALL = st.builds(
    ToolCall,
    st.sampled_from(["read", "mcp_short"]),
    ARGUMENTS | st.sampled_from(["", None]),
    CALL_IDS,
    st.booleans(),
)
# In the order in which a whole message says them: blocks that come back to an earlier kind are one there.
PARTS: st.SearchStrategy[tuple[Part, ...]] = st.builds(
    lambda reasoning, said, calls: (*reasoning, *said, *calls),
    st.lists(REASONING, max_size=1),
    st.lists(st.builds(Text, TEXTS) | st.builds(Refusal, WORDS), max_size=1),
    st.lists(CALL, max_size=4, unique_by=repr),  # the stand-in tells calls apart by what they are
)
TERMS = st.builds(
    AnswerTerms,
    st.just("or:x"),
    upstream_model=st.just("x"),
    names=st.just({"mcp_short": "mcp__long_" * 8}),
    stop_sequences=st.just(()) | st.lists(st.sampled_from(["END", "e", " ", "\n\n"]), max_size=2).map(tuple),
    input_tokens_estimate=st.integers(0, 99),
    shows_thinking=st.booleans(),
    keeps_thinking=st.booleans(),
    used_tool_ids=st.just(frozenset({"used"})),
)


def completion(script: Script, max_tokens: int | None = None) -> Completion:
    return Completion(script, {"model": "x", "max_tokens": max_tokens}, 31, 1)


def streamed(script: Script, max_tokens: int | None = None) -> bytes:
    return b"".join(encoded(chunk) for chunk in completion(script, max_tokens).chunks()) + DONE


def comparable(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message without its usage, its reasoning unsealed: the stand-in numbers details in streams alone."""
    content = [dict(block) for block in message["content"]]
    for block in content:
        if block["type"] == "thinking":
            sealed = unseal(block.pop("signature"))
            block["sealed"] = sealed and (
                sealed.text,
                sealed.text_key,
                [
                    {name: value for name, value in detail.items() if name != "index"}
                    for detail in sealed.details
                ],
            )
    return {name: value for name, value in message.items() if name != "usage"} | {"content": content}


@settings(max_examples=120, deadline=None)
@given(PARTS, TERMS, st.booleans(), st.sampled_from(["own", "finish", "every"]), st.integers(1, 500))
def test_a_stream_and_a_whole_answer_are_the_same_message(
    parts: tuple[Part, ...], terms: AnswerTerms, interleaved: bool, usage_in: Any, step: int
) -> None:
    calls_alone = all(isinstance(part, ToolCall) for part in parts)
    script = Script(
        parts, cost=0.000_123, reasoning_tokens=3, interleaved=interleaved and calls_alone, usage_in=usage_in
    )
    upstream = streamed(script)
    stream = new_stream(terms)
    out = b"".join(stream.feed(upstream[at : at + step]) for at in range(0, len(upstream), step))
    out += stream.finish()
    strict = read_strictly(out)
    assert strict.error is None
    assert_same_message(OFFICIAL.read(out), strict.message)

    body = orjson.dumps(completion(script).whole())
    whole = whole_answer(body, "req_test", terms, OPENROUTER_ANSWERS)
    assert whole.failure is None
    message = orjson.loads(whole.body)
    assert comparable(message) == comparable(strict.message)
    assert whole.facts.stop_reason == stream.facts.stop_reason
    if message["stop_reason"] == "stop_sequence":
        return  # the stream ended there, before the provider said what it had written
    assert message["usage"] == strict.message["usage"]
    assert whole.facts == stream.facts
    assert whole.facts.reported_cost == 123_000
    if b"reasoning.encrypted" not in upstream:  # its length counts beyond what of the text had come by then
        assert whole.emitted == stream.emitted


@settings(max_examples=60, deadline=None)
@given(PARTS, TERMS, st.integers(0, 12))
def test_an_answer_that_the_limit_cuts_is_taken_by_every_reader(
    parts: tuple[Part, ...], terms: AnswerTerms, max_tokens: int
) -> None:
    script = Script(parts)
    stream = new_stream(terms)
    upstream = streamed(script, max_tokens)
    out = stream.feed(upstream)
    strict = read_strictly(out)
    assert strict.error is None
    if b'"finish_reason":"length"' in upstream:
        assert strict.message["stop_reason"] in ("max_tokens", "stop_sequence")
    assert_same_message(OFFICIAL.read(out), strict.message)
    body = orjson.dumps(completion(script, max_tokens).whole())
    whole = whole_answer(body, "req_test", terms, OPENROUTER_ANSWERS)
    assert orjson.loads(whole.body)["stop_reason"] == strict.message["stop_reason"]
