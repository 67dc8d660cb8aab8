"""Thinking that Anthropic would refuse is told apart from its own, also where its own looks empty."""

from typing import Any

import pytest

from channeling.providers.thinking_signature import SIGNATURE_PREFIX, is_foreign_thinking


@pytest.mark.parametrize(
    ("block", "foreign"),
    [
        ({"type": "thinking", "thinking": "t", "signature": "EqQB"}, False),
        ({"type": "thinking", "thinking": "", "signature": "EqQB"}, False),
        ({"type": "thinking", "thinking": "t", "signature": ""}, True),
        ({"type": "thinking", "thinking": "t", "signature": None}, True),
        ({"type": "thinking", "thinking": "t"}, True),
        ({"type": "thinking", "thinking": "t", "signature": SIGNATURE_PREFIX + "x"}, True),
        ({"type": "redacted_thinking", "data": "EmwK"}, False),
        ({"type": "redacted_thinking", "data": SIGNATURE_PREFIX + "x"}, True),
        ({"type": "redacted_thinking"}, True),
        ({"type": "text", "text": "t"}, False),
        ({}, False),
    ],
)
def test_blocks(block: dict[str, Any], foreign: bool) -> None:
    assert is_foreign_thinking(block) is foreign
