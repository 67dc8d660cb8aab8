"""Every event and output item that the official package knows is handled, passed over or refused, by name."""

import typing
from typing import Any

import pytest
from openai.types.responses import ResponseOutputItem, ResponseStreamEvent

from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.openai.answer_items import ITEM_CLASSES
from channeling.providers.openai.answer_translator import HANDLERS, AnswerTranslator
from channeling.providers.openai.event_types import PASSED_OVER_EVENTS, REFUSED_EVENT_PREFIXES, REFUSED_ITEMS


def types_of(union: Any) -> list[str]:
    members = typing.get_args(typing.get_args(union)[0])
    return [kind for member in members for kind in typing.get_args(member.model_fields["type"].annotation)]


EVENTS, ITEMS = types_of(ResponseStreamEvent), types_of(ResponseOutputItem)


def test_the_unions_are_read() -> None:
    assert len(EVENTS) >= 59
    assert len(ITEMS) >= 28


@pytest.mark.parametrize("kind", EVENTS)
def test_every_event_has_one_fate(kind: str) -> None:
    """One that is new in the package goes into a set of `event_types.py` or gets a handler."""
    fates = [kind in HANDLERS, kind in PASSED_OVER_EVENTS, kind.startswith(REFUSED_EVENT_PREFIXES)]
    assert fates.count(True) == 1, f"{kind}: decide in providers/openai/event_types.py"


@pytest.mark.parametrize("kind", ITEMS)
def test_every_item_has_one_fate(kind: str) -> None:
    assert (kind in ITEM_CLASSES) + (kind in REFUSED_ITEMS) == 1, (
        f"{kind}: decide in providers/openai/event_types.py"
    )


def test_there_are_no_fates_without_a_type() -> None:
    """Beside `response.cancelled`, which the package has as a status alone."""
    assert set(HANDLERS) - set(EVENTS) == {"response.cancelled"}
    assert set(EVENTS) >= PASSED_OVER_EVENTS
    assert set(ITEMS) == REFUSED_ITEMS | set(ITEM_CLASSES)
    unused = [
        prefix for prefix in REFUSED_EVENT_PREFIXES if not any(kind.startswith(prefix) for kind in EVENTS)
    ]
    assert unused == []


@pytest.mark.parametrize("kind", [kind for kind in EVENTS if kind.startswith(REFUSED_EVENT_PREFIXES)])
def test_refused_events_are_named(kind: str) -> None:
    translator = AnswerTranslator("req_test", AnswerTerms("gpt-5.2"))
    translator.take({"type": kind, "delta": "x", "output_index": 0})
    assert translator.writer.failure is not None
    assert kind in translator.writer.failure.message


@pytest.mark.parametrize("kind", sorted(REFUSED_ITEMS))
@pytest.mark.parametrize("event", ["response.output_item.added", "response.output_item.done"])
def test_refused_items_are_named(kind: str, event: str) -> None:
    translator = AnswerTranslator("req_test", AnswerTerms("gpt-5.2"))
    translator.take({"type": event, "item": {"type": kind, "id": "x"}, "output_index": 0})
    assert translator.writer.failure is not None
    assert kind in translator.writer.failure.message
