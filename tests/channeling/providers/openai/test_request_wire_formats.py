"""docs/wire-formats.md says of every part of a request to OpenAI what becomes of it, and what it says is so."""

import pytest

from channeling.message_request import MessageRequest
from channeling.providers.openai.reasoning_signature import SealedReasoning, seal
from channeling.providers.openai.request import Translation, translate_request
from tests.channeling.providers.request_walk import RequestWalk
from tests.channeling.providers.wire_formats import read_request_tables

SEALED = [seal(SealedReasoning(f"rs_{number}", "gAAAA")) for number in (1, 2)]


def translate(request: MessageRequest) -> Translation:
    """Translate a request for the model that it names."""
    return translate_request(request, model=request.model, max_tokens=None, stream=request.stream)


WALK = RequestWalk(
    read_request_tables("Requests to OpenAI"),
    translate,
    folder="openai",
    modules={
        "content": "history.py and content_blocks.py",
        "messages": "history.py",
        "source": "content_blocks.py",
        "tools": "tool_definitions.py",
        "tool_choice": "tool_definitions.py",
        "user_location": "web_search_tool.py",
        "thinking": "thinking_request.py",
        "output_config": "thinking_request.py and request_parameters.py",
        "metadata": "caller_identity.py",
    },
    model="gpt-5.6-sol",
    models={"temperature": "gpt-4.1", "top_p": "gpt-4.1"},
    telling={("content: thinking", "signature"): SEALED, ("content: redacted_thinking", "data"): SEALED},
)


def test_every_key_of_a_request_is_in_the_table() -> None:
    """A key that is new in the SDK has to be looked at."""
    WALK.check_keys()


@pytest.mark.parametrize("name", sorted(WALK.types))
def test_every_type_is_in_a_table(name: str) -> None:
    """A type that is new in the SDK has to be looked at, and so has a new field of one that is carried."""
    WALK.check_type(name)


def test_no_row_is_stale() -> None:
    """What the SDK no longer has is no longer in the tables."""
    WALK.check_no_row_is_stale()


@pytest.mark.parametrize("name", WALK.parts("refused"))
def test_refused_parts_are_refused(name: str) -> None:
    """The refusal says what it is about."""
    WALK.check_refused_part(name)


@pytest.mark.parametrize("name", WALK.parts("lost"))
def test_lost_parts_leave_no_trace(name: str) -> None:
    """What goes up is what goes up without them."""
    WALK.check_lost_part(name)


@pytest.mark.parametrize("name", WALK.parts("carried"))
def test_carried_parts_are_taken(name: str) -> None:
    """The least value of each is translated."""
    WALK.check_carried_part(name)


@pytest.mark.parametrize(("name", "field"), WALK.fields("carried"))
def test_carried_fields_make_a_difference(name: str, field: str) -> None:
    """Some two values of the field, or having it at all, lead to different requests."""
    WALK.check_carried_field(name, field)


@pytest.mark.parametrize(("name", "field"), WALK.fields("lost"))
def test_lost_fields_make_none(name: str, field: str) -> None:
    """Whatever the value of the field, the same goes up."""
    WALK.check_lost_field(name, field)


@pytest.mark.parametrize(("name", "field"), WALK.fields("refused"))
def test_refused_fields_are_refused(name: str, field: str) -> None:
    """The refusal names the field."""
    WALK.check_refused_field(name, field)


@pytest.mark.parametrize("key", sorted(WALK.tables.keys))
def test_keys_of_the_request(key: str) -> None:
    """Each key is carried, lost or refused as the table says; sampling is carried to models that take it."""
    WALK.check_key(key)


def test_a_type_that_no_table_has_is_found() -> None:
    """The walk finds a type that the page does not know."""
    row = WALK.tables.part("content: hologram")
    assert row is None
    part = WALK.tables.part
    assert part("tools: code_execution_20990101") == part("tools: code_execution_20250522")
    assert len(WALK.types) > 80
