"""A message put together from its events is the one that readers of the stream see."""

from hypothesis import given
from hypothesis import strategies as st

from channeling.providers.message_writer import MessageWriter, encode_events
from channeling.providers.written_message import message_of
from tests.channeling.providers.test_message_writer import OPERATIONS, USAGE
from tests.stand_ins.strict_reader import read_strictly

CITATION = {"type": "web_search_result_location", "url": "https://a.example", "cited_text": ""}


@given(st.lists(st.sampled_from(sorted(OPERATIONS.keys() - {"fail"}))))
def test_it_is_what_a_reader_of_the_stream_sees(names: list[str]) -> None:
    writer = MessageWriter("req_test")
    writer.start(message_id="msg_1", model="gpt-5.2", usage=USAGE)
    for name in names:
        OPERATIONS[name](writer)
    writer.end("end_turn", {"output_tokens": 7})
    events = writer.take()
    assert message_of(events) == read_strictly(encode_events(events)).message


def test_citations_and_input_are_put_together() -> None:
    writer = MessageWriter("req_test")
    writer.start(message_id="msg_1", model="gpt-5.2", usage=USAGE)
    writer.text("one ")
    writer.citation(CITATION)
    writer.text("two")
    writer.open_tool({"type": "tool_use", "id": "a", "name": "b", "input": {}})
    writer.tool_input('{"a":')
    writer.tool_input("[1]}")
    writer.end("tool_use", {"output_tokens": 7})
    content = message_of(writer.take())["content"]
    assert content == [
        {"type": "text", "text": "one two", "citations": [CITATION]},
        {"type": "tool_use", "id": "a", "name": "b", "input": {"a": [1]}},
    ]


def test_input_that_was_cut_off_is_empty() -> None:
    writer = MessageWriter("req_test")
    writer.start(message_id="msg_1", model="gpt-5.2", usage=USAGE)
    writer.open_tool({"type": "tool_use", "id": "a", "name": "b", "input": {}})
    writer.tool_input('{"a":')
    writer.end("max_tokens", {"output_tokens": 7})
    assert message_of(writer.take())["content"][0]["input"] == {}
