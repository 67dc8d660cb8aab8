"""Finish reasons of many vendors come to a few outcomes, and one that is not known to none."""

from typing import Any, get_args

import pytest
from openai.types.chat.chat_completion_chunk import Choice

from channeling.providers.chat_completions.finish_reasons import finish_reason_of, outcome_of


@pytest.mark.parametrize("value", [None, "", "null", "None", "NULL"])
def test_no_reason_yet(value: Any) -> None:
    assert finish_reason_of(value) is None


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("stop", "ended"),
        ("STOP", "ended"),
        ("tool_calls", "ended"),
        ("eos", "ended"),
        ("length", "length"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("content_filter", "filtered"),
        ("SAFETY", "filtered"),
        ("error", "failed"),
        ("insufficient_system_resource", "failed"),
        ("solar_flare", None),
        (7, None),
        (False, None),
        ({"a": 1}, None),
    ],
)
def test_outcomes(value: Any, outcome: str | None) -> None:
    reason = finish_reason_of(value)
    assert reason is not None
    assert outcome_of(reason) == outcome


def test_every_reason_of_the_official_type_is_known() -> None:
    (literal, _) = get_args(Choice.model_fields["finish_reason"].annotation)
    assert all(outcome_of(reason) is not None for reason in get_args(literal))
