"""A reasoning item comes out of a signature byte for byte; what was not sealed here never comes out at all."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channeling.providers.openai.reasoning_signature import SealedReasoning, seal, unseal
from channeling.providers.thinking_signature import is_foreign_thinking

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
ITEM = SealedReasoning("rs_1", "gAAAAB:x_-=", ("**Plan**\n\nLook.", "K\u00f8benhavn"))


@given(TEXTS.filter(bool), TEXTS.filter(bool), st.lists(TEXTS).map(tuple))
def test_it_comes_back_as_it_was(item_id: str, encrypted_content: str, summary: tuple[str, ...]) -> None:
    item = SealedReasoning(item_id, encrypted_content, summary)
    assert unseal(seal(item)) == item


def test_the_form_is_stable() -> None:
    """Signatures live in clients' histories: what this version wrote has to be read by every later one."""
    assert (
        seal(SealedReasoning("rs_1", "gAAA"))
        == "channeling:openai:1:eyJpZCI6InJzXzEiLCJzdW1tYXJ5IjpbXX0=:gAAA"
    )


def test_anthropic_is_never_given_it() -> None:
    assert is_foreign_thinking({"type": "thinking", "thinking": "", "signature": seal(ITEM)})
    assert is_foreign_thinking({"type": "redacted_thinking", "data": seal(ITEM)})


def headed(head: bytes, encrypted_content: str = "gAAA") -> str:
    return f"channeling:openai:1:{base64.urlsafe_b64encode(head).decode()}:{encrypted_content}"


@pytest.mark.parametrize(
    "signature",
    [
        None,
        7,
        [],
        "",
        "ErUBCkYIBRgCIkDa",
        "channeling:",
        "channeling:openai:1:",
        "channeling:openai:2:eyJpZCI6InJzXzEiLCJzdW1tYXJ5IjpbXX0=:gAAA",
        "channeling:openrouter:1:eyJpZCI6InJzXzEiLCJzdW1tYXJ5IjpbXX0=:gAAA",
        seal(ITEM)[:30],
        seal(ITEM)[1:],
        headed(b'{"id":"rs_1","summary":[]}', ""),
        headed(b'{"id":"","summary":[]}'),
        headed(b'{"id":7,"summary":[]}'),
        headed(b'{"id":"rs_1"}'),
        headed(b'{"id":"rs_1","summary":[7]}'),
        headed(b'{"id":"rs_1","summary":"x"}'),
        headed(b'["rs_1"]'),
        headed(b"{" * 10_000),
        headed(b"\xff\xfe"),
        "channeling:openai:1:\u00e9\u00e9:gAAA",
        "channeling:openai:1:a:gAAA",
        "channeling:openai:1:eyJpZ CI6:gAAA",
        "channeling:openai:1:\ud800:gAAA",
    ],
)
def test_anything_else_is_none(signature: Any) -> None:
    assert unseal(signature) is None


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    for signature in (text, "channeling:openai:1:" + text, seal(ITEM) + text):
        unseal(signature)
