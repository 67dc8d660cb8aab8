"""docs/wire-formats.md says of every part of a request to OpenRouter what becomes of it, and what it says is so."""

import pytest

from channeling.message_request import MessageRequest
from channeling.providers.chat_completions.reasoning_signature import SealedReasoning, seal
from channeling.providers.chat_completions.request import Translation
from channeling.providers.openrouter.request import translate_request
from tests.channeling.providers.request_walk import RequestWalk
from tests.channeling.providers.wire_formats import read_request_tables

MODEL = "deepseek/deepseek-v4"
SEALED = [
    seal(SealedReasoning(MODEL, ({"type": "reasoning.text", "text": text, "index": 0},)))
    for text in ("A", "B")
]


def translate(request: MessageRequest) -> Translation:
    """Translate a request for the model that it names."""
    return translate_request(request, model=request.model, max_tokens=None, stream=request.stream)


WALK = RequestWalk(
    read_request_tables("Requests to OpenRouter", beyond=read_request_tables("Requests to OpenAI")),
    translate,
    folder="openrouter",
    modules={
        "content": "history.py, content_blocks.py and chat_completions/messages.py",
        "messages": "history.py and chat_completions/messages.py",
        "source": "content_blocks.py and chat_completions/messages.py",
        "tools": "tool_definitions.py and chat_completions/tools.py",
        "tool_choice": "tool_definitions.py and chat_completions/tools.py",
        "user_location": "web_search_tool.py",
        "thinking": "thinking_request.py",
        "output_config": "thinking_request.py and request_parameters.py",
        "metadata": "caller_identity.py",
    },
    model=MODEL,
    telling={("content: thinking", "signature"): SEALED, ("content: redacted_thinking", "data"): SEALED},
    # A mark of where to cache belongs to text.
    needed={"content: document": {"source": {"type": "text", "media_type": "text/plain", "data": "Text."}}},
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
    """Each key is carried, lost or refused as the table says."""
    WALK.check_key(key)
