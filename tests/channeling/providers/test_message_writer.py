"""Whatever is written in whatever order, the events are of one well-formed message with one ending."""

from collections.abc import Callable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeling.errors import Overloaded, UpstreamFailed
from channeling.providers.answer_stream import StreamError
from channeling.providers.message_writer import MessageWriter, encode_events
from tests.stand_ins.strict_reader import read_strictly

USAGE = {"input_tokens": 3, "output_tokens": 1}
TOOL = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}}
RESULT = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}


def started() -> MessageWriter:
    writer = MessageWriter("req_test")
    writer.start(message_id="msg_1", model="gpt-5.2", usage=USAGE)
    return writer


def written(writer: MessageWriter) -> bytes:
    return encode_events(writer.take())


def kinds(writer: MessageWriter) -> list[str]:
    return [event["type"] for event in writer.take()]


def test_a_message() -> None:
    writer = started()
    writer.thinking("Hm")
    writer.thinking(".")
    writer.signature("signed")
    writer.text("Text.")
    writer.open_tool(TOOL)
    writer.tool_input('{"path":')
    writer.tool_input('"a"}')
    writer.whole_block(RESULT)
    writer.end("tool_use", {"output_tokens": 9})
    message = read_strictly(written(writer)).message
    assert message["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "signed"},
        {"type": "text", "text": "Text."},
        TOOL | {"input": {"path": "a"}},
        RESULT,
    ]
    assert (message["stop_reason"], message["usage"]) == ("tool_use", {"input_tokens": 3, "output_tokens": 9})


@pytest.mark.parametrize(
    ("begin", "write"),
    [
        (lambda writer: None, MessageWriter.text),
        (lambda writer: None, MessageWriter.thinking),
        (lambda writer: writer.open_tool(TOOL), MessageWriter.tool_input),
    ],
)
def test_bodies_are_written_as_the_pieces_that_they_are_of(
    begin: Callable[[MessageWriter], None], write: Callable[[MessageWriter, str], None]
) -> None:
    at_once, singly = started(), started()
    pieces = ["x", 'a "quoted" \\ line\n', "é你😀"]
    for writer in (at_once, singly):
        writer.whole_block(RESULT)
        begin(writer)
        write(writer, "first")
    at_once.bodies([orjson.dumps(piece)[1:-1] for piece in pieces])
    for piece in pieces:
        write(singly, piece)
    assert at_once.take_encoded() == singly.take_encoded()
    assert at_once.take_encoded() == b""


def test_bodies_belong_into_a_block_and_are_no_events() -> None:
    writer = started()
    with pytest.raises(ValueError, match="no block"):
        writer.bodies([b"x"])
    writer.text("x")
    writer.bodies([b"y"])
    with pytest.raises(ValueError, match="no events"):
        writer.take()


def test_empty_pieces_open_nothing() -> None:
    writer = started()
    writer.text("")
    writer.thinking("")
    writer.close_block()
    assert kinds(writer) == ["message_start"]
    assert writer.open_block is None


def test_a_closed_block_is_followed_by_another_of_its_kind() -> None:
    writer = started()
    writer.text("one")
    writer.close_block()
    writer.text("two")
    writer.end("end_turn", USAGE)
    assert [block["text"] for block in read_strictly(written(writer)).message["content"]] == ["one", "two"]


def test_a_signature_without_thinking_has_a_block_of_its_own() -> None:
    writer = started()
    writer.signature("signed")
    assert kinds(writer) == ["message_start", "content_block_start", "content_block_delta"]
    assert writer.open_block == "thinking"


def test_what_was_taken_does_not_come_again() -> None:
    writer = started()
    assert len(writer.take()) == 1
    assert writer.take() == []


def test_only_the_first_start_and_the_first_ending_count() -> None:
    writer = started()
    writer.start(message_id="msg_2", model="other", usage=USAGE)
    writer.end("end_turn", USAGE)
    writer.end("max_tokens", USAGE)
    writer.fail(UpstreamFailed("late"))
    writer.start(message_id="msg_3", model="other", usage=USAGE)
    assert kinds(writer) == ["message_start", "message_delta", "message_stop"]
    assert writer.failure is None
    assert writer.error is None


def test_a_failure_ends_inside_a_block() -> None:
    writer = started()
    writer.text("Half")
    writer.fail(Overloaded("full"))
    writer.end("end_turn", USAGE)
    read = read_strictly(written(writer))
    assert read.error == {"type": "overloaded_error", "message": "full"}
    assert writer.error == StreamError("overloaded_error", "full")
    assert writer.failure is not None
    assert writer.failure.headers == {"retry-after": "2"}


def test_a_failure_may_come_before_the_message() -> None:
    writer = MessageWriter("req_test")
    writer.fail(UpstreamFailed("at once"))
    assert kinds(writer) == ["error"]
    assert (writer.started, writer.ended) == (False, True)


@pytest.mark.parametrize(
    "write",
    [
        lambda writer: writer.text("x"),
        lambda writer: writer.thinking("x"),
        lambda writer: writer.signature("x"),
        lambda writer: writer.open_tool(TOOL),
        lambda writer: writer.whole_block(RESULT),
        lambda writer: writer.tool_input("{}"),
        lambda writer: writer.citation({}),
        lambda writer: writer.end("end_turn", USAGE),
    ],
)
def test_before_the_start_there_is_nothing_to_write_to(write: Callable[[MessageWriter], None]) -> None:
    """A defect of a translator: better loud than a stream that a client chokes on."""
    with pytest.raises(ValueError, match=r"start|no block"):
        write(MessageWriter("req_test"))


def test_a_delta_without_its_block_is_a_defect() -> None:
    writer = started()
    writer.text("x")
    with pytest.raises(ValueError, match="tool block while text"):
        writer.tool_input("{}")
    writer.close_block()
    with pytest.raises(ValueError, match="text block while no block"):
        writer.citation({})


def test_a_refusal_says_why() -> None:
    writer = started()
    details = {"type": "refusal", "category": None, "explanation": "No."}
    writer.end("refusal", USAGE, stop_details=details)
    assert read_strictly(written(writer)).message["stop_details"] == details


OPERATIONS: dict[str, Callable[[MessageWriter], None]] = {
    "text": lambda writer: writer.text("x"),
    "empty": lambda writer: writer.text(""),
    "thinking": lambda writer: writer.thinking("x"),
    "signature": lambda writer: writer.signature("x"),
    "tool": lambda writer: writer.open_tool(TOOL),
    "result": lambda writer: writer.whole_block(RESULT),
    "close": lambda writer: writer.close_block(),
    "end": lambda writer: writer.end("end_turn", USAGE),
    "fail": lambda writer: writer.fail(UpstreamFailed("x")),
}


@given(st.lists(st.sampled_from(sorted(OPERATIONS))))
def test_any_order_is_well_formed(names: list[str]) -> None:
    writer = started()
    for name in names:
        OPERATIONS[name](writer)
    writer.end("end_turn", USAGE)
    read_strictly(written(writer))
